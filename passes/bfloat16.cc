#include "passes/bfloat16.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "passes/quantization_plan.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;

bool IsLayer(const Node& node) { return node.op == ir::OpKind::kConv || node.op == ir::OpKind::kDense; }

// Still in FP32, weights too.
bool IsFloatLayer(const Graph& graph, const Node& node) {
  const Tensor* w = IsLayer(node) ? graph.ConstantInput(node, 1) : nullptr;
  return w != nullptr && w->dtype() == DType::kFloat32 && graph.value(node.inputs[0]).type.dtype == DType::kFloat32;
}

bool IsOfOneOf(const Node& node, const std::set<std::string>& types) {
  return std::any_of(types.begin(), types.end(), [&](const std::string& type) { return IsOfType(node, type); });
}

// The nearest layer before this one along first inputs; nullptr when there is none.
const Node* LayerBefore(const Graph& graph, const Node& node) {
  const Node* before = &node;
  do {
    before = before->inputs.empty() || before->inputs[0] == ir::kNoValue ? nullptr : graph.Producer(before->inputs[0]);
  } while (before != nullptr && !IsLayer(*before));
  return before;
}

bool Wanted(const BFloat16Policy& policy, const Graph& graph, const Node& node) {
  if (policy.nodes.count(node.name) != 0) return true;
  if (!policy.all || policy.keep_nodes.count(node.name) != 0 || IsOfOneOf(node, policy.keep_types)) return false;
  if (!IsOfOneOf(node, policy.grey_types)) return true;
  const Node* before = LayerBefore(graph, node);
  return before != nullptr && ComputesOnBFloat16(graph, *before);
}

absl::Status RoundWeights(Graph& graph, const Node& node) {
  const Tensor& w = *graph.ConstantInput(node, 1);
  OMKIT_ASSIGN_OR_RETURN(Tensor rounded, Tensor::Allocate(DType::kBFloat16, w.shape()));
  std::transform(w.data<float>(), w.data<float>() + w.elements(), rounded.mutable_data<BFloat16>(), ToBFloat16);
  const std::string name = graph.value(node.inputs[1]).name;
  graph.SetInput(node.id, 1, graph.AddConstant(name, std::move(rounded)));
  return absl::OkStatus();
}

}  // namespace

bool ComputesOnBFloat16(const Graph& graph, const Node& node) {
  if (!IsLayer(node) || graph.value(node.inputs[0]).type.dtype != DType::kFloat32) return false;
  return graph.value(node.inputs[1]).type.dtype == DType::kBFloat16;
}

Pass BFloat16Layers(BFloat16Policy policy) {
  return {"bfloat16_layers", [policy = std::move(policy)](Graph& graph) -> absl::Status {
            if (!policy.any()) return absl::OkStatus();
            OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph.TopologicalOrder());
            for (const ir::NodeId id : order) {
              const Node& node = graph.node(id);
              if (ComputesOnBFloat16(graph, node) || !Wanted(policy, graph, node)) continue;
              if (!IsFloatLayer(graph, node) || !policy.supported || !policy.supported(graph, node)) continue;
              OMKIT_RETURN_IF_ERROR(RoundWeights(graph, node));
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
