#include <algorithm>
#include <limits>
#include <optional>

#include "backends/kernels/argmax/argmax.h"
#include "backends/kernels/layernorm_f32/layernorm_f32.h"
#include "backends/kernels/reduce_f32/reduce_f32.h"
#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/status.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using kernels::ReduceF32;
using kernels::View;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool FloatInAndOut(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  const TensorType& y = OutputType(graph, node);
  return IsF32(x) && IsF32(y) && FitsView(x) && FitsView(y) && x.shape.rank() >= 1;
}

std::optional<ReduceF32> ReduceKind(OpKind op) {
  switch (op) {
    case OpKind::kReduceSum: return ReduceF32::kSum;
    case OpKind::kReduceMean: return ReduceF32::kMean;
    case OpKind::kReduceMax: return ReduceF32::kMax;
    case OpKind::kReduceMin: return ReduceF32::kMin;
    case OpKind::kReduceL1: return ReduceF32::kL1;
    case OpKind::kReduceL2: return ReduceF32::kL2;
    case OpKind::kReduceSumSquare: return ReduceF32::kSumSquare;
    case OpKind::kReduceProd: return ReduceF32::kProd;
    case OpKind::kReduceLogSum: return ReduceF32::kLogSum;
    case OpKind::kReduceLogSumExp: return ReduceF32::kLogSumExp;
    default: return std::nullopt;
  }
}

// The reduced axes as bits; 0 when nothing is reduced.
absl::StatusOr<uint32_t> ReducedAxes(const Graph& graph, const Node& node) {
  const int rank = InputType(graph, node, 0).shape.rank();
  const Tensor* axes = HasInput(node, 1) ? graph.ConstantInput(node, 1) : nullptr;
  if (axes == nullptr || axes->elements() == 0) {
    return node.attrs.Int("noop_with_empty_axes", 0) != 0 ? 0u : (1u << rank) - 1;
  }
  uint32_t bits = 0;
  for (int64_t i = 0; i < axes->elements(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(IntegerAt(*axes, i), rank));
    bits |= 1u << axis;
  }
  return bits;
}

// The output with reduced axes of length 1 put back, so that it has the input's rank.
View KeepDims(View out, const Shape& in, uint32_t axes, bool keepdims) {
  if (keepdims) return out;
  View kept = out;
  kept.rank = in.rank();
  int from = 0;
  for (int i = 0; i < in.rank(); ++i) {
    const bool reduced = (axes >> i & 1) != 0;
    kept.dims[i] = reduced ? 1 : out.dims[from];
    kept.strides[i] = reduced ? 0 : out.strides[from];
    if (!reduced) ++from;
  }
  return kept;
}

}  // namespace

bool SupportsSoftmax(const Graph& graph, const Node& node) { return FloatInAndOut(graph, node); }

namespace {

// The Quantize to uint8 behind a node whose result nothing else reads.
const Node* OnlyQuantize(const Graph& graph, const Node& node) {
  const Node* user = graph.OnlyUser(node.outputs[0]);
  return user != nullptr && user->op == OpKind::kQuantize && IsU8(OutputType(graph, *user)) && !graph.IsOutput(user->outputs[0]) ? user : nullptr;
}

// The one behind a Softmax that only products of matrices read: attention.
const Node* RoundsShares(const Graph& graph, const Node& node) {
  const Node* user = node.op == OpKind::kSoftmax ? OnlyQuantize(graph, node) : nullptr;
  if (user == nullptr) return nullptr;
  for (const ir::Use& use : graph.Uses(user->outputs[0])) {
    if (graph.node(use.node).op != OpKind::kMatMul) return nullptr;
  }
  return user;
}

}  // namespace

absl::Status LowerSoftmax(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(node.attrs.Int("axis", -1), in.view.rank));
  if (const Node* quantize = RoundsShares(builder.graph(), node); quantize != nullptr && axis == in.view.rank - 1 && IsDense(in.view)) {
    const QuantParams& q = builder.type(quantize->outputs[0]).quant;
    const Place out = builder.NewPlain(quantize->outputs[0]);
    builder.Makes(quantize->outputs[0]);
    builder.AddStep(node, kernels::SoftmaxF32Kernel(builder.isa()),
                    kernels::SoftmaxF32Params{in.view, out.view, axis, 0, 1, q.scale[0], q.zero_point[0]}, {in.block, out.block});
    return absl::OkStatus();
  }
  const Place out = builder.NewLike(node.outputs[0], in);
  std::vector<int> order = PhysicalOrder(in.view);
  // Many short rows run side by side, one long row along itself.
  constexpr int64_t kShortRow = 8;
  const auto at = std::find(order.begin(), order.end(), axis);
  if (in.view.dims[axis] < kShortRow) std::rotate(order.begin(), at, at + 1);
  const auto new_axis = static_cast<int>(std::find(order.begin(), order.end(), axis) - order.begin());
  const kernels::SoftmaxF32Params params{
      Permuted(in.view, order), Permuted(out.view, order), new_axis, node.op == OpKind::kLogSoftmax ? 1 : 0, 0, 1.0f, 0};
  builder.AddStep(node, kernels::SoftmaxF32Kernel(builder.isa()), params, {in.block, out.block});
  return absl::OkStatus();
}

