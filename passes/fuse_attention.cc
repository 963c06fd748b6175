// MatMul(Softmax(MatMul(Q, K^T) * scale + mask), V) in float -> Attention, which never writes the scores to memory. Masks come as a summand, or as
// Where(condition, scores, low) and Where(condition, low, scores) with a constant so low that it absorbs any score. What is quantized has
// integer kernels and stays.
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/constants.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

// A float near this number has no digits left for a score.
constexpr double kAbsorbs = -1e9;

// Below this many keys three steps are faster: softmax then runs over many rows side by side.
constexpr int64_t kFewestKeys = 8;

struct Match {
  ValueId q = kNoValue, turned_k = kNoValue, v = kNoValue;
  ValueId mask = kNoValue;    // a summand, or the condition of a Where
  std::optional<float> low;   // what the Where puts in place of a score
  bool low_is_second = true;  // where the condition is false
  float scale = 1;
};

bool IsFloat32(const Graph& graph, ValueId value) { return graph.value(value).type.dtype == DType::kFloat32; }

// The node that makes `value` when it is an `op` and nothing else reads the value.
const Node* MadeBy(const Graph& graph, ValueId value, OpKind op) {
  const Node* node = graph.Producer(value);
  const bool alone = node != nullptr && node->op == op && graph.OnlyUser(value) != nullptr && !graph.IsOutput(value);
  return alone ? node : nullptr;
}

bool IsPlainProduct(const Graph& graph, const Node& node) {
  return node.op == OpKind::kMatMul && !node.attrs.Has("act_min") && !node.attrs.Has("act_max") && IsFloat32(graph, node.inputs[0]) &&
         IsFloat32(graph, node.inputs[1]) && IsFloat32(graph, node.outputs[0]);
}

// Rank 3 or 4 with equal, known dimensions in front of the last two.
bool SameBatches(const Graph& graph, const Match& m) {
  const Shape& q = graph.value(m.q).type.shape;
  if (q.rank() != 3 && q.rank() != 4) return false;
  for (ValueId v : {m.turned_k, m.v}) {
    const Shape& other = graph.value(v).type.shape;
    if (other.rank() != q.rank()) return false;
    for (int d = 0; d < q.rank() - 2; ++d) {
      if (q.dim(d) == kUnknownDim || other.dim(d) != q.dim(d)) return false;
    }
  }
  return true;
}

// A summand of the scores, or nothing when it would change their shape.
bool TakeMask(const Graph& graph, ValueId scores, ValueId mask, Match& m) {
  const Shape &shape = graph.value(scores).type.shape, &own = graph.value(mask).type.shape;
  if (own.rank() < 2 || own.rank() > shape.rank() || !own.IsStatic() || !shape.IsStatic()) return false;
  for (int d = 0; d < own.rank(); ++d) {
    const int64_t dim = shape.dim(shape.rank() - own.rank() + d);
    if (own.dim(d) != 1 && own.dim(d) != dim) return false;
  }
  m.mask = mask;
  return true;
}

std::optional<Match> Find(const Graph& graph, const Node& product) {
  Match m;
  if (!IsPlainProduct(graph, product) || product.attrs.Float("alpha", 1.0f) != 1.0f) return std::nullopt;
  m.v = product.inputs[1];
  const Node* softmax = MadeBy(graph, product.inputs[0], OpKind::kSoftmax);
  if (softmax == nullptr) return std::nullopt;
  const int rank = graph.value(softmax->inputs[0]).type.shape.rank();
  const int64_t axis = softmax->attrs.Int("axis", -1);
  if (axis != -1 && axis != rank - 1) return std::nullopt;
  ValueId scores = softmax->inputs[0];
  if (const Node* sum = MadeBy(graph, scores, OpKind::kAdd); sum != nullptr && !sum->attrs.Has("act_min") && !sum->attrs.Has("act_max")) {
    const int side = MadeBy(graph, sum->inputs[0], OpKind::kMatMul) != nullptr ? 0 : 1;
    scores = sum->inputs[side];
    if (!IsFloat32(graph, sum->inputs[1 - side]) || !TakeMask(graph, scores, sum->inputs[1 - side], m)) return std::nullopt;
  } else if (const Node* choice = MadeBy(graph, scores, OpKind::kWhere)) {
    const int side = MadeBy(graph, choice->inputs[1], OpKind::kMatMul) != nullptr ? 1 : 2;
    const std::optional<double> low = ScalarConstant(graph, choice->inputs[3 - side]);
    scores = choice->inputs[side];
    if (!low || *low > kAbsorbs || !TakeMask(graph, scores, choice->inputs[0], m)) return std::nullopt;
    m.low = static_cast<float>(*low);
    m.low_is_second = side == 1;
  }
  const Node* first = MadeBy(graph, scores, OpKind::kMatMul);
  if (first == nullptr || !IsPlainProduct(graph, *first)) return std::nullopt;
  m.q = first->inputs[0];
  m.turned_k = first->inputs[1];
  m.scale = first->attrs.Float("alpha", 1.0f);
  const int64_t keys = graph.value(scores).type.shape.dim(rank - 1);
  if (m.scale == 0 || keys < kFewestKeys || !SameBatches(graph, m)) return std::nullopt;
  return m;
}

