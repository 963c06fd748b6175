#include "base/own_file.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#include <climits>
#include <cstdint>

namespace omkit {

std::string OwnFile() {
  Dl_info info;
  void* map = nullptr;
  const auto address = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(&OwnFile));
  char path[PATH_MAX];
  if (dladdr1(address, &info, &map, RTLD_DL_LINKMAP) != 0 && map != nullptr && *static_cast<link_map*>(map)->l_name != '\0')
    return realpath(static_cast<link_map*>(map)->l_name, path) != nullptr ? path : "";
  return realpath("/proc/self/exe", path) != nullptr ? path : "";
}

}  // namespace omkit
