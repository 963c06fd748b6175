#include "tools/amct/policy.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"

namespace omkit::amct_tool {
namespace {

using passes::LayerConfig;
using passes::RangeConfig;
using passes::RangeMethod;

absl::Status Unsupported(absl::string_view what, absl::string_view instead) {
  return absl::UnimplementedError(absl::StrCat(what, " is not supported", instead.empty() ? "" : "; ", instead));
}

absl::Status CheckRange(absl::string_view key, double value, double above, double most) {
  if (value > above && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(key, " is ", value, "; it must lie in (", above, ", ", most, "]"));
}

// `asymmetric` of the configuration is absent: as `outer` has it.
absl::Status SetIfmr(const amct::IfmrQuantize& ifmr, RangeConfig* config) {
  if (ifmr.dst_type() != amct::INT8) return Unsupported("ifmr_quantize dst_type INT16", "use INT8");
  OMKIT_RETURN_IF_ERROR(CheckRange("max_percentile", ifmr.max_percentile(), 0.5, 1));
  OMKIT_RETURN_IF_ERROR(CheckRange("min_percentile", ifmr.min_percentile(), 0.5, 1));
  OMKIT_RETURN_IF_ERROR(CheckRange("search_range_start", ifmr.search_range_start(), 0, 1e6));
  if (!(ifmr.search_range_end() > ifmr.search_range_start())) {
    return absl::InvalidArgumentError(absl::StrCat("search_range_end ", ifmr.search_range_end(), " is not above search_range_start"));
  }
  OMKIT_RETURN_IF_ERROR(CheckRange("search_step", ifmr.search_step(), 0, ifmr.search_range_end() - ifmr.search_range_start()));
  config->method = RangeMethod::kIfmr;
  config->max_percentile = ifmr.max_percentile();
  config->min_percentile = ifmr.min_percentile();
  config->search_start = ifmr.search_range_start();
  config->search_end = ifmr.search_range_end();
  config->search_step = ifmr.search_step();
  if (ifmr.has_asymmetric()) config->symmetric = !ifmr.asymmetric();
  return absl::OkStatus();
}

absl::Status SetHfmg(const amct::HfmgQuantize& hfmg, RangeConfig* config) {
  if (hfmg.dst_type() != amct::INT8) return Unsupported("hfmg_quantize dst_type INT16", "use INT8");
  const uint32_t bins = hfmg.num_of_bins();
  if (bins != 1024 && bins != 2048 && bins != 4096 && bins != 8192) {
    return absl::InvalidArgumentError(absl::StrCat("num_of_bins is ", bins, "; it must be 1024, 2048, 4096 or 8192"));
  }
  config->method = RangeMethod::kHfmg;
  config->bins = static_cast<int>(bins);
  if (hfmg.has_asymmetric()) config->symmetric = !hfmg.asymmetric();
  return absl::OkStatus();
}

absl::Status SetLayer(const amct::CalibrationConfig& from, LayerConfig* to) {
  if (from.has_ada_quantize()) return Unsupported("ada_quantize", "omkit rounds weights by their effect with atc --quant_effort=high");
  if (from.has_dmq_balancer()) {
    const float strength = from.dmq_balancer().migration_strength();
    if (!(strength >= 0.2f && strength <= 0.8f)) {
      return absl::InvalidArgumentError(absl::StrCat("dmq_balancer migration_strength is ", strength, "; it must lie in [0.2, 0.8]"));
    }
    to->migration = strength;
  }
  to->weight_only = from.weight_compress_only();
  if (from.has_ifmr_quantize() && from.has_hfmg_quantize()) {
    return absl::InvalidArgumentError("ifmr_quantize and hfmg_quantize exclude each other");
  }
  if (from.has_arq_quantize()) {
    if (from.arq_quantize().asymmetric()) return Unsupported("arq_quantize asymmetric", "weights are symmetric");
    if (from.arq_quantize().quant_bits() != 8)
      return Unsupported(absl::StrCat("arq_quantize quant_bits ", from.arq_quantize().quant_bits()), "use 8");
    to->channel_wise = from.arq_quantize().channel_wise();
  }
  if (from.has_ifmr_quantize()) return SetIfmr(from.ifmr_quantize(), &to->activation);
  if (from.has_hfmg_quantize()) return SetHfmg(from.hfmg_quantize(), &to->activation);
  return absl::OkStatus();
}

// Names of the nodes and of their types.
class Known {
 public:
  explicit Known(const ir::Graph& graph) {
    for (ir::NodeId id = 0; id < graph.node_limit(); ++id) {
      if (!graph.alive(id)) continue;
      nodes_.push_back(graph.node(id).name);
      types_.push_back(ir::OpName(graph.node(id).op));
    }
  }
  absl::Status CheckNode(absl::string_view key, const std::string& name) const { return Check(key, name, "layer", nodes_); }
  absl::Status CheckType(absl::string_view key, const std::string& name) const { return Check(key, name, "layer type", types_); }

