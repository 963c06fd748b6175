// Runs a float graph and its quantized twin side by side, node by node, over a few samples: what layer-wise corrections and reports see.
// Floor 3. Only the tensors that later nodes still read are in memory.
#ifndef OMKIT_PASSES_SIDE_BY_SIDE_H_
#define OMKIT_PASSES_SIDE_BY_SIDE_H_

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "ir/evaluate.h"
#include "ir/graph.h"

namespace omkit::passes {

// One node of both graphs. The quantized side has run on what the quantized nodes before it delivered.
struct LayerView {
  ir::NodeId node = ir::kNoNode;
  const std::vector<std::vector<Tensor>>& float_inputs;  // [sample][input]; constants and absent inputs are undefined tensors
  const std::vector<std::vector<Tensor>>& quantized_inputs;
  const std::vector<Tensor>& float_output;               // [sample], output 0
  const std::vector<Tensor>& quantized_output;           // [sample], output 0; may be float
};

// `visit` is called in topological order for each node that both graphs have and whose input 0 is no constant. It may change the node's
// constants in `quantized`; when it has, it returns true, and is called again with the node's new results.
using VisitLayer = std::function<absl::StatusOr<bool>(const LayerView&)>;
absl::Status RunSideBySide(const ir::Graph& original, const ir::Graph& quantized, const std::vector<std::vector<Tensor>>& samples,
                           const ir::EvaluatorFactory& evaluators, const VisitLayer& visit);

// Runs one node of a graph on its data inputs, one entry per sample and input of the node (constants and absent inputs are not read).
// Gives output 0 ... n per sample.
absl::StatusOr<std::vector<std::vector<Tensor>>> RunNode(const ir::Graph& graph, ir::NodeId node,
                                                         const std::vector<std::vector<Tensor>>& inputs, const ir::EvaluatorFactory& evaluators);

// Real values of a tensor: dequantized when it is quantized per tensor.
std::vector<float> RealValues(const Tensor& tensor);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_SIDE_BY_SIDE_H_
