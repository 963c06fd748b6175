// Lowering of npu_int8, one function pair per operator family: `Supports*` says whether the kernels can take a node with its types as
// they are, `Lower*` adds the steps. The table that maps operators to them is backend.cc. Floor 4.
#ifndef OMKIT_BACKENDS_NPU_INT8_LOWER_H_
#define OMKIT_BACKENDS_NPU_INT8_LOWER_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/program_builder.h"
#include "ir/graph.h"

namespace omkit::npu_int8 {

using SupportsFn = bool (*)(const ir::Graph&, const ir::Node&);
using LowerFn = absl::Status (*)(const ir::Node&, ProgramBuilder&);

// lower_conv.cc
bool SupportsConv(const ir::Graph& graph, const ir::Node& node);
bool SupportsDense(const ir::Graph& graph, const ir::Node& node);
// A float Conv or Dense with a kernel on bfloat16, at whatever size its open dimensions will have. Not depthwise: its products are too few for
// bfloat16 to pay (docs/performance.md).
bool SupportsBFloat16(const ir::Graph& graph, const ir::Node& node);
absl::Status LowerConv(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerDense(const ir::Node& node, ProgramBuilder& builder);

// lower_pool.cc
bool SupportsPool(const ir::Graph& graph, const ir::Node& node);
absl::Status LowerPool(const ir::Node& node, ProgramBuilder& builder);

// lower_elementwise.cc
bool SupportsUnary(const ir::Graph& graph, const ir::Node& node);
bool SupportsBinary(const ir::Graph& graph, const ir::Node& node);
bool SupportsQuantize(const ir::Graph& graph, const ir::Node& node);
bool SupportsCast(const ir::Graph& graph, const ir::Node& node);
absl::Status LowerUnary(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerBinary(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerQuantize(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerDequantize(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerCast(const ir::Node& node, ProgramBuilder& builder);

// The Dequantize whose bytes the node reads itself, because it computes on reals behind bytes and nothing else reads the float value: ArgMax,
// ArgMin, linear Resize. nullptr for other nodes. (lower_elementwise.cc)
const ir::Node* DequantizeInside(const ir::Graph& graph, const ir::Node& node);

// The function of one byte behind a value that nothing else reads: one quantized operator, or a chain of element functions. Its nodes count as
// lowered; the caller applies the table and places `result`. nullopt when there is none. (lower_elementwise.cc)
struct TableBehind {
  std::array<uint8_t, 256> table;
  ir::ValueId result;
};
absl::StatusOr<std::optional<TableBehind>> TakeTableBehind(ir::ValueId value, ProgramBuilder& builder);

// lower_matmul.cc
bool SupportsMatMul(const ir::Graph& graph, const ir::Node& node);
absl::Status LowerMatMul(const ir::Node& node, ProgramBuilder& builder);
// The operand under the result's batch dimensions, which broadcast; the last two are the operand's own.
kernels::View BatchedView(const Place& place, const Shape& result);
// The first operand; rows are contiguous, the rest may lie anywhere.
absl::StatusOr<Place> RowsOfA(const ir::Node& node, ProgramBuilder& builder);
// The result as the Transpose that alone reads it wants it, when rows stay rows: heads of attention then join without a copy.
Place NewForTranspose(const ir::Node& node, ProgramBuilder& builder);

// INT8 attention in one step (lower_attention_u8.cc): a product of two quantized operands, a mask or none, Softmax, Quantize and another product,
// none of whose results in between has another reader. True when the node, one of the two products, belongs to one; the first one then has no
// step of its own and absorbs what lies between, and the second one runs it all.
absl::StatusOr<bool> LowerQuantizedAttention(const ir::Node& node, ProgramBuilder& builder);

// lower_attention.cc
bool SupportsAttention(const ir::Graph& graph, const ir::Node& node);
absl::Status LowerAttention(const ir::Node& node, ProgramBuilder& builder);

// lower_reduce.cc
bool SupportsSoftmax(const ir::Graph& graph, const ir::Node& node);
bool SupportsReduce(const ir::Graph& graph, const ir::Node& node);
bool SupportsArgMax(const ir::Graph& graph, const ir::Node& node);
bool SupportsLayerNormalization(const ir::Graph& graph, const ir::Node& node);
absl::Status LowerSoftmax(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerReduce(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerArgMax(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerLayerNormalization(const ir::Node& node, ProgramBuilder& builder);

// lower_recurrent.cc
bool SupportsRecurrent(const ir::Graph& graph, const ir::Node& node);
absl::Status LowerRecurrent(const ir::Node& node, ProgramBuilder& builder);

// lower_movement.cc
bool SupportsReshape(const ir::Graph& graph, const ir::Node& node);
bool SupportsTranspose(const ir::Graph& graph, const ir::Node& node);
bool SupportsConcat(const ir::Graph& graph, const ir::Node& node);
bool SupportsSlice(const ir::Graph& graph, const ir::Node& node);
bool SupportsSplit(const ir::Graph& graph, const ir::Node& node);
bool SupportsPad(const ir::Graph& graph, const ir::Node& node);
bool SupportsExpand(const ir::Graph& graph, const ir::Node& node);
bool SupportsGather(const ir::Graph& graph, const ir::Node& node);
bool SupportsDepthToSpace(const ir::Graph& graph, const ir::Node& node);  // and SpaceToDepth
bool SupportsResize(const ir::Graph& graph, const ir::Node& node);
absl::Status LowerReshape(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerTranspose(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerConcat(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerSlice(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerSplit(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerPad(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerExpand(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerGather(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerDepthToSpace(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerSpaceToDepth(const ir::Node& node, ProgramBuilder& builder);
absl::Status LowerResize(const ir::Node& node, ProgramBuilder& builder);

}  // namespace omkit::npu_int8

#endif  // OMKIT_BACKENDS_NPU_INT8_LOWER_H_
