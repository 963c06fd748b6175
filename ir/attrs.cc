#include "ir/attrs.h"

namespace omkit::ir {

const Attr* Attrs::Find(absl::string_view name) const {
  auto it = map_.find(std::string(name));
  return it == map_.end() ? nullptr : &it->second;
}

}  // namespace omkit::ir
