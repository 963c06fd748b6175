#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "frontends/aipp/config.h"

namespace omkit::frontends {
namespace {

using aipp::Colours;
using aipp::Spec;
using aipp_config::AippOpParams;

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// The value of a field that the file type calls repeated but that may be given once.
template <typename Given, typename T>
absl::Status Once(absl::string_view name, const google::protobuf::RepeatedField<Given>& list, T* value) {
  if (list.size() > 1) return Wrong("The parameter ", name, " cannot be configured repeatedly");
  if (list.size() == 1) *value = list[0];
  return absl::OkStatus();
}
absl::Status Once(absl::string_view, int32_t given, int32_t* value) {
  *value = given;
  return absl::OkStatus();
}
absl::Status Once(absl::string_view, float given, float* value) {
  *value = given;
  return absl::OkStatus();
}

absl::Status RefuseReserved(const AippOpParams& op) {
  if (op.support_rotation()) return Wrong("support_rotation is reserved and must be false");
  if (op.single_line_mode()) return Wrong("single_line_mode is reserved and must be false");
  if (op.cpadding_value() != 0) return Wrong("cpadding_value is reserved and must be 0");
  if (op.raw_rgbir_to_f16_n() != 0) return Wrong("raw_rgbir_to_f16_n is for raw formats, which are not supported");
  for (const uint32_t edge : op.input_edge_idx()) {
    if (edge != 0) return Wrong("input_edge_idx is ", edge, ", but an input has one output edge, 0");
  }
  return absl::OkStatus();
}

class Resolver {
 public:
  Resolver(const AippOpParams& op, const NetworkInput& input, const AippRules& rules, std::vector<std::string>* warnings)
      : op_(op), input_(input), rules_(rules), warnings_(warnings) {}

  absl::StatusOr<aipp::Stage> Run() {
    if (input_.dims.size() != 4 || std::any_of(input_.dims.begin(), input_.dims.end(), [](int64_t d) { return d < 1; })) {
      return Wrong("AIPP needs an input of four dimensions (N, C, H, W), but input '", input_.name, "' has ", absl::StrJoin(input_.dims, "x"));
    }
    stage_.batch = input_.dims[0];
    stage_.channels = input_.dims[1];
    stage_.height = input_.dims[2];
    stage_.width = input_.dims[3];
    OMKIT_RETURN_IF_ERROR(RefuseReserved(op_));
    if (op_.aipp_mode() == AippOpParams::dynamic) {
      OMKIT_RETURN_IF_ERROR(Dynamic());
    } else {
      OMKIT_RETURN_IF_ERROR(Static());
    }
    OMKIT_RETURN_IF_ERROR(aipp::Check(stage_));
    if (!stage_.dynamic) WarnOfColours();
    return stage_;
  }

 private:
  absl::Status Dynamic() {
    stage_.dynamic = true;
    stage_.max_src_image_size = op_.max_src_image_size();
    if (op_.max_src_image_size() == 0) return Wrong("max_src_image_size must be configured and be greater than 0 for dynamic AIPP");
    AippOpParams known;
    known.set_aipp_mode(op_.aipp_mode());
    known.set_related_input_rank(op_.related_input_rank());
    known.set_related_input_name(op_.related_input_name());
    *known.mutable_input_edge_idx() = op_.input_edge_idx();
    known.set_max_src_image_size(op_.max_src_image_size());
    if (known.SerializeAsString() != op_.SerializeAsString()) {
      Warn("dynamic AIPP takes its parameters at run time (aclmdlSetAIPP...); the other fields of the block have no effect");
    }
    return absl::OkStatus();
  }

  absl::Status Static() {
    if (op_.max_src_image_size() != 0) Warn("max_src_image_size is for dynamic AIPP and has no effect");
    if (op_.input_format() == AippOpParams::UNDEFINED) return Wrong("input_format must be configured for static AIPP");
    spec_.format = static_cast<aipp::Format>(op_.input_format());
    if (aipp::FindFormat(spec_.format) == nullptr) {
      std::vector<std::string> names;
      for (const aipp::FormatRow& row : aipp::Formats()) names.push_back(row.name);
      return Wrong("input_format ", AippOpParams::InputFormat_Name(op_.input_format()), " is not supported; supported: ", absl::StrJoin(names, ", "));
    }
    DefaultConversion();
#define OMKIT_AIPP_FIELD(kind, name, member, default) OMKIT_RETURN_IF_ERROR(Once(#name, op_.name(), &spec_.member));
#include "base/aipp_fields.inc"
#undef OMKIT_AIPP_FIELD
    if (spec_.csc == 0) {
      std::fill(std::begin(spec_.matrix), std::end(spec_.matrix), 0);
      for (int i = 0; i < 3; ++i) spec_.in_bias[i] = spec_.out_bias[i] = 0;
    }
    OMKIT_RETURN_IF_ERROR(CompleteSizes());
    OMKIT_RETURN_IF_ERROR(Resize());
    return Means();
  }

