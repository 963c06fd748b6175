// Questions about tensor types that every npu_int8 lowering asks. Floor 4.
#ifndef OMKIT_BACKENDS_NPU_INT8_TYPES_H_
#define OMKIT_BACKENDS_NPU_INT8_TYPES_H_

#include "backends/kernels/view.h"
#include "ir/graph.h"

namespace omkit::npu_int8 {

inline bool IsF32(const TensorType& type) { return type.dtype == DType::kFloat32; }
// The activation form of the INT8 kernels.
inline bool IsU8(const TensorType& type) { return type.dtype == DType::kUInt8 && type.quant.per_tensor(); }
inline const TensorType& InputType(const ir::Graph& graph, const ir::Node& node, int i) { return graph.value(node.inputs[i]).type; }
inline const TensorType& OutputType(const ir::Graph& graph, const ir::Node& node, int i = 0) { return graph.value(node.outputs[i]).type; }
inline bool HasInput(const ir::Node& node, int i) { return i < static_cast<int>(node.inputs.size()) && node.inputs[i] != ir::kNoValue; }

// Kernels take no empty tensors and no more dimensions than a view has.
inline bool FitsView(const TensorType& type) { return type.shape.rank() <= kernels::kMaxViewRank && type.shape.elements() > 0; }

}  // namespace omkit::npu_int8

#endif  // OMKIT_BACKENDS_NPU_INT8_TYPES_H_
