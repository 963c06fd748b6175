#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "frontends/aipp/config.h"

namespace omkit::frontends {
namespace {

constexpr Conversion kConversions[] = {
#define OMKIT_AIPP_CSC(name, from, to, r0, r1, r2, bias) {#name, aipp::Colours::k##from, aipp::Colours::k##to, {r0, r1, r2}, {bias}},
#include "frontends/aipp/csc_tables.inc"
#undef OMKIT_AIPP_CSC
};

enum class Kind { kSwitch, kInt, kFloat };

std::string Line(absl::string_view name, absl::string_view value) { return absl::StrCat("  ", name, ": ", value, "\n"); }

std::string Shown(Kind kind, double value) {
  if (kind == Kind::kSwitch) return value != 0 ? "true" : "false";
  if (kind == Kind::kInt) return absl::StrCat(static_cast<int64_t>(value));
  return absl::StrFormat("%.9g", value);
}

// The fields of a conversion mean something only when it is on, and then those of its direction.
bool Written(const aipp::Spec& spec, absl::string_view name) {
  const bool yuv = aipp::FindFormat(spec.format)->colours == aipp::Colours::kYuv;
  if (name.substr(0, 7) == "matrix_") return spec.csc != 0;
  if (name.substr(0, 11) == "input_bias_") return spec.csc != 0 && yuv;
  if (name.substr(0, 12) == "output_bias_") return spec.csc != 0 && !yuv;
  return name == "csc_switch" || name == "rbuv_swap_switch" || name == "src_image_size_w" || name == "src_image_size_h";
}

}  // namespace

absl::Span<const Conversion> Conversions() { return kConversions; }

const Conversion* FindConversion(absl::string_view name, aipp::Colours from, aipp::Colours to) {
  for (const Conversion& row : kConversions) {
    if (row.from == from && row.to == to && (name == row.name || to == aipp::Colours::kGrey)) return &row;
  }
  return nullptr;
}

void UseConversion(const Conversion& conversion, bool reversed, aipp::Spec* spec) {
  spec->csc = 1;
  std::copy(std::begin(conversion.matrix), std::end(conversion.matrix), spec->matrix);
  int32_t* const bias = conversion.from == aipp::Colours::kYuv ? spec->in_bias : spec->out_bias;
  std::copy(std::begin(conversion.bias), std::end(conversion.bias), bias);
  if (!reversed) return;
  const int first = conversion.to == aipp::Colours::kRgb ? 0 : 1;
  std::swap_ranges(spec->matrix + 3 * first, spec->matrix + 3 * first + 3, spec->matrix + 6);
  if (conversion.to == aipp::Colours::kYuv) std::swap(bias[1], bias[2]);
}

std::string WriteAippConfig(const aipp::Stage& stage, int input) {
  std::string text = "aipp_op {\n";
  absl::StrAppend(&text, Line("aipp_mode", stage.dynamic ? "dynamic" : "static"), Line("related_input_rank", absl::StrCat(input)));
  if (stage.dynamic) return absl::StrCat(text, Line("max_src_image_size", absl::StrCat(stage.max_src_image_size)), "}\n");
  aipp::Spec spec = stage.spec;
  for (int i = 0; i < 4; ++i) {
    if (spec.mean[i] == std::floor(spec.mean[i])) continue;
    spec.min[i] += spec.mean[i];
    spec.mean[i] = 0;
  }
  absl::StrAppend(&text, Line("input_format", aipp::FindFormat(spec.format)->name));
#define OMKIT_AIPP_FIELD(kind, name, member, default) \
  if (spec.member != default || Written(spec, #name)) absl::StrAppend(&text, Line(#name, Shown(Kind::k##kind, spec.member)));
#include "base/aipp_fields.inc"
#undef OMKIT_AIPP_FIELD
  return absl::StrCat(text, "}\n");
}

}  // namespace omkit::frontends
