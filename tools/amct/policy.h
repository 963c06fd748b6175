// AMCT's configuration as the policy of the quantizer. Floor 5; atc and amct share it.
#ifndef OMKIT_TOOLS_AMCT_POLICY_H_
#define OMKIT_TOOLS_AMCT_POLICY_H_

#include "absl/status/status.h"
#include "frontends/amct/amct.pb.h"
#include "ir/graph.h"
#include "passes/quantization_plan.h"

namespace omkit::amct_tool {

// Adds the configuration to `policy`. `graph` is the imported network, whose node names the configuration uses. Priority: tensor_quantize,
// override_layer_configs, override_layer_types, common_config, activation_offset.
// INVALID_ARGUMENT, with the nearest name, for layers and types that the model does not have, and for values outside AMCT's domains.
// UNIMPLEMENTED for what omkit does another way or not at all: do_fusion: false, joint_quant, ada_quantize, asymmetric weights, types other than 8
// bits, fakequant_precision_mode.
absl::Status ApplyConfig(const amct::AMCTConfig& config, const ir::Graph& graph, passes::QuantizePolicy* policy);

}  // namespace omkit::amct_tool

#endif  // OMKIT_TOOLS_AMCT_POLICY_H_
