#include <cmath>

#include "backends/kernels/attention_f32/attention_f32.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/status.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using kernels::View;

// What the kernel makes of one operand: [batch, heads, length, size].
struct Heads {
  int64_t batch, heads, length, size;
};

// Of [batch, heads, length, size], or of [batch, length, heads * size].
Heads HeadsOf(const Shape& shape, int64_t heads) {
  if (shape.rank() == 4) return {shape.dim(0), shape.dim(1), shape.dim(2), shape.dim(3)};
  return {shape.dim(0), heads, shape.dim(1), shape.dim(2) / heads};
}

View HeadsView(const View& view, int64_t heads) {
  if (view.rank == 4) return view;
  View split = view;
  const int64_t size = view.dims[2] / heads;
  split.rank = 4;
  split.dims[1] = heads;
  split.strides[1] = size * view.strides[2];
  split.dims[2] = view.dims[1];
  split.strides[2] = view.strides[1];
  split.dims[3] = size;
  split.strides[3] = view.strides[2];
  return split;
}

int64_t QueryHeads(const Graph& graph, const Node& node) {
  const Shape& q = InputType(graph, node, 0).shape;
  return q.rank() == 4 ? q.dim(1) : node.attrs.Int("q_num_heads", 0);
}

int64_t KeyHeads(const Graph& graph, const Node& node) {
  const Shape& k = InputType(graph, node, 1).shape;
  return k.rank() == 4 ? k.dim(1) : node.attrs.Int("kv_num_heads", 0);
}

// Elements of the last dimension must be neighbours; the rest may lie anywhere.
absl::StatusOr<Place> NeighboursIn(ir::ValueId value, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(Place place, builder.At(value));
  int64_t& last = place.view.strides[place.view.rank - 1];
  if (place.view.dims[place.view.rank - 1] == 1) last = 1;
  if (last == 1) return place;
  OMKIT_ASSIGN_OR_RETURN(place, builder.Plain(value));
  place.view.strides[place.view.rank - 1] = 1;
  return place;
}

}  // namespace

// Without a cache of keys, softcap, and results besides Y.
bool SupportsAttention(const Graph& graph, const Node& node) {
  if (HasInput(node, 4) || HasInput(node, 5) || node.attrs.Float("softcap", 0) != 0) return false;
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != ir::kNoValue) return false;
  }
  for (int i = 0; i < 3; ++i) {
    if (!IsF32(InputType(graph, node, i)) || !FitsView(InputType(graph, node, i))) return false;
  }
  if (!IsF32(OutputType(graph, node)) || !FitsView(OutputType(graph, node))) return false;
  if (!HasInput(node, 3)) return true;
  const TensorType& mask = InputType(graph, node, 3);
  const int64_t keys = HeadsOf(InputType(graph, node, 1).shape, KeyHeads(graph, node)).length, last = mask.shape.dim(mask.shape.rank() - 1);
  return (IsF32(mask) || mask.dtype == DType::kBool) && FitsView(mask) && (last == keys || last == 1);
}

absl::Status LowerAttention(const Node& node, ProgramBuilder& builder) {
  const int64_t heads = QueryHeads(builder.graph(), node), kv_heads = KeyHeads(builder.graph(), node);
  OMKIT_ASSIGN_OR_RETURN(const Place q, NeighboursIn(node.inputs[0], builder));
  OMKIT_ASSIGN_OR_RETURN(const Place k, NeighboursIn(node.inputs[1], builder));
  OMKIT_ASSIGN_OR_RETURN(const Place v, NeighboursIn(node.inputs[2], builder));
  kernels::AttentionF32Params params = {};
  params.q = HeadsView(q.view, heads);
  params.k = HeadsView(k.view, kv_heads);
  params.v = HeadsView(v.view, kv_heads);
  params.causal = node.attrs.Int("is_causal", 0) != 0 ? 1 : 0;
  params.scale = node.attrs.Float("scale", 0);
  if (params.scale == 0) params.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(params.q.dims[3])));
  Place mask;
  if (HasInput(node, 3)) {
    OMKIT_ASSIGN_OR_RETURN(mask, builder.At(node.inputs[3]));
    params.mask = BroadcastView(mask, Shape{params.q.dims[0], heads, params.q.dims[2], params.k.dims[2]});
    params.masking = IsF32(builder.type(node.inputs[3])) ? kernels::AttentionMask::kAdded : kernels::AttentionMask::kVisible;
  }
  const Place out = builder.NewPlain(node.outputs[0]);
  params.out = HeadsView(out.view, heads);
  std::vector<BlockId> operands = {q.block, k.block, v.block, out.block};
  if (HasInput(node, 3)) operands.push_back(mask.block);
  const int64_t scores = params.q.dims[0] * heads * params.q.dims[2] * params.k.dims[2];
  builder.AddStep(node, kernels::AttentionF32Kernel(builder.isa()), params, operands, 2 * scores * (params.q.dims[3] + params.v.dims[3]));
  return absl::OkStatus();
}

}  // namespace omkit::npu_int8
