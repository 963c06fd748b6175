#include <algorithm>
#include <optional>

#include "backends/kernels/attention_u8/attention_u8.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/status.h"
#include "ir/ops/requantize.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using ir::ValueId;
using kernels::ScoreMask;
using kernels::View;

constexpr int kRank = 4;

struct Match {
  const Node* by_keys = nullptr;
  const Node* by_values = nullptr;
  const Node* dequantize = nullptr;  // of scores that are rounded
  const Node* choice = nullptr;      // Add or Where
  const Node* softmax = nullptr;
  const Node* quantize = nullptr;
  ScoreMask masking = ScoreMask::kNone;
  ValueId mask = ir::kNoValue;
  float low = 0;
};

bool IsClamped(const Node& node) { return node.attrs.Has("act_min") || node.attrs.Has("act_max"); }

// The node that makes `value` when it is an `op` and nothing else reads the value.
const Node* MadeBy(const Graph& graph, ValueId value, OpKind op) {
  const Node* node = graph.Producer(value);
  return node != nullptr && node->op == op && graph.OnlyUser(value) != nullptr ? node : nullptr;
}

bool IsProduct(const Graph& graph, const Node& node) {
  return node.op == OpKind::kMatMul && SupportsMatMul(graph, node) && IsU8(InputType(graph, node, 0)) &&
         OutputType(graph, node).shape.rank() <= kRank;
}

// Shares that an attention makes: they are never stored.
bool AreShares(const Graph& graph, ValueId value) {
  const Node* quantize = MadeBy(graph, value, OpKind::kQuantize);
  return quantize != nullptr && MadeBy(graph, quantize->inputs[0], OpKind::kSoftmax) != nullptr;
}

// The product of scores behind `value`, which may be rounded.
bool TakeScores(const Graph& graph, ValueId value, Match* m) {
  m->dequantize = MadeBy(graph, value, OpKind::kDequantize);
  m->by_keys = MadeBy(graph, m->dequantize != nullptr ? m->dequantize->inputs[0] : value, OpKind::kMatMul);
  if (m->by_keys == nullptr || !IsProduct(graph, *m->by_keys) || IsClamped(*m->by_keys)) return false;
  if (AreShares(graph, m->by_keys->inputs[0])) return false;
  return IsU8(OutputType(graph, *m->by_keys)) == (m->dequantize != nullptr);
}

bool TakeMask(const Graph& graph, const Node& choice, Match* m) {
  m->choice = &choice;
  const int first = choice.op == OpKind::kAdd ? 0 : 1;
  int scores = -1;
  for (int i = first; i < first + 2 && scores < 0; ++i) {
    if (TakeScores(graph, choice.inputs[i], m)) scores = i;
  }
  if (scores < 0) return false;
  const int other = 2 * first + 1 - scores;
  m->mask = choice.inputs[choice.op == OpKind::kAdd ? other : 0];
  const TensorType& mask = graph.value(m->mask).type;
  if (!FitsView(mask) || mask.shape.rank() > kRank || OutputType(graph, choice).shape != OutputType(graph, *m->by_keys).shape) return false;
  if (choice.op == OpKind::kAdd) {
    m->masking = ScoreMask::kAdded;
    return IsF32(mask) && !IsClamped(choice);
  }
  const Tensor* low = graph.ConstantInput(choice, other);
  if (low == nullptr || low->dtype() != DType::kFloat32 || low->elements() != 1 || mask.dtype != DType::kBool) return false;
  m->low = low->data<float>()[0];
  m->masking = scores == 1 ? ScoreMask::kVisible : ScoreMask::kHidden;
  return true;
}

std::optional<Match> Find(const Graph& graph, const Node& by_values) {
  Match m;
  m.by_values = &by_values;
  if (!IsProduct(graph, by_values)) return std::nullopt;
  m.quantize = MadeBy(graph, by_values.inputs[0], OpKind::kQuantize);
  if (m.quantize == nullptr) return std::nullopt;
  m.softmax = MadeBy(graph, m.quantize->inputs[0], OpKind::kSoftmax);
  if (m.softmax == nullptr || !SupportsSoftmax(graph, *m.softmax)) return std::nullopt;
  const Shape& scores = InputType(graph, *m.softmax, 0).shape;
  const auto axis = NormalizeAxis(m.softmax->attrs.Int("axis", -1), scores.rank());
  if (!axis.ok() || *axis != scores.rank() - 1) return std::nullopt;
  const Node* choice = MadeBy(graph, m.softmax->inputs[0], OpKind::kAdd);
  if (choice == nullptr) choice = MadeBy(graph, m.softmax->inputs[0], OpKind::kWhere);
  if (choice != nullptr ? !TakeMask(graph, *choice, &m) : !TakeScores(graph, m.softmax->inputs[0], &m)) return std::nullopt;
  // Values do not multiply the batches of the shares.
  const Shape& out = OutputType(graph, by_values).shape;
  if (out.rank() != scores.rank()) return std::nullopt;
  for (int d = 0; d + 2 < out.rank(); ++d) {
    if (out.dim(d) != scores.dim(d)) return std::nullopt;
  }
  return m;
}

