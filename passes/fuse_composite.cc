#include <cmath>

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

bool Near(std::optional<double> value, double expected) { return value && std::abs(*value - expected) <= 1e-5 * std::abs(expected) + 1e-9; }

// The input of a two-input `op` whose other input is the scalar `constant`; kNoValue when the value is not made that way. For Div and
// Sub the constant must be the right side.
ValueId OperandBesides(const Graph& graph, ValueId value, OpKind op, double constant) {
  const Node* node = graph.Producer(value);
  if (node == nullptr || node->op != op || node->attrs.Has("act_min") || node->attrs.Has("act_max")) return kNoValue;
  if (Near(ScalarConstant(graph, node->inputs[1]), constant)) return node->inputs[0];
  const bool commutes = op == OpKind::kAdd || op == OpKind::kMul;
  return commutes && Near(ScalarConstant(graph, node->inputs[0]), constant) ? node->inputs[1] : kNoValue;
}

// The input of value = x / divisor, written as Div or as Mul by the reciprocal.
ValueId Dividend(const Graph& graph, ValueId value, double divisor) {
  const ValueId x = OperandBesides(graph, value, OpKind::kDiv, divisor);
  return x != kNoValue ? x : OperandBesides(graph, value, OpKind::kMul, 1.0 / divisor);
}

bool IsClip(const Graph& graph, const Node& node, double low, double high) {
  return node.op == OpKind::kClip && node.inputs.size() == 3 && Near(ScalarConstant(graph, node.inputs[1]), low) &&
         Near(ScalarConstant(graph, node.inputs[2]), high);
}

// x of Clip(x + 3, 0, 6).
ValueId ShiftedRelu6(const Graph& graph, ValueId value) {
  const Node* clip = graph.Producer(value);
  return clip != nullptr && IsClip(graph, *clip, 0, 6) ? OperandBesides(graph, clip->inputs[0], OpKind::kAdd, 3) : kNoValue;
}

void Rewrite(Graph& graph, NodeId id, OpKind op, ValueId x, ir::Attrs attrs = {}) {
  const std::string name = graph.node(id).name;
  const ValueId out = graph.node(id).outputs[0];
  graph.RemoveNode(id);
  graph.AddNodeInto(op, name, {x}, {out}, std::move(attrs));
}

ir::Attrs SixthSlope() {
  ir::Attrs attrs;
  attrs.Set("alpha", 1.0f / 6.0f);
  attrs.Set("beta", 0.5f);
  return attrs;
}

bool MatchHardSigmoid(Graph& graph, NodeId id) {
  const ValueId clip = Dividend(graph, graph.node(id).outputs[0], 6);
  const ValueId x = clip == kNoValue ? kNoValue : ShiftedRelu6(graph, clip);
  if (x == kNoValue) return false;
  Rewrite(graph, id, OpKind::kHardSigmoid, x, SixthSlope());
  return true;
}

// x * gate(x), for either order of the factors.
bool MatchGated(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op != OpKind::kMul) return false;
  for (int side = 0; side < 2; ++side) {
    const ValueId x = node.inputs[side];
    const Node* gate = graph.Producer(node.inputs[1 - side]);
    if (gate == nullptr || gate->inputs[0] != x) continue;
    if (gate->op == OpKind::kSigmoid) {
      Rewrite(graph, id, OpKind::kSwish, x);
      return true;
    }
    if (gate->op == OpKind::kHardSigmoid && Near(gate->attrs.Float("alpha", 0.2f), 1.0 / 6) && Near(gate->attrs.Float("beta", 0.5f), 0.5)) {
      Rewrite(graph, id, OpKind::kHardSwish, x);
      return true;
    }
  }
  return false;
}

// (x * Clip(x + 3, 0, 6)) / 6.
bool MatchHardSwish(Graph& graph, NodeId id) {
  const ValueId product = Dividend(graph, graph.node(id).outputs[0], 6);
  const Node* mul = product == kNoValue ? nullptr : graph.Producer(product);
  if (mul == nullptr || mul->op != OpKind::kMul) return false;
  for (int side = 0; side < 2; ++side) {
    const ValueId x = mul->inputs[side];
    if (ShiftedRelu6(graph, mul->inputs[1 - side]) != x) continue;
    Rewrite(graph, id, OpKind::kHardSwish, x);
    return true;
  }
  return false;
}

// x * 0.5 * (1 + Erf(x / sqrt 2)), with the three factors in any association.
bool MatchGelu(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op != OpKind::kMul) return false;
  auto erf_argument = [&](ValueId v) {
    const ValueId erf = OperandBesides(graph, v, OpKind::kAdd, 1);
    const Node* e = erf == kNoValue ? nullptr : graph.Producer(erf);
    return e != nullptr && e->op == OpKind::kErf ? Dividend(graph, e->inputs[0], std::sqrt(2.0)) : kNoValue;
  };
  for (int side = 0; side < 2; ++side) {
    const ValueId a = node.inputs[side];
    const ValueId b = node.inputs[1 - side];
    // (0.5 * x) * (1 + erf), x * (0.5 * (1 + erf)).
    const ValueId half_x = OperandBesides(graph, a, OpKind::kMul, 0.5);
    const ValueId half_gate = OperandBesides(graph, b, OpKind::kMul, 0.5);
    const ValueId x = half_x != kNoValue && erf_argument(b) == half_x ? half_x : half_gate != kNoValue && erf_argument(half_gate) == a ? a : kNoValue;
    if (x == kNoValue) continue;
    Rewrite(graph, id, OpKind::kGelu, x);
    return true;
  }
  // (x * (1 + erf)) * 0.5.
  const ValueId product = OperandBesides(graph, node.outputs[0], OpKind::kMul, 0.5);
  const Node* mul = product == kNoValue ? nullptr : graph.Producer(product);
  if (mul == nullptr || mul->op != OpKind::kMul) return false;
  for (int side = 0; side < 2; ++side) {
    if (erf_argument(mul->inputs[1 - side]) != mul->inputs[side]) continue;
    Rewrite(graph, id, OpKind::kGelu, mul->inputs[side]);
    return true;
  }
  return false;
}

}  // namespace

Pass FuseComposite() {
  return {"fuse_composite", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(std::vector<NodeId> order, graph.TopologicalOrder());
            for (NodeId id : order) {
              if (!graph.alive(id)) continue;
              const OpKind op = graph.node(id).op;
              if (op != OpKind::kMul && op != OpKind::kDiv) continue;
              if (graph.value(graph.node(id).outputs[0]).type.dtype != DType::kFloat32) continue;
              if (MatchHardSigmoid(graph, id) || MatchHardSwish(graph, id) || MatchGelu(graph, id)) continue;
              MatchGated(graph, id);
            }
            graph.Sweep();
            return ir::InferGraph(graph);
          }};
}

}  // namespace omkit::passes