class Rewriter {
 public:
  Rewriter(Graph& graph, const Node& product, const Match& match) : graph_(graph), product_(product), match_(match) {}

  absl::Status Run() {
    flat_ = graph_.value(match_.q).type.shape.rank() == 3;
    std::vector<ValueId> inputs = {match_.q, kNoValue, match_.v};
    OMKIT_ASSIGN_OR_RETURN(inputs[1], TurnedBack(match_.turned_k));
    if (match_.mask != kNoValue) inputs.push_back(match_.mask);
    if (match_.low) OMKIT_RETURN_IF_ERROR(ChooseSummand(&inputs[3]));
    for (ValueId& v : inputs) {
      // One head for each matrix; masks of rank 2 broadcast as they are.
      if (flat_ && graph_.value(v).type.shape.rank() == 3) OMKIT_RETURN_IF_ERROR(Widen(&v));
    }
    ir::Attrs attrs;
    attrs.Set("scale", match_.scale);
    graph_.RemoveNode(product_.id);
    if (!flat_) return ir::InferNode(graph_, graph_.AddNodeInto(OpKind::kAttention, product_.name, inputs, {product_.outputs[0]}, attrs));
    const NodeId attention = graph_.AddNode(OpKind::kAttention, product_.name, inputs, attrs);
    OMKIT_RETURN_IF_ERROR(ir::InferNode(graph_, attention));
    const NodeId squeeze =
        graph_.AddNodeInto(OpKind::kSqueeze, Name("squeeze"), {graph_.node(attention).outputs[0], HeadAxis()}, {product_.outputs[0]});
    return ir::InferNode(graph_, squeeze);
  }

 private:
  std::string Name(absl::string_view suffix) const { return absl::StrCat(product_.name, ":", suffix); }
  ValueId HeadAxis() { return graph_.AddConstant(Name("axis"), Tensor::Of<int64_t>(Shape{1}, {1})); }

  absl::StatusOr<ValueId> Add(OpKind op, absl::string_view suffix, std::vector<ValueId> inputs, const ir::Attrs& attrs = {}) {
    const NodeId id = graph_.AddNode(op, Name(suffix), std::move(inputs), attrs);
    OMKIT_RETURN_IF_ERROR(ir::InferNode(graph_, id));
    return graph_.node(id).outputs[0];
  }

  absl::StatusOr<ValueId> TurnedBack(ValueId k) {
    ir::Attrs turn;
    turn.Set("perm", flat_ ? std::vector<int64_t>{0, 2, 1} : std::vector<int64_t>{0, 1, 3, 2});
    return Add(OpKind::kTranspose, "keys", {k}, turn);
  }

  absl::Status Widen(ValueId* v) {
    OMKIT_ASSIGN_OR_RETURN(*v, Add(OpKind::kUnsqueeze, absl::StrCat("wide", count_++), {*v, HeadAxis()}));
    return absl::OkStatus();
  }

  // The condition as what a score gets: 0 where it stays, the low constant elsewhere.
  absl::Status ChooseSummand(ValueId* mask) {
    const ValueId zero = graph_.AddConstant(Name("zero"), Tensor::Scalar<float>(0)),
                  low = graph_.AddConstant(Name("low"), Tensor::Scalar<float>(*match_.low));
    OMKIT_ASSIGN_OR_RETURN(*mask, Add(OpKind::kWhere, "mask", {*mask, match_.low_is_second ? zero : low, match_.low_is_second ? low : zero}));
    return absl::OkStatus();
  }

  Graph& graph_;
  const Node product_;
  const Match match_;
  bool flat_ = false;
  int count_ = 0;
};

}  // namespace

Pass FuseAttention() {
  return {"fuse_attention", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
            for (NodeId id : order) {
              if (!graph.alive(id)) continue;
              const Node node = graph.node(id);
              const std::optional<Match> match = Find(graph, node);
              if (match) OMKIT_RETURN_IF_ERROR(Annotate(Rewriter(graph, node, *match).Run(), node.name));
            }
            graph.Sweep();
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