 private:
  static absl::Status Check(absl::string_view key, const std::string& name, absl::string_view what, const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return absl::OkStatus();
    const std::string near = NearestName(name, known);
    return absl::InvalidArgumentError(
        absl::StrCat(key, ": the model has no ", what, " '", name, "'", near.empty() ? "" : absl::StrCat("; did you mean '", near, "'?")));
  }
  std::vector<std::string> nodes_, types_;
};

}  // namespace

absl::Status ApplyConfig(const amct::AMCTConfig& config, const ir::Graph& graph, passes::QuantizePolicy* policy) {
  if (!config.do_fusion() || config.skip_fusion_layers_size() > 0) {
    return Unsupported("do_fusion: false and skip_fusion_layers", "batch normalization is always folded");
  }
  if (config.joint_quant()) return Unsupported("joint_quant", "");
  if (!config.fakequant_precision_mode().empty()) return Unsupported("fakequant_precision_mode", "");
  if (config.batch_num() == 0) return absl::InvalidArgumentError("batch_num is 0; at least one batch is needed");
  const Known known(graph);
  policy->common.activation.symmetric = !config.activation_offset();
  OMKIT_RETURN_IF_ERROR(Annotate(SetLayer(config.common_config(), &policy->common), "common_config"));
  for (const std::string& name : config.skip_layers()) {
    OMKIT_RETURN_IF_ERROR(known.CheckNode("skip_layers", name));
    policy->skip_nodes.insert(name);
  }
  for (const std::string& type : config.skip_layer_types()) {
    OMKIT_RETURN_IF_ERROR(known.CheckType("skip_layer_types", type));
    policy->skip_types.insert(type);
  }
  for (const amct::OverrideLayerType& entry : config.override_layer_types()) {
    OMKIT_RETURN_IF_ERROR(known.CheckType("override_layer_types", entry.layer_type()));
    LayerConfig& layer = policy->by_type.emplace(entry.layer_type(), policy->common).first->second;
    OMKIT_RETURN_IF_ERROR(Annotate(SetLayer(entry.calibration_config(), &layer), absl::StrCat("override_layer_types '", entry.layer_type(), "'")));
  }
  for (const amct::OverrideLayer& entry : config.override_layer_configs()) {
    OMKIT_RETURN_IF_ERROR(known.CheckNode("override_layer_configs", entry.layer_name()));
    LayerConfig& layer = policy->by_node.emplace(entry.layer_name(), policy->common).first->second;
    OMKIT_RETURN_IF_ERROR(Annotate(SetLayer(entry.calibration_config(), &layer), absl::StrCat("override_layer_configs '", entry.layer_name(), "'")));
  }
  for (const amct::TensorQuantize& entry : config.tensor_quantize()) {
    OMKIT_RETURN_IF_ERROR(known.CheckNode("tensor_quantize", entry.layer_name()));
    RangeConfig range = policy->common.activation;
    const absl::Status set = entry.has_hfmg_quantize() ? SetHfmg(entry.hfmg_quantize(), &range) : SetIfmr(entry.ifmr_quantize(), &range);
    OMKIT_RETURN_IF_ERROR(Annotate(set, absl::StrCat("tensor_quantize '", entry.layer_name(), "'")));
    policy->by_operand[{entry.layer_name(), static_cast<int>(entry.input_index())}] = range;
  }
  return absl::OkStatus();
}

}  // namespace omkit::amct_tool
