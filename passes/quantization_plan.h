// Which operators and tensors become INT8: decided once on the fused float graph, then used by calibration and by quantization. Floor 3.
#ifndef OMKIT_PASSES_QUANTIZATION_PLAN_H_
#define OMKIT_PASSES_QUANTIZATION_PLAN_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/graph.h"
#include "passes/bfloat16.h"
#include "passes/choose_range.h"

namespace omkit::passes {

// How the tensors and weights of one layer are quantized; the keys of AMCT's calibration_config.
struct LayerConfig {
  RangeConfig activation;    // of the layer's data inputs (ifmr_quantize, hfmg_quantize and so on)
  bool channel_wise = true;  // weights: one scale per output channel, or one for all
  float migration = 0;       // AMCT dmq_balancer: strength with which its input is equalized, whatever that costs (equalize.h); 0: by measured error
  bool weight_only = false;  // int8 weights and activations in float (W8A16) where the backend has a kernel for that, float where not
};

// What the user asks for. Names are those of the model's nodes; a layer that a pass fused into another one answers to the surviving name.
struct QuantizePolicy {
  // True when the backend has an INT8 kernel for the node (its types are still float).
  std::function<bool(const ir::Graph&, const ir::Node&)> supported;
  // True when the backend has a kernel for int8 weights with float activations (W8A16); may be empty: it has none.
  std::function<bool(const ir::Graph&, const ir::Node&)> weight_only;
  std::set<std::string> skip_nodes;   // stay float (AMCT skip_layers)
  std::set<std::string> skip_types;   // operator types that stay float (AMCT skip_layer_types); see IsOfType
  std::set<std::string> int8_nodes;   // INT8 whatever the lists above and below say; an error where the backend has no kernel
  std::set<std::string> w8a16_nodes;  // int8 weights, activations in float; an error where the backend has no kernel
  // The lists of mixed precision (ATC modify_mixlist). White: INT8 wherever they stand, as Conv, Dense and MatMul are of themselves. Grey: INT8
  // only behind INT8 operators, as the others are. Black is skip_types.
  std::set<std::string> white_types, grey_types;
  bool only_matrix = false;                                       // operators that compute and are not Conv, Dense or MatMul stay float
  BFloat16Policy bfloat16;                                        // of what stays float
  LayerConfig common;                                             // AMCT common_config, activation_offset: common.activation.symmetric
  std::map<std::string, LayerConfig> by_type;                     // AMCT override_layer_types
  std::map<std::string, LayerConfig> by_node;                     // AMCT override_layer_configs; wins over by_type
  std::map<std::pair<std::string, int>, RangeConfig> by_operand;  // AMCT tensor_quantize: (node, input index); wins over all
};

// True for the operator's own name and for the ONNX names of what it may have been made from: Dense answers to Gemm and MatMul.
bool IsOfType(const ir::Node& node, const std::string& type);

// True for a node that is INT8 wherever it stands because the policy says so.
bool IsLed(const QuantizePolicy& policy, const ir::Node& node);

// The settings of a node: by name, else by type, else common.
const LayerConfig& ConfigOf(const QuantizePolicy& policy, const ir::Node& node);
// The settings of a tensor: those of the first layer, in node order, that reads it and has settings of its own, else common.
RangeConfig ConfigOf(const QuantizePolicy& policy, const ir::Graph& graph, ir::ValueId value);

struct QuantizationPlan {
  std::vector<bool> int8_node;      // by NodeId
  std::vector<bool> w8a16_node;     // by NodeId: float nodes whose weights are int8
  std::vector<ir::ValueId> values;  // float values that will be uint8, in order of definition
  // Values of one group share their parameters, because an operator between them only moves elements. Index into `values`, by value id.
  std::vector<int> group;  // by ValueId: the smallest ValueId of the group; -1 for values that stay as they are
  // By NodeId: INT8 nodes of a chain of element functions (ir/element_function.h). Only what goes into the chain and what comes out of it is
  // rounded to 8 bits; between Dequantize and Quantize they are one table of 256 bytes. `chain` is the chain's first node, kNoNode elsewhere.
  std::vector<ir::NodeId> chain;
};

// Convolutions and dense layers with constant weights always become INT8 when supported. Other operators follow when all their
// data comes from INT8 operators and somebody behind them computes in INT8; the tail of a network therefore stays float and its
// last convolutions write float directly. INVALID_ARGUMENT for int8_nodes, white_types and w8a16_nodes that the backend cannot run so.
absl::StatusOr<QuantizationPlan> PlanQuantization(const ir::Graph& graph, const QuantizePolicy& policy);

// Operators whose outputs have the quantization parameters of their input 0.
bool KeepsQuantization(ir::OpKind op);
// Inputs of a node that carry data to be quantized (not weights, axes, or bounds).
int DataInputs(const ir::Node& node);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_QUANTIZATION_PLAN_H_
