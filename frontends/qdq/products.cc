// Dequantize, Dequantize -> MatMul -> scale -> Quantize becomes the product of two quantized activations (attention). Without the Quantize
// its result is float32. The scale, a Mul or Div by a constant with one element, becomes the attribute alpha.
#include <cmath>

#include "base/status.h"
#include "frontends/qdq/rewrite.h"
#include "ir/op.h"

namespace omkit::frontends::qdq {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

// The factor that the reader applies to `value`; nothing when it does something else.
std::optional<float> FactorOf(const Graph& graph, const Node& reader, ValueId value) {
  if (reader.op != OpKind::kMul && reader.op != OpKind::kDiv) return std::nullopt;
  const int side = reader.inputs[0] == value ? 1 : 0;
  if (reader.op == OpKind::kDiv && side == 0) return std::nullopt;
  const Tensor* c = graph.ConstantInput(reader, side);
  if (c == nullptr || c->dtype() != DType::kFloat32 || c->elements() != 1 || c->shape().rank() > graph.value(value).type.shape.rank()) {
    return std::nullopt;
  }
  const float factor = reader.op == OpKind::kMul ? c->data<float>()[0] : 1.0f / c->data<float>()[0];
  return std::isnormal(factor) ? std::optional<float>(factor) : std::nullopt;
}

void Absorb(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const ValueId a = QuantizedSource(graph, node.inputs[0]), b = QuantizedSource(graph, node.inputs[1]);
  if (a == ir::kNoValue || b == ir::kNoValue || graph.value(node.outputs[0]).type.dtype != DType::kFloat32) return;
  if (graph.value(a).type.shape.rank() < 2 || graph.value(b).type.shape.rank() < 2) return;
  float alpha = node.attrs.Float("alpha", 1.0f);
  Chain chain(graph, id);
  for (const Node* next = chain.next(); next != nullptr; next = chain.next()) {
    const std::optional<float> factor = FactorOf(graph, *next, chain.value());
    if (!factor) break;
    alpha *= *factor;
    chain.Take();
  }
  ir::Attrs attrs = node.attrs;
  if (alpha != 1.0f) attrs.Set("alpha", alpha);
  chain.TakeQuantize();
  chain.Remove();
  graph.RemoveNode(id);
  graph.AddNodeInto(OpKind::kMatMul, node.name, {a, b}, {chain.value()}, attrs);
}

}  // namespace

absl::Status AbsorbProducts(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) {
    if (graph.alive(id) && graph.node(id).op == OpKind::kMatMul) Absorb(graph, id);
  }
  return absl::OkStatus();
}

}  // namespace omkit::frontends::qdq