  // CANN's defaults: BT.601 in narrow range; from YUV to BGR.
  void DefaultConversion() {
    const Colours from = aipp::FindFormat(spec_.format)->colours;
    const int32_t csc = spec_.csc;
    if (from == Colours::kYuv) UseConversion(*FindConversion("bt601", Colours::kYuv, Colours::kRgb), true, &spec_);
    if (from == Colours::kRgb) UseConversion(*FindConversion("bt601", Colours::kRgb, Colours::kYuv), false, &spec_);
    spec_.csc = csc;
  }

  // Where a size may be left to the network.
  absl::Status CompleteSizes() {
    const bool changes_size = spec_.crop != 0 || spec_.resize != 0 || spec_.padding != 0;
    if (spec_.src_w == 0 && spec_.src_h == 0) {
      if (changes_size) return Wrong("src_image_size_w and src_image_size_h must be configured with crop, resize or padding");
      spec_.src_w = static_cast<int32_t>(std::min<int64_t>(stage_.width, INT32_MAX));
      spec_.src_h = static_cast<int32_t>(std::min<int64_t>(stage_.height, INT32_MAX));
    }
    if (spec_.crop != 0 && spec_.padding == 0 && spec_.resize == 0) {
      if (spec_.crop_w == 0) spec_.crop_w = static_cast<int32_t>(stage_.width);
      if (spec_.crop_h == 0) spec_.crop_h = static_cast<int32_t>(stage_.height);
    }
    if (!changes_size && (spec_.src_w != stage_.width || spec_.src_h != stage_.height)) {
      return Wrong("the network's input is ", stage_.width, "x", stage_.height, " (w x h) and must be equal to src_image_size_w ", spec_.src_w,
                   " and src_image_size_h ", spec_.src_h, " without crop, resize and padding");
    }
    return absl::OkStatus();
  }

  absl::Status Resize() {
    if (spec_.resize == 0) {
      // Without the switch the sizes mean nothing; a file that has them wants it.
      if (spec_.resize_w != 0 || spec_.resize_h != 0) Warn("resize_output_w and resize_output_h have no effect without resize: true");
      return absl::OkStatus();
    }
    if (rules_.strict) return Wrong("resize only support Hi3796CV300ES and Hi3796CV300CS");
    Warn("resize: works here, but is reserved on Ascend 310, 310P, 310B and 910");
    if (spec_.resize_w == 0) spec_.resize_w = static_cast<int32_t>(stage_.width) - (spec_.padding != 0 ? spec_.pad_left + spec_.pad_right : 0);
    if (spec_.resize_h == 0) spec_.resize_h = static_cast<int32_t>(stage_.height) - (spec_.padding != 0 ? spec_.pad_top + spec_.pad_bottom : 0);
    return absl::OkStatus();
  }

  bool LooksLikeStd() const {
    if (op_.var_reci_chn_0_size() + op_.var_reci_chn_1_size() + op_.var_reci_chn_2_size() + op_.var_reci_chn_3_size() > 0) return false;
    // 255 times a standard deviation of 0.08 to 0.5. As a second mean it would be subtracted from a mean that is there already.
    for (int64_t c = 0; c < stage_.channels; ++c) {
      if (spec_.min[c] < 20 || spec_.min[c] > 128 || spec_.mean[c] < 20) return false;
    }
    return true;
  }

