// The operators of a plan in the words of profiles and dumps: which steps each one has, and its tensors as text.
#ifndef OMKIT_RUNTIME_ACL_OP_LIST_H_
#define OMKIT_RUNTIME_ACL_OP_LIST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/shapes.h"

namespace omkit::acl {

struct OpTensors {
  std::string shapes;   // "1,3,224,224;64,3,7,7"
  std::string types;    // "UINT8;INT8"
  std::string formats;  // "NCHW;NCHW"
};

struct OpInfo {
  std::string name;
  std::string type;
  const char* task_type = "";  // AI_CORE for kernels, AI_CPU for operators that the interpreter runs
  size_t first_step = 0;
  size_t last_step = 0;
  int32_t layer = -1;  // into Plan::layers; -1: a step between layers, whose tensors are not known
  OpTensors inputs;
  OpTensors outputs;
};

// In the order of execution; every step belongs to exactly one operator.
std::vector<OpInfo> ListOps(const runtime::Plan& plan);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_OP_LIST_H_
