#include "tools/accuracy/options.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace omkit::accuracy {
namespace {

constexpr struct Flag {
  const char* name;
  const char* value;
  const char* help;
} kFlags[] = {
#define ACCURACY_FLAG(name, value, help) {name, value, help},
#include "tools/accuracy/accuracy_flags.inc"
};

absl::StatusOr<const Flag*> FindFlag(const std::string& name) {
  std::vector<std::string> known;
  for (const Flag& flag : kFlags) {
    if (name == flag.name) return &flag;
    known.push_back(flag.name);
  }
  const std::string nearest = NearestName(name, known);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown flag '--", name, "'", nearest.empty() ? "" : absl::StrCat(", did you mean '--", nearest, "'?")));
}

absl::StatusOr<std::map<std::string, std::string>> Split(absl::Span<const std::string> arguments) {
  std::map<std::string, std::string> values;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view text = arguments[i];
    if (!absl::ConsumePrefix(&text, "--")) return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a flag"));
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    OMKIT_ASSIGN_OR_RETURN(const Flag* flag, FindFlag(parts.first));
    const bool has_value = absl::StrContains(text, '='), is_switch = *flag->value == '\0';
    if (is_switch && has_value) return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " takes no value"));
    if (!is_switch && !has_value && i + 1 == arguments.size()) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " needs a value: ", flag->value));
    }
    const bool fresh = values.emplace(flag->name, is_switch || has_value ? parts.second : arguments[i + 1]).second;
    if (!fresh) return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " is given twice"));
    if (!is_switch && !has_value) ++i;
  }
  return values;
}

}  // namespace

std::string Usage() {
  std::string text =
      "Says what INT8 costs: runs an ONNX network in float and its offline model on the same samples.\n\n"
      "Usage: accuracy --model NET.onnx --om NET.om --data FOLDER [flags]\n\n"
      "For every output: cosine similarity, signal to quantization noise in dB, largest difference, and top-1 and top-5 with labels (of equal\n"
      "scores the lowest class counts). For every layer that runs in INT8: the noise at its output as it is in the network (cumulative), the\n"
      "noise that it makes itself with exact inputs, and what the network's result loses when this layer alone is in INT8. Layers that\n"
      "lose the most are named with what can be done about them.\n\n"
      "Flags (--name=value or --name value):\n";
  for (const Flag& flag : kFlags) absl::StrAppendFormat(&text, "  --%-18s %s\n", absl::StrCat(flag.name, " ", flag.value), flag.help);
  absl::StrAppend(&text,
                  "\nExample:\n"
                  "  accuracy --model net.onnx --om net_int8.om --data eval/ --labels labels.txt --html report.html\n"
                  "\nExit status: 0 done, 1 failed, 2 wrong command line.\n");
  return text;
}

absl::StatusOr<Options> ParseOptions(absl::Span<const std::string> arguments) {
  OMKIT_ASSIGN_OR_RETURN(const auto values, Split(arguments));
  Options options;
  for (const auto& [name, target] : std::vector<std::pair<const char*, std::string*>>{{"model", &options.model},
                                                                                      {"om", &options.om},
                                                                                      {"data", &options.data},
                                                                                      {"preprocess", &options.preprocess},
                                                                                      {"labels", &options.labels},
                                                                                      {"reference", &options.reference},
                                                                                      {"json", &options.json},
                                                                                      {"html", &options.html}}) {
    const auto it = values.find(name);
    if (it != values.end()) *target = it->second;
  }
  for (const auto& [name, value] :
       {std::make_pair("model", &options.model), std::make_pair("om", &options.om), std::make_pair("data", &options.data)}) {
    if (value->empty()) return absl::InvalidArgumentError(absl::StrCat("--", name, " is missing"));
  }
  for (const auto& [name, target] : std::vector<std::pair<const char*, int*>>{
           {"label-offset", &options.label_offset}, {"samples", &options.samples}, {"layer-samples", &options.layer_samples}}) {
    const auto it = values.find(name);
    if (it == values.end()) continue;
    const bool offset = target == &options.label_offset;
    if (!absl::SimpleAtoi(it->second, target) || (!offset && *target < 0)) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, "=", it->second, ": not a number"));
    }
  }
  options.effect = values.count("no-effect") == 0;
  return options;
}

}  // namespace omkit::accuracy