  absl::Status Means() {
    for (int c = 0; c < 4; ++c) {
      const float mean = spec_.mean[c];
      if (!std::isfinite(mean) || mean == std::floor(mean)) continue;
      const std::string text = absl::StrFormat(
          "mean_chn_%d: %g is not an integer, which ATC of CANN does not read (write mean_chn_%d: 0 and min_chn_%d: %g)", c, mean, c, c, mean);
      if (rules_.strict) return Wrong(text);
      if (c == 0) Warn(absl::StrCat(text, "; it is taken as it is"));
    }
    if (!LooksLikeStd() || rules_.min_meaning == MinMeaning::kSubtract) return absl::OkStatus();
    Spec fixed = spec_;
    for (int c = 0; c < 4; ++c) {
      fixed.min[c] = 0;
      if (c < stage_.channels) fixed.var_reci[c] = 1 / spec_.min[c];
    }
    aipp::Stage shown = stage_;
    shown.spec = fixed;
    const std::string text = absl::StrFormat(
        "min_chn_0 is %g: min_chn_* are subtracted like mean_chn_*, they are not standard deviations, but without var_reci_chn_* and of this size "
        "these "
        "look like standard deviations.",
        spec_.min[0]);
    if (rules_.min_meaning == MinMeaning::kUnsaid && rules_.strict) {
      return Wrong(text, " Say what is meant with --aipp_min_chn=subtract or --aipp_min_chn=std. As standard deviations, correct would be:\n",
                   WriteAippConfig(shown, static_cast<int>(op_.related_input_rank())));
    }
    if (rules_.min_meaning == MinMeaning::kUnsaid) {
      Warn(absl::StrCat(text,
                        " They are taken as such: (x - mean_chn) / min_chn. Write the file as below, or use --aipp_min_chn=subtract for the "
                        "meaning of CANN.\n",
                        WriteAippConfig(shown, static_cast<int>(op_.related_input_rank()))));
    }
    spec_ = fixed;
    return absl::OkStatus();
  }

  void WarnOfColours() {
    if (aipp::FindFormat(spec_.format)->colours != Colours::kYuv || spec_.csc != 0 || stage_.channels != 3) return;
    aipp::Stage converted;
    converted.spec.format = spec_.format;
    UseConversion(*FindConversion("bt601", Colours::kYuv, Colours::kRgb), false, &converted.spec);
    // All coefficients: those that are left out would get CANN's defaults.
    std::string lines;
    for (const absl::string_view line : absl::StrSplit(WriteAippConfig(converted), '\n')) {
      if (absl::StrContains(line, "csc_") || absl::StrContains(line, "matrix_") || absl::StrContains(line, "input_bias_")) {
        absl::StrAppend(&lines, line, "\n");
      }
    }
    Warn(absl::StrCat("input_format ", aipp::FindFormat(spec_.format)->name,
                      " without csc_switch gives the network Y, U and V. A network that was trained on RGB needs (BT.601, narrow range, as most "
                      "cameras and video decoders give; `aipp make` writes the other matrices):\n",
                      lines));
  }

  void Warn(std::string text) { warnings_->push_back(absl::StrCat("AIPP of input '", input_.name, "': ", text)); }

  const AippOpParams& op_;
  const NetworkInput& input_;
  const AippRules& rules_;
  std::vector<std::string>* warnings_;
  aipp::Stage stage_;
  Spec& spec_ = stage_.spec;
};

absl::StatusOr<int> InputOf(const AippOpParams& op, const std::vector<NetworkInput>& inputs, const AippRules& rules) {
  if (op.related_input_name().empty()) {
    if (op.related_input_rank() < inputs.size()) return static_cast<int>(op.related_input_rank());
    return Wrong("related_input_rank is ", op.related_input_rank(), ", but the model has ", inputs.size(), " inputs");
  }
  if (rules.strict) return Wrong("related_input_name is for Caffe models; use related_input_rank");
  std::vector<std::string> names;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name == op.related_input_name()) return static_cast<int>(i);
    names.push_back(inputs[i].name);
  }
  const std::string nearest = NearestName(op.related_input_name(), names);
  return Wrong("related_input_name '", op.related_input_name(), "' is no input of the model",
               nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?"));
}

}  // namespace

absl::StatusOr<std::vector<ResolvedAipp>> ResolveAipp(const AippConfig& config, const std::vector<NetworkInput>& inputs, const AippRules& rules,
                                                      std::vector<std::string>* warnings) {
  std::vector<ResolvedAipp> resolved;
  bool by_name = false, by_rank = false;
  for (const AippOpParams& op : config.aipp_op()) {
    if (op.aipp_mode() != AippOpParams::static_ && op.aipp_mode() != AippOpParams::dynamic) {
      return Wrong("When insert AIPP op, aipp_mode must be configured as static or dynamic");
    }
    by_name = by_name || !op.related_input_name().empty();
    by_rank = by_rank || op.related_input_rank() != 0;
    if (by_name && by_rank) return Wrong("related_input_rank and related_input_name cannot be used together");
    ResolvedAipp one;
    OMKIT_ASSIGN_OR_RETURN(one.input, InputOf(op, inputs, rules));
    for (const ResolvedAipp& other : resolved) {
      if (other.input == one.input) {
        return Wrong("Cannot insert aipp to the same position! Two blocks are for input ", one.input, " ('", inputs[one.input].name, "')");
      }
    }
    OMKIT_ASSIGN_OR_RETURN(one.stage, Resolver(op, inputs[one.input], rules, warnings).Run());
    resolved.push_back(one);
  }
  return resolved;
}

}  // namespace omkit::frontends
