// What a model with a quantization of its own leaves in float, and what happens around it when calibration completes it.
#include "base/status.h"
#include "frontends/qdq/absorb.h"
#include "frontends/qdq/rewrite.h"
#include "ir/op.h"
#include "ir/ops/requantize.h"

namespace omkit::frontends {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

bool IsLayer(OpKind op) { return op == OpKind::kConv || op == OpKind::kDense; }

// Quantize behind a layer on integers that writes float: the layer writes the integers.
void TakeQuantize(Graph& graph, NodeId id) {
  const Node quantize = graph.node(id);
  const Node* layer = graph.Producer(quantize.inputs[0]);
  if (layer == nullptr || !IsLayer(layer->op) || graph.OnlyUser(quantize.inputs[0]) == nullptr) return;
  const bool integer = ir::IsInt8Activation(graph.value(layer->inputs[0]).type) && graph.value(layer->inputs[1]).type.quantized();
  if (!integer || graph.value(quantize.outputs[0]).type.dtype != DType::kUInt8) return;
  const Node taken = *layer;
  graph.RemoveNode(id);
  graph.RemoveNode(taken.id);
  graph.AddNodeInto(taken.op, taken.name, taken.inputs, quantize.outputs, taken.attrs);
}

}  // namespace

absl::StatusOr<int> FreezeDynamicQuantization(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  int frozen = 0;
  for (NodeId id : order) {
    if (!graph.alive(id) || graph.node(id).op != OpKind::kDequantizeLinear) continue;
    const Node dequantize = graph.node(id);
    const Node* quantize = graph.Producer(dequantize.inputs[0]);
    if (quantize == nullptr || quantize->op != OpKind::kQuantizeLinear || graph.IsConstant(dequantize.inputs[1])) continue;
    const std::vector<ValueId> own(dequantize.inputs.begin() + 1, dequantize.inputs.end());
    if (own != std::vector<ValueId>(quantize->inputs.begin() + 1, quantize->inputs.end())) continue;
    const ValueId real = quantize->inputs[0];
    graph.RemoveNode(id);
    graph.ReplaceUses(dequantize.outputs[0], real);
    ++frozen;
  }
  graph.Sweep();
  return frozen;
}

std::vector<std::string> FloatLayers(const Graph& graph) {
  std::vector<std::string> names;
  const auto order = graph.TopologicalOrder();
  if (!order.ok()) return names;
  for (NodeId id : *order) {
    const Node& node = graph.node(id);
    const bool constant = IsLayer(node.op) && graph.ConstantInput(node, 1) != nullptr;
    if (constant && !graph.value(node.inputs[0]).type.quantized()) names.push_back(node.name);
  }
  return names;
}

absl::Status JoinCompleted(Graph& graph) {
  OMKIT_RETURN_IF_ERROR(qdq::MoveBorders(graph));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) {
    if (graph.alive(id) && graph.node(id).op == OpKind::kQuantize) TakeQuantize(graph, id);
  }
  graph.Sweep();
  return ir::InferGraph(graph);
}

}  // namespace omkit::frontends