// The attention whose first product the node is.
std::optional<Match> FindFrom(const Graph& graph, const Node& by_keys) {
  const Node* at = &by_keys;
  // Dequantize, mask, Softmax, Quantize, product.
  for (int steps = 0; steps < 5; ++steps) {
    at = at->outputs.size() == 1 ? graph.OnlyUser(at->outputs[0]) : nullptr;
    if (at == nullptr) return std::nullopt;
    if (at->op != OpKind::kMatMul) continue;
    std::optional<Match> m = Find(graph, *at);
    return m && m->by_keys == &by_keys ? m : std::nullopt;
  }
  return std::nullopt;
}

// The same elements with four dimensions.
View Widened(const View& view) {
  View wide = view;
  const int shift = kRank - view.rank;
  wide.rank = kRank;
  for (int d = kRank - 1; d >= 0; --d) {
    wide.dims[d] = d < shift ? 1 : view.dims[d - shift];
    wide.strides[d] = d < shift ? 0 : view.strides[d - shift];
  }
  return wide;
}

absl::Status Lower(const Match& m, ProgramBuilder& builder) {
  const Graph& graph = builder.graph();
  OMKIT_ASSIGN_OR_RETURN(const Place q, RowsOfA(*m.by_keys, builder));
  OMKIT_ASSIGN_OR_RETURN(const Place k, builder.At(m.by_keys->inputs[1]));
  OMKIT_ASSIGN_OR_RETURN(const Place v, builder.At(m.by_values->inputs[1]));
  const TensorType &scores = OutputType(graph, *m.by_keys), &shares = OutputType(graph, *m.quantize), &y = OutputType(graph, *m.by_values);
  const QuantParams &qq = InputType(graph, *m.by_keys, 0).quant, &qk = InputType(graph, *m.by_keys, 1).quant,
                    &qv = InputType(graph, *m.by_values, 1).quant;
  kernels::AttentionU8Params p = {};
  p.q = Widened(BatchedView(q, scores.shape));
  p.k = Widened(BatchedView(k, scores.shape));
  std::swap(p.k.dims[2], p.k.dims[3]);
  std::swap(p.k.strides[2], p.k.strides[3]);
  p.v = Widened(BatchedView(v, y.shape));
  p.q_zero = qq.zero_point[0];
  p.k_zero = qk.zero_point[0];
  p.v_zero = qv.zero_point[0];
  p.score_multiplier = ir::ProductMultiplier(qq, qk, m.by_keys->attrs.Float("alpha", 1.0f), scores);
  if (m.dequantize != nullptr) {
    p.rounds_scores = 1;
    p.score_scale = scores.quant.scale[0];
    p.score_zero = scores.quant.zero_point[0];
  }
  std::vector<BlockId> operands = {q.block, k.block, v.block};
  if (m.choice != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(const Place mask, builder.At(m.mask));
    p.mask = Widened(BroadcastView(mask, scores.shape));
    p.masking = m.masking;
    p.low = m.low;
    operands.push_back(mask.block);
  }
  p.share_scale = shares.quant.scale[0];
  p.share_zero = shares.quant.zero_point[0];
  p.out_multiplier = ir::ProductMultiplier(shares.quant, qv, m.by_values->attrs.Float("alpha", 1.0f), y);
  p.float_output = 1;
  p.clamp_max = 255;
  if (IsU8(y)) {
    const QuantRange clamp = ir::ClampRange(m.by_values->attrs, y.quant, y.dtype);
    p.float_output = 0;
    p.out_zero = y.quant.zero_point[0];
    p.clamp_min = clamp.min;
    p.clamp_max = clamp.max;
  }
  const Place out = NewForTranspose(*m.by_values, builder);
  p.out = Widened(out.view);
  operands.insert(operands.begin() + 3, out.block);
  builder.AddStep(*m.by_values, kernels::AttentionU8Kernel(builder.isa()), p, operands, 2 * scores.shape.elements() * (p.q.dims[3] + p.v.dims[3]));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> LowerQuantizedAttention(const Node& node, ProgramBuilder& builder) {
  const std::optional<Match> whole = Find(builder.graph(), node);
  if (whole && builder.BackendTakes(*whole->by_keys)) {
    OMKIT_RETURN_IF_ERROR(Lower(*whole, builder));
    return true;
  }
  const std::optional<Match> begun = FindFrom(builder.graph(), node);
  if (!begun || !builder.BackendTakes(*begun->by_values)) return false;
  for (const Node* between : {begun->dequantize, begun->choice, begun->softmax, begun->quantize}) {
    if (between != nullptr) builder.Absorb(between->id);
  }
  return true;
}

}  // namespace omkit::npu_int8
