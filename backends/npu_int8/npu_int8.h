// The NPU INT8 backend family: integer kernels for quantized nodes, float kernels for the rest, one SoC row per instruction set. Floor 4.
#ifndef OMKIT_BACKENDS_NPU_INT8_NPU_INT8_H_
#define OMKIT_BACKENDS_NPU_INT8_NPU_INT8_H_

#include "backends/backend.h"

namespace omkit::npu_int8 {

// Lives for ever.
const Backend& NpuInt8Backend();

// What the tables say of an operator, whatever the types and attributes of a node.
struct OpSupport {
  bool kernel = false;
  bool int8 = false;
};
OpSupport SupportOf(ir::OpKind op);

}  // namespace omkit::npu_int8

#endif  // OMKIT_BACKENDS_NPU_INT8_NPU_INT8_H_
