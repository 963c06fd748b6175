#include <algorithm>

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

constexpr int kNoAxis = -1;

const Node* ProducerOf(const Graph& graph, ValueId value, OpKind op) {
  const Node* node = value == kNoValue ? nullptr : graph.Producer(value);
  const bool plain = node != nullptr && node->op == op && !node->attrs.Has("act_min") && !node->attrs.Has("act_max");
  return plain ? node : nullptr;
}

// The first of the dimensions, up to the last one, that a ReduceMean with keepdims is taken over; kNoAxis for other sets of dimensions.
int TrailingAxis(const Graph& graph, const Node& mean) {
  const int rank = graph.value(mean.inputs[0]).type.shape.rank();
  const Tensor* axes = graph.ConstantInput(mean, 1);
  if (mean.attrs.Int("keepdims", 1) == 0 || axes == nullptr || axes->elements() == 0) return kNoAxis;
  std::vector<bool> reduced(rank, false);
  for (int64_t i = 0; i < axes->elements(); ++i) {
    const int64_t axis = IntegerAt(*axes, i);
    reduced[axis < 0 ? axis + rank : axis] = true;
  }
  int first = rank;
  while (first > 0 && reduced[first - 1]) --first;
  return std::count(reduced.begin(), reduced.end(), true) == rank - first && first < rank ? first : kNoAxis;
}

// d of d * d or d^2.
ValueId SquareRoot(const Graph& graph, ValueId value) {
  const Node* mul = ProducerOf(graph, value, OpKind::kMul);
  if (mul != nullptr && mul->inputs[0] == mul->inputs[1]) return mul->inputs[0];
  return OperandBesides(graph, value, OpKind::kPow, 2);
}

// value = sqrt(mean(d^2) + epsilon), or that to the power -1.
struct Deviation {
  ValueId d = kNoValue;
  int axis = kNoAxis;
  double epsilon = 0;
};

std::optional<Deviation> ReadVariance(const Graph& graph, ValueId value) {
  const auto sum = SplitScalar(graph, value, OpKind::kAdd);
  const Node* mean = sum ? ProducerOf(graph, sum->value, OpKind::kReduceMean) : nullptr;
  if (mean == nullptr || sum->constant < 0) return std::nullopt;
  const Deviation read{SquareRoot(graph, mean->inputs[0]), TrailingAxis(graph, *mean), sum->constant};
  return read.d == kNoValue || read.axis == kNoAxis ? std::nullopt : std::optional(read);
}

std::optional<Deviation> ReadDeviation(const Graph& graph, ValueId value) {
  const Node* root = ProducerOf(graph, value, OpKind::kSqrt);
  if (root != nullptr) return ReadVariance(graph, root->inputs[0]);
  const ValueId base = OperandBesides(graph, value, OpKind::kPow, 0.5);
  return base == kNoValue ? std::nullopt : ReadVariance(graph, base);
}

std::optional<Deviation> ReadInverse(const Graph& graph, ValueId value) {
  if (const Node* reciprocal = ProducerOf(graph, value, OpKind::kReciprocal)) return ReadDeviation(graph, reciprocal->inputs[0]);
  if (const Node* quotient = ProducerOf(graph, value, OpKind::kDiv)) {
    const auto one = ScalarConstant(graph, quotient->inputs[0]);
    if (one && *one == 1) return ReadDeviation(graph, quotient->inputs[1]);
  }
  const ValueId base = OperandBesides(graph, value, OpKind::kPow, -0.5);
  return base == kNoValue ? std::nullopt : ReadVariance(graph, base);
}

// Whether value = mean of x over the dimensions from `axis` on.
bool IsMean(const Graph& graph, ValueId value, ValueId x, int axis) {
  const Node* mean = ProducerOf(graph, value, OpKind::kReduceMean);
  return mean != nullptr && mean->inputs[0] == x && TrailingAxis(graph, *mean) == axis;
}

// x of x - mean(x).
ValueId Uncentered(const Graph& graph, ValueId value, int axis) {
  const Node* sub = ProducerOf(graph, value, OpKind::kSub);
  return sub != nullptr && IsMean(graph, sub->inputs[1], sub->inputs[0], axis) ? sub->inputs[0] : kNoValue;
}

// A normalization under construction; gamma and beta are kNoValue while there are none.
struct Norm {
  ValueId x = kNoValue, gamma = kNoValue, beta = kNoValue;
  int axis = kNoAxis;
  double epsilon = 0;
  bool centered = false;
};

// A float constant that varies along the normalized dimensions only.
bool IsTable(const Graph& graph, const Norm& norm, ValueId value) {
  if (value == kNoValue || !graph.IsConstant(value)) return false;
  const Tensor& t = graph.value(value).constant;
  const Shape& x = graph.value(norm.x).type.shape;
  if (t.dtype() != DType::kFloat32 || t.shape().rank() > x.rank()) return false;
  if (t.elements() == 1) return true;
  for (int d = 0; d < x.rank(); ++d) {
    const int own = d - (x.rank() - t.shape().rank());
    const int64_t size = own < 0 ? 1 : t.shape().dim(own);
    if (size != (d < norm.axis ? 1 : x.dim(d))) return false;
  }
  return true;
}

