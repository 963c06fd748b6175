#include <algorithm>

#include "base/status.h"
#include "ir/op.h"
#include "passes/constants.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

bool TakesResidual(const Graph& graph, const Node* node, ValueId sum) {
  if (node == nullptr || (node->op != OpKind::kConv && node->op != OpKind::kDense) || node->inputs.size() > 3) return false;
  if (node->attrs.Has("act_min") || node->attrs.Has("act_max") || graph.ConstantInput(*node, 1) == nullptr) return false;
  // A model that carries its own quantization has its residuals already.
  if (graph.value(node->inputs[0]).type.quantized()) return false;
  // Depthwise kernels have no residual: their sums stay separate.
  if (node->op == OpKind::kConv && node->attrs.Int("group", 1) != 1) return false;
  return graph.value(node->outputs[0]).type.shape == graph.value(sum).type.shape && graph.OnlyUser(node->outputs[0]) != nullptr;
}

}  // namespace

Pass FuseResidual() {
  return {"fuse_residual", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(std::vector<NodeId> order, graph.TopologicalOrder());
            std::vector<int> position(graph.num_values(), -1);
            for (size_t i = 0; i < order.size(); ++i) {
              for (ValueId v : graph.node(order[i]).outputs) position[v] = static_cast<int>(i);
            }
            for (NodeId id : order) {
              const Node add = graph.node(id);
              if (add.op != OpKind::kAdd || graph.value(add.outputs[0]).type.dtype != DType::kFloat32) continue;
              if (add.inputs[0] == add.inputs[1]) continue;
              // The convolution that comes last takes the sum: its residual then exists already.
              int main = position[add.inputs[0]] >= position[add.inputs[1]] ? 0 : 1;
              if (!TakesResidual(graph, graph.Producer(add.inputs[main]), add.outputs[0])) continue;
              const ValueId side = add.inputs[1 - main];
              if (graph.IsConstant(side) || graph.value(side).type.shape != graph.value(add.outputs[0]).type.shape) continue;
              const Node conv = *graph.Producer(add.inputs[main]);
              graph.SetInput(conv.id, 3, side);
              graph.RemoveNode(id);
              graph.ReplaceUses(add.outputs[0], conv.outputs[0]);
            }
            graph.Sweep();
            return ir::InferGraph(graph);
          }};
}

}  // namespace omkit::passes
