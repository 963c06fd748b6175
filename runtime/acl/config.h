// The settings of aclInit's JSON file.
#ifndef OMKIT_RUNTIME_ACL_CONFIG_H_
#define OMKIT_RUNTIME_ACL_CONFIG_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "acl/acl.h"
#include "runtime/acl/dump.h"
#include "runtime/acl/profiling.h"

namespace omkit::acl {

struct Config {
  bool process_messages = false;  // "err_msg_mode": "1"
  int32_t default_device = -1;    // "defaultDevice": {"default_device": "0"}; -1: none
  bool dumps = false;             // there is a "dump" section that asks for dumps
  DumpConfig dump;
  bool profiles = false;  // "profiler": {"switch": "on"}
  ProfileOptions profile;
  std::string profile_folder;  // "output"; "." when it is not given
};

// Reads `path`. Unknown keys at the top bring a warning. ACL_ERROR_INVALID_FILE, ACL_ERROR_PARSE_FILE, ACL_ERROR_INVALID_PARAM (a value),
// ACL_ERROR_INVALID_DUMP_CONFIG and ACL_ERROR_INVALID_PROFILING_CONFIG (a section with unknown keys or values).
aclError ReadConfig(const char* path, Config* config);
// The same from the file's text; `name` is for messages.
aclError ParseConfig(absl::string_view text, const char* name, Config* config);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_CONFIG_H_
