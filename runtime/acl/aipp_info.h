// What a loaded model tells about its AIPP: the manifest entries "aipp.<input>", which hold the text of base/aipp.h.
#ifndef OMKIT_RUNTIME_ACL_AIPP_INFO_H_
#define OMKIT_RUNTIME_ACL_AIPP_INFO_H_

#include <cstdint>
#include <vector>

#include "acl/acl.h"
#include "base/aipp.h"
#include "runtime/program.h"

namespace omkit::acl {

struct AippInfo {
  size_t input = 0;
  size_t parameters = ACL_INVALID_NODE_INDEX;  // of dynamic AIPP: the input that takes them
  aipp::Stage stage;
};

// Entries that do not fit the program's inputs are left out.
std::vector<AippInfo> AippInfos(const runtime::Program& program);
// n,h,w,c of the source image; of the network's input when the image's size is not known before run time.
std::vector<int64_t> ImageDims(const aipp::Stage& stage);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_AIPP_INFO_H_
