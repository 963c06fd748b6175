// Which operators and tensors become INT8: decided once on the fused float graph, then used by calibration and by quantization. Floor 3.
#ifndef OMKIT_PASSES_QUANTIZATION_PLAN_H_
#define OMKIT_PASSES_QUANTIZATION_PLAN_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/graph.h"

namespace omkit::passes {

struct QuantizePolicy {
  // True when the backend has an INT8 kernel for the node (its types are still float).
  std::function<bool(const ir::Graph&, const ir::Node&)> supported;
  // Nodes that stay float, by name.
  std::set<std::string> skip_nodes;
};

struct QuantizationPlan {
  std::vector<bool> int8_node;      // by NodeId
  std::vector<ir::ValueId> values;  // float values that will be uint8, in order of definition
  // Values of one group share their parameters, because an operator between them only moves elements. Index into `values`, by value id.
  std::vector<int> group;  // by ValueId: the smallest ValueId of the group; -1 for values that stay as they are
};

// Convolutions and dense layers with constant weights always become INT8 when supported. Other operators follow when all their
// data comes from INT8 operators and somebody behind them computes in INT8; the tail of a network therefore stays float and its
// last convolutions write float directly.
absl::StatusOr<QuantizationPlan> PlanQuantization(const ir::Graph& graph, const QuantizePolicy& policy);

// Operators whose outputs have the quantization parameters of their input 0.
bool KeepsQuantization(ir::OpKind op);
// Inputs of a node that carry data to be quantized (not weights, axes, or bounds).
int DataInputs(const ir::Node& node);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_QUANTIZATION_PLAN_H_
