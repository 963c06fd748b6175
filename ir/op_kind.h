// The operator set as an enum, expanded from ops/ops.inc. Floor 2.
#ifndef OMKIT_IR_OP_KIND_H_
#define OMKIT_IR_OP_KIND_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace omkit::ir {

enum class OpKind : uint16_t {
#define OMKIT_OP(name, ...) k##name,
#include "ir/ops/ops.inc"
#undef OMKIT_OP
};

// "Conv"; the same name as the ONNX operator where one exists.
const char* OpName(OpKind op);
// False when no row has this name.
bool FindOp(absl::string_view name, OpKind* op);

}  // namespace omkit::ir

#endif  // OMKIT_IR_OP_KIND_H_
