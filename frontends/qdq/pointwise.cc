// Dequantize -> operator -> clamp -> Quantize becomes the operator on quantized operands, for operators whose integer form ir/ops defines:
// Add, Sub, Mul of two tensors, functions of one element (tables later), average pools.
#include "absl/status/status.h"
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

bool IsArithmetic(OpKind op) { return op == OpKind::kAdd || op == OpKind::kSub || op == OpKind::kMul; }

// Inputs that must be quantized; 0 for operators without an integer form.
int Operands(const Node& node) {
  if (IsArithmetic(node.op)) return 2;
  const bool pool = node.op == OpKind::kAveragePool || node.op == OpKind::kGlobalAveragePool;
  return pool || ir::Def(node.op).Is(ir::kUnary) ? 1 : 0;
}

void Absorb(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  std::vector<ValueId> inputs = node.inputs;
  const int operands = Operands(node);
  for (int i = 0; i < operands; ++i) {
    inputs[i] = QuantizedSource(graph, inputs[i]);
    if (inputs[i] == ir::kNoValue) return;
  }
  for (size_t i = operands; i < inputs.size(); ++i) {
    if (inputs[i] != ir::kNoValue && !graph.IsConstant(inputs[i])) return;
  }
  ir::Attrs attrs = node.attrs;
  Chain chain(graph, id);
  if (IsArithmetic(node.op)) chain.TakeClamps(&attrs);
  if (!chain.TakeQuantize()) return;
  chain.Remove();
  graph.RemoveNode(id);
  graph.AddNodeInto(node.op, node.name, inputs, {chain.value()}, attrs);
}

}  // namespace

absl::Status AbsorbPointwise(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) {
    if (graph.alive(id) && Operands(graph.node(id)) > 0) Absorb(graph, id);
  }
  return absl::OkStatus();
}

}  // namespace omkit::frontends::qdq
