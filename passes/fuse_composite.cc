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

// The input of value = x / divisor, written as Div or as Mul by the reciprocal.
ValueId Dividend(const Graph& graph, ValueId value, double divisor) {
  const ValueId x = OperandBesides(graph, value, OpKind::kDiv, divisor);
  return x != kNoValue ? x : OperandBesides(graph, value, OpKind::kMul, 1.0 / divisor);
}

bool IsScalar(const Graph& graph, ValueId value, double expected) {
  const auto constant = ScalarConstant(graph, value);
  return constant && Near(*constant, expected);
}

bool IsClip(const Graph& graph, const Node& node, double low, double high) {
  return node.op == OpKind::kClip && node.inputs.size() == 3 && IsScalar(graph, node.inputs[1], low) && IsScalar(graph, node.inputs[2], high);
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

// x of x^3, written as Pow or as two products.
ValueId CubeRoot(const Graph& graph, ValueId value) {
  const ValueId x = OperandBesides(graph, value, OpKind::kPow, 3);
  if (x != kNoValue) return x;
  const Node* mul = graph.Producer(value);
  if (mul == nullptr || mul->op != OpKind::kMul) return kNoValue;
  for (int side = 0; side < 2; ++side) {
    const Node* square = graph.Producer(mul->inputs[side]);
    const ValueId root = mul->inputs[1 - side];
    if (square == nullptr) continue;
    if (square->op == OpKind::kMul && square->inputs[0] == root && square->inputs[1] == root) return root;
    if (OperandBesides(graph, mul->inputs[side], OpKind::kPow, 2) == root) return root;
  }
  return kNoValue;
}

// x of sqrt(2 / pi) * (x + 0.044715 x^3).
ValueId TanhArgument(const Graph& graph, ValueId value) {
  const ValueId sum = OperandBesides(graph, value, OpKind::kMul, std::sqrt(2.0 / 3.14159265358979323846));
  const Node* add = sum == kNoValue ? nullptr : graph.Producer(sum);
  if (add == nullptr || add->op != OpKind::kAdd) return kNoValue;
  for (int side = 0; side < 2; ++side) {
    const ValueId cube = OperandBesides(graph, add->inputs[side], OpKind::kMul, 0.044715);
    if (cube != kNoValue && CubeRoot(graph, cube) == add->inputs[1 - side]) return add->inputs[1 - side];
  }
  return kNoValue;
}

// The gate of Gelu, 1 + Erf(x / sqrt 2) or 1 + Tanh(...).
struct GeluGate {
  ValueId x = kNoValue;
  bool tanh = false;
};

GeluGate ReadGeluGate(const Graph& graph, ValueId value) {
  const ValueId inner = OperandBesides(graph, value, OpKind::kAdd, 1);
  const Node* node = inner == kNoValue ? nullptr : graph.Producer(inner);
  if (node == nullptr) return {};
  if (node->op == OpKind::kErf) return {Dividend(graph, node->inputs[0], std::sqrt(2.0)), false};
  if (node->op == OpKind::kTanh) return {TanhArgument(graph, node->inputs[0]), true};
  return {};
}

bool RewriteGelu(Graph& graph, NodeId id, const GeluGate& gate) {
  ir::Attrs attrs;
  if (gate.tanh) attrs.Set("approximate", std::string("tanh"));
  Rewrite(graph, id, OpKind::kGelu, gate.x, std::move(attrs));
  return true;
}

// x * 0.5 * gate(x), with the three factors in any association.
bool MatchGelu(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op != OpKind::kMul && node.op != OpKind::kDiv) return false;
  for (int side = 0; node.op == OpKind::kMul && side < 2; ++side) {
    const ValueId a = node.inputs[side];
    const ValueId b = node.inputs[1 - side];
    // (0.5 * x) * gate, x * (0.5 * gate).
    const ValueId half_x = Dividend(graph, a, 2);
    const GeluGate gate = ReadGeluGate(graph, b);
    if (half_x != kNoValue && gate.x == half_x) return RewriteGelu(graph, id, gate);
    const ValueId half_gate = Dividend(graph, b, 2);
    const GeluGate halved = half_gate == kNoValue ? GeluGate{} : ReadGeluGate(graph, half_gate);
    if (halved.x != kNoValue && halved.x == a) return RewriteGelu(graph, id, halved);
  }
  // (x * gate) * 0.5.
  const ValueId product = Dividend(graph, node.outputs[0], 2);
  const Node* mul = product == kNoValue ? nullptr : graph.Producer(product);
  if (mul == nullptr || mul->op != OpKind::kMul) return false;
  for (int side = 0; side < 2; ++side) {
    const GeluGate gate = ReadGeluGate(graph, mul->inputs[1 - side]);
    if (gate.x != kNoValue && gate.x == mul->inputs[side]) return RewriteGelu(graph, id, gate);
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
