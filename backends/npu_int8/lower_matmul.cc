#include <limits>

#include "backends/kernels/matmul_f32/matmul_f32.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/status.h"
#include "ir/ops/requantize.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using kernels::View;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

View BatchedView(const Place& place, const Shape& result) {
  const int rank = result.rank(), shift = rank - place.view.rank;
  View view = place.view;
  view.rank = rank;
  for (int i = rank - 1; i >= 0; --i) {
    const bool own = i >= shift;
    view.dims[i] = own ? place.view.dims[i - shift] : 1;
    view.strides[i] = own ? place.view.strides[i - shift] : 0;
    if (i < rank - 2) {
      if (view.dims[i] != result.dim(i)) view.strides[i] = 0;
      view.dims[i] = result.dim(i);
    }
  }
  return view;
}

absl::StatusOr<Place> RowsOfA(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(Place a, builder.At(node.inputs[0]));
  int64_t& last = a.view.strides[a.view.rank - 1];
  if (a.view.dims[a.view.rank - 1] == 1) last = 1;
  if (last == 1) return a;
  OMKIT_ASSIGN_OR_RETURN(a, builder.Plain(node.inputs[0]));
  a.view.strides[a.view.rank - 1] = 1;
  return a;
}

Place NewForTranspose(const Node& node, ProgramBuilder& builder) {
  Place out = builder.NewPlain(node.outputs[0]);
  const Node* user = builder.graph().OnlyUser(node.outputs[0]);
  if (user == nullptr || user->op != ir::OpKind::kTranspose) return out;
  const std::vector<int64_t> perm = user->attrs.Ints("perm");
  const int rank = out.view.rank;
  if (perm.size() != static_cast<size_t>(rank) || perm[rank - 1] != rank - 1) return out;
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    out.view.strides[perm[i]] = stride;
    stride *= out.view.dims[perm[i]];
  }
  builder.Bind(node.outputs[0], out);
  return out;
}

bool SupportsMatMul(const Graph& graph, const Node& node) {
  const TensorType& a = InputType(graph, node, 0);
  const TensorType& b = InputType(graph, node, 1);
  const TensorType& y = OutputType(graph, node);
  if (!FitsView(a) || !FitsView(b) || !FitsView(y) || a.shape.rank() < 2 || b.shape.rank() < 2) return false;
  if (IsF32(a)) return IsF32(b) && IsF32(y);
  return IsU8(a) && IsU8(b) && (IsU8(y) || IsF32(y)) && a.shape.dim(a.shape.rank() - 1) <= kernels::kLongestMatMulU8;
}

absl::Status LowerMatMul(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const bool attention, LowerQuantizedAttention(node, builder));
  if (attention) return absl::OkStatus();
  OMKIT_ASSIGN_OR_RETURN(const Place a, RowsOfA(node, builder));
  OMKIT_ASSIGN_OR_RETURN(const Place b, builder.At(node.inputs[1]));
  const Place out = NewForTranspose(node, builder);
  const TensorType& y = builder.type(node.outputs[0]);
  const View a_view = BatchedView(a, y.shape), b_view = BatchedView(b, y.shape);
  const int64_t operations = 2 * a_view.dims[a_view.rank - 1] * y.shape.elements();
  const float alpha = node.attrs.Float("alpha", 1.0f);
  const std::vector<BlockId> operands = {a.block, b.block, out.block};
  if (IsF32(builder.type(node.inputs[0]))) {
    const kernels::MatMulF32Params params{a_view, b_view, out.view, alpha, -kInfinity, kInfinity};
    builder.AddStep(node, kernels::MatMulF32Kernel(builder.isa()), params, operands, operations);
    return absl::OkStatus();
  }
  const QuantParams& qa = builder.type(node.inputs[0]).quant;
  const QuantParams& qb = builder.type(node.inputs[1]).quant;
  kernels::MatMulU8Params params{a_view, b_view, out.view, qa.zero_point[0], qb.zero_point[0], ir::ProductMultiplier(qa, qb, alpha, y), 1,
                                 0,      0,      255,      -kInfinity,       kInfinity};
  if (IsU8(y)) {
    const QuantRange clamp = ir::ClampRange(node.attrs, y.quant, y.dtype);
    params.float_output = 0;
    params.out_zero = y.quant.zero_point[0];
    params.clamp_min = clamp.min;
    params.clamp_max = clamp.max;
  }
  builder.AddStep(node, kernels::MatMulU8Kernel(builder.isa()), params, operands, operations);
  return absl::OkStatus();
}

}  // namespace omkit::npu_int8
