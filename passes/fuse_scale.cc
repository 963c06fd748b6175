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

// value = operand * factor, by a Mul or Div with a scalar that keeps the operand's shape.
struct Scaled {
  ValueId operand = kNoValue;
  double factor = 1;
};

Scaled ScaledOf(const Graph& graph, const Node& node) {
  if ((node.op != OpKind::kMul && node.op != OpKind::kDiv) || node.attrs.Has("act_min") || node.attrs.Has("act_max")) return {};
  for (int side = 0; side < (node.op == OpKind::kMul ? 2 : 1); ++side) {
    const std::optional<double> c = ScalarConstant(graph, node.inputs[1 - side]);
    const ValueId x = node.inputs[side];
    if (!c || graph.value(x).type.dtype != DType::kFloat32 || graph.value(node.outputs[0]).type.shape != graph.value(x).type.shape) continue;
    const double factor = node.op == OpKind::kMul ? *c : 1 / *c;
    if (std::isfinite(factor) && factor != 0) return {x, factor};
  }
  return {};
}

void MultiplyAlpha(Graph& graph, NodeId product, double factor) {
  graph.SetAttr(product, "alpha", static_cast<float>(graph.node(product).attrs.Float("alpha", 1.0f) * factor));
}

bool IsProduct(const Graph& graph, const Node* node) {
  return node != nullptr && node->op == OpKind::kMatMul && graph.value(node->outputs[0]).type.dtype == DType::kFloat32;
}

// MatMul -> Mul or Div.
bool FoldBehind(Graph& graph, NodeId id) {
  const Scaled scaled = ScaledOf(graph, graph.node(id));
  if (scaled.operand == kNoValue) return false;
  const Node* product = graph.Producer(scaled.operand);
  if (!IsProduct(graph, product) || graph.OnlyUser(scaled.operand) == nullptr) return false;
  MultiplyAlpha(graph, product->id, scaled.factor);
  const ValueId out = graph.node(id).outputs[0];
  graph.RemoveNode(id);
  graph.ReplaceUses(out, scaled.operand);
  return true;
}

// Mul or Div -> MatMul, also with a Transpose in between.
bool FoldBefore(Graph& graph, NodeId id) {
  if (!IsProduct(graph, &graph.node(id))) return false;
  bool changed = false;
  for (int side = 0; side < 2; ++side) {
    NodeId reader = id;
    int input = side;
    const Node* producer = graph.Producer(graph.node(id).inputs[side]);
    if (producer != nullptr && producer->op == OpKind::kTranspose && graph.OnlyUser(producer->outputs[0]) != nullptr) {
      reader = producer->id;
      input = 0;
      producer = graph.Producer(producer->inputs[0]);
    }
    if (producer == nullptr || graph.OnlyUser(producer->outputs[0]) == nullptr) continue;
    const Scaled scaled = ScaledOf(graph, *producer);
    if (scaled.operand == kNoValue) continue;
    MultiplyAlpha(graph, id, scaled.factor);
    graph.SetInput(reader, input, scaled.operand);
    changed = true;
  }
  return changed;
}

absl::Status Run(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) {
    if (graph.alive(id) && !FoldBehind(graph, id)) FoldBefore(graph, id);
  }
  return absl::OkStatus();
}

}  // namespace

Pass FuseScale() { return {"fuse_scale", Run}; }

}  // namespace omkit::passes