// value = n / deviation(d) or n * inverse(d): of a centered d both are x - mean(x), else both are x.
std::optional<Norm> ReadNormalized(const Graph& graph, ValueId value) {
  const auto form = [&](ValueId n, const std::optional<Deviation>& deviation) -> std::optional<Norm> {
    if (!deviation) return std::nullopt;
    Norm norm;
    norm.axis = deviation->axis, norm.epsilon = deviation->epsilon;
    const ValueId x = Uncentered(graph, deviation->d, norm.axis);
    norm.centered = x != kNoValue && Uncentered(graph, n, norm.axis) == x;
    norm.x = norm.centered ? x : n;
    return norm.centered || deviation->d == n ? std::optional(norm) : std::nullopt;
  };
  if (const Node* div = ProducerOf(graph, value, OpKind::kDiv)) return form(div->inputs[0], ReadDeviation(graph, div->inputs[1]));
  const Node* mul = ProducerOf(graph, value, OpKind::kMul);
  for (int side = 0; mul != nullptr && side < 2; ++side) {
    if (const auto norm = form(mul->inputs[side], ReadInverse(graph, mul->inputs[1 - side]))) return norm;
  }
  return std::nullopt;
}

// x * m + (beta - mean * m), m = inverse(x - mean) * gamma.
std::optional<Norm> ReadFolded(const Graph& graph, const Node& add) {
  for (int side = 0; side < 2; ++side) {
    const Node* product = ProducerOf(graph, add.inputs[side], OpKind::kMul);
    const Node* shift = ProducerOf(graph, add.inputs[1 - side], OpKind::kSub);
    const Node* moved = shift == nullptr ? nullptr : ProducerOf(graph, shift->inputs[1], OpKind::kMul);
    for (int at = 0; product != nullptr && moved != nullptr && at < 2; ++at) {
      const ValueId x = product->inputs[at], m = product->inputs[1 - at];
      const int m_side = moved->inputs[0] == m ? 0 : 1;
      if (moved->inputs[m_side] != m) continue;
      const Node* scale = ProducerOf(graph, m, OpKind::kMul);
      for (int g = scale == nullptr ? 2 : 0; g < 3; ++g) {
        const auto deviation = ReadInverse(graph, g == 2 ? m : scale->inputs[1 - g]);
        if (!deviation || Uncentered(graph, deviation->d, deviation->axis) != x) continue;
        if (!IsMean(graph, moved->inputs[1 - m_side], x, deviation->axis)) continue;
        Norm norm{x, g == 2 ? kNoValue : scale->inputs[g], shift->inputs[0], deviation->axis, deviation->epsilon, true};
        if ((g == 2 || IsTable(graph, norm, norm.gamma)) && IsTable(graph, norm, norm.beta)) return norm;
      }
    }
  }
  return std::nullopt;
}

// A constant as a table of the normalized dimensions; `fill` where there is none.
ValueId Table(Graph& graph, const Norm& norm, const std::string& name, ValueId value, float fill) {
  const Shape& x = graph.value(norm.x).type.shape;
  const Shape shape(std::vector<int64_t>(x.dims().begin() + norm.axis, x.dims().end()));
  std::vector<float> values(shape.elements(), fill);
  if (value != kNoValue) {
    const std::vector<float> given = FloatValues(graph.value(value).constant);
    for (size_t i = 0; i < values.size(); ++i) values[i] = given[given.size() == 1 ? 0 : i];
  }
  return AddFloats(graph, name, shape, values);
}

// Takes the constant factor and summand behind the normalized value in, and puts one node in place of the last of them.
void Replace(Graph& graph, NodeId last, Norm norm) {
  while (const Node* user = graph.OnlyUser(graph.node(last).outputs[0])) {
    const int other = OtherInput(*user, graph.node(last).outputs[0]);
    if (other < 0 || user->attrs.Has("act_min") || user->attrs.Has("act_max") || !IsTable(graph, norm, user->inputs[other])) break;
    if (user->op == OpKind::kMul && norm.gamma == kNoValue && norm.beta == kNoValue) norm.gamma = user->inputs[other];
    else if (user->op == OpKind::kAdd && norm.beta == kNoValue && norm.centered) norm.beta = user->inputs[other];
    else break;
    last = user->id;
  }
  const std::string name = graph.node(last).name;
  const ValueId out = graph.node(last).outputs[0];
  std::vector<ValueId> inputs = {norm.x, Table(graph, norm, absl::StrCat(name, ":gamma"), norm.gamma, 1)};
  if (norm.beta != kNoValue) inputs.push_back(Table(graph, norm, absl::StrCat(name, ":beta"), norm.beta, 0));
  ir::Attrs attrs;
  attrs.Set("axis", static_cast<int64_t>(norm.axis));
  attrs.Set("epsilon", static_cast<float>(norm.epsilon));
  graph.RemoveNode(last);
  graph.AddNodeInto(norm.centered ? OpKind::kLayerNormalization : OpKind::kRMSNormalization, name, inputs, {out}, std::move(attrs));
}

bool KnownRows(const Graph& graph, const Norm& norm) {
  const TensorType& type = graph.value(norm.x).type;
  for (int d = norm.axis; d < type.shape.rank(); ++d) {
    if (type.shape.dim(d) == kUnknownDim || type.shape.dim(d) == 0) return false;
  }
  return type.dtype == DType::kFloat32;
}

}  // namespace

Pass FuseNormalization() {
  return {"fuse_normalization", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
            for (NodeId id : order) {
              if (!graph.alive(id)) continue;
              const Node& node = graph.node(id);
              std::optional<Norm> norm;
              if (node.op == OpKind::kAdd) norm = ReadFolded(graph, node);
              else if (node.op == OpKind::kDiv || node.op == OpKind::kMul) norm = ReadNormalized(graph, node.outputs[0]);
              if (norm && KnownRows(graph, *norm)) Replace(graph, id, *norm);
            }
            graph.Sweep();
            return ir::InferGraph(graph);
          }};
}

}  // namespace omkit::passes