bool SupportsReduce(const Graph& graph, const Node& node) {
  if (!FloatInAndOut(graph, node) || !ReduceKind(node.op)) return false;
  if (HasInput(node, 1) && graph.ConstantInput(node, 1) == nullptr) return false;
  const auto axes = ReducedAxes(graph, node);
  return axes.ok() && *axes != 0;
}

absl::Status LowerReduce(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const uint32_t axes, ReducedAxes(builder.graph(), node));
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  const Place out = builder.NewPlain(node.outputs[0]);
  const View kept = KeepDims(out.view, builder.type(node.inputs[0]).shape, axes, node.attrs.Int("keepdims", 1) != 0);
  const std::vector<int> order = PhysicalOrder(in.view);
  kernels::ReduceF32Params params{Permuted(in.view, order), Permuted(kept, order), *ReduceKind(node.op), 0};
  for (size_t i = 0; i < order.size(); ++i) params.axes |= (axes >> order[i] & 1) << i;
  builder.AddStep(node, kernels::ReduceF32Kernel(builder.isa()), params, {in.block, out.block});
  return absl::OkStatus();
}

bool SupportsArgMax(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  return IsF32(x) && FitsView(x) && x.shape.rank() >= 1 && FitsView(OutputType(graph, node));
}

absl::Status LowerArgMax(const Node& node, ProgramBuilder& builder) {
  // Bytes are in the order of their reals.
  const Node* dequantize = DequantizeInside(builder.graph(), node);
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(dequantize != nullptr ? dequantize->inputs[0] : node.inputs[0]));
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(node.attrs.Int("axis", 0), in.view.rank));
  const Place out = builder.NewPlain(node.outputs[0]);
  const View kept = KeepDims(out.view, builder.type(node.inputs[0]).shape, 1u << axis, node.attrs.Int("keepdims", 1) != 0);
  const std::vector<int> order = PhysicalOrder(in.view);
  const auto new_axis = static_cast<int>(std::find(order.begin(), order.end(), axis) - order.begin());
  const kernels::ArgMaxParams params{Permuted(in.view, order), Permuted(kept, order), new_axis, node.op == OpKind::kArgMin ? 1 : 0,
                                     node.attrs.Int("select_last_index", 0) != 0 ? 1 : 0};
  builder.AddStep(node, kernels::ArgMaxKernel(builder.isa()), params, {in.block, out.block});
  return absl::OkStatus();
}

bool SupportsLayerNormalization(const Graph& graph, const Node& node) {
  if (!FloatInAndOut(graph, node) || node.outputs.size() != 1 || node.attrs.Int("stash_type", 1) != 1) return false;
  const TensorType& x = InputType(graph, node, 0);
  const auto axis = NormalizeAxis(node.attrs.Int("axis", -1), x.shape.rank());
  if (!axis.ok()) return false;
  int64_t inner = 1;
  for (int i = *axis; i < x.shape.rank(); ++i) inner *= x.shape.dim(i);
  for (int i = 1; i < 3; ++i) {
    if (!HasInput(node, i)) continue;
    const Tensor* t = graph.ConstantInput(node, i);
    if (t == nullptr || t->dtype() != DType::kFloat32 || t->elements() != inner) return false;
  }
  return true;
}

absl::Status LowerLayerNormalization(const Node& node, ProgramBuilder& builder) {
  const Tensor& gamma = *builder.graph().ConstantInput(node, 1);
  const int64_t inner = gamma.elements();
  std::vector<float> beta(inner, 0.0f);
  if (HasInput(node, 2)) {
    const auto values = builder.graph().ConstantInput(node, 2)->values<float>();
    beta.assign(values.begin(), values.end());
  }
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.WholeBlock(node.inputs[0]));
  const Node* quantize = OnlyQuantize(builder.graph(), node);
  const Place out = builder.NewPlain(quantize != nullptr ? quantize->outputs[0] : node.outputs[0]);
  const int64_t rows = builder.type(node.inputs[0]).shape.elements() / inner;
  const auto form = node.op == OpKind::kRMSNormalization ? kernels::NormForm::kRms : kernels::NormForm::kLayer;
  kernels::LayerNormF32Params params{rows, inner, inner, form, node.attrs.Float("epsilon", 1e-5f), 0, 1.0f, 0};
  if (quantize != nullptr) {
    const QuantParams& q = builder.type(quantize->outputs[0]).quant;
    builder.Makes(quantize->outputs[0]);
    params.quantized = 1;
    params.scale = q.scale[0];
    params.zero_point = q.zero_point[0];
  }
  builder.AddStep(node, kernels::LayerNormF32Kernel(builder.isa()), params,
                  {in.block, builder.AddWeights(gamma.raw(), gamma.bytes()), builder.AddWeights(beta), out.block});
  return absl::OkStatus();
}

}  // namespace omkit::npu_int8
