#include "tools/atc/flags.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "tools/atc/errors.h"

namespace omkit::atc {
namespace {

std::vector<FlagRow> MakeRows() {
  std::vector<FlagRow> rows;
  const char* group = "";
#define OMKIT_ATC_GROUP(title) group = title;
#define OMKIT_ATC_FLAG(name, type, def, values, status, help) \
  rows.push_back({group, #name, FlagType::k##type, def, values, FlagStatus::k##status, help});
#include "tools/atc/atc_flags.inc"
#undef OMKIT_ATC_FLAG
#undef OMKIT_ATC_GROUP
  return rows;
}

const FlagRow* FindRow(absl::string_view name) {
  for (const FlagRow& row : FlagRows()) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

std::string Hint(const std::string& name) {
  std::vector<std::string> known;
  for (const FlagRow& row : FlagRows()) known.push_back(row.name);
  const std::string near = NearestName(name, known);
  return near.empty() ? "" : absl::StrCat("; did you mean '--", near, "'?");
}

// "true" or "false"; "" for text that is neither.
std::string BoolText(absl::string_view value) {
  const std::string lower = absl::AsciiStrToLower(value);
  for (const char* yes : {"", "1", "t", "true", "y", "yes"}) {
    if (lower == yes) return "true";
  }
  for (const char* no : {"0", "f", "false", "n", "no"}) {
    if (lower == no) return "false";
  }
  return "";
}

}  // namespace

absl::Span<const FlagRow> FlagRows() {
  static const std::vector<FlagRow>* const rows = new std::vector<FlagRow>(MakeRows());
  return *rows;
}

absl::Status Flags::Set(const FlagRow& row, const std::string& value) {
  if (row.type == FlagType::kBool) {
    const std::string text = BoolText(value);
    if (text.empty()) return Error(ErrorCode::E10005, {value, row.name});
    given_[row.name] = text;
    return absl::OkStatus();
  }
  int number = 0;
  if (row.type == FlagType::kInt) {
    const bool digits =
        !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
    if (!digits || !absl::SimpleAtoi(value, &number))
      return Error(ErrorCode::E10003, {value, row.name, "The value must be digits of a 32-bit number"});
  }
  const std::string text = row.type == FlagType::kInt ? absl::StrCat(number) : value;
  const std::vector<std::string> allowed = absl::StrSplit(row.values, '|', absl::SkipEmpty());
  if (!allowed.empty() && !(text.empty() && row.default_value[0] == '\0') && std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    return Error(ErrorCode::E10001, {value, absl::StrCat("--", row.name), absl::StrCat("The value must be ", absl::StrJoin(allowed, ", "))});
  }
  given_[row.name] = text;
  return absl::OkStatus();
}

absl::StatusOr<Flags> Flags::Parse(absl::Span<const std::string> arguments, std::string* usage_error) {
  Flags flags;
  const auto usage = [&](std::string line) {
    *usage_error = absl::StrCat("ERROR: ", line);
    return absl::InvalidArgumentError(line);
  };
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-h" || argument == "--h" || argument == "-help" || argument == "--help") {
      flags.help_ = true;
      return flags;
    }
    const size_t dashes = absl::StartsWith(argument, "--") ? 2 : absl::StartsWith(argument, "-") ? 1 : 0;
    if (dashes == 0 || argument.size() == dashes) return usage(absl::StrCat("Non-option parameter: ", argument));
    const size_t equals = argument.find('=');
    const bool has_value = equals != std::string::npos;
    const std::string name = absl::StrReplaceAll(argument.substr(dashes, has_value ? equals - dashes : std::string::npos), {{"-", "_"}});
    const FlagRow* row = FindRow(name);
    if (row == nullptr) return usage(absl::StrCat("unknown command line flag '", name, "'", Hint(name)));
    std::string value = has_value ? argument.substr(equals + 1) : "";
    if (!has_value && row->type != FlagType::kBool) {
      if (i + 1 == arguments.size()) return usage(absl::StrCat("flag '--", name, "' is missing its argument; flag description: ", row->help));
      value = arguments[++i];
    }
    flags.typed_.emplace_back(row->name, has_value || row->type == FlagType::kBool ? argument : absl::StrCat(argument, " ", value));
    OMKIT_RETURN_IF_ERROR(flags.Set(*row, value));
  }
  return flags;
}

std::string Flags::Get(absl::string_view name) const {
  const auto found = given_.find(std::string(name));
  if (found != given_.end()) return found->second;
  const FlagRow* row = FindRow(name);
  return row == nullptr ? "" : row->default_value;
}

std::string Flags::TypedWithout(const std::set<std::string>& names) const {
  std::string line;
  for (const auto& [name, text] : typed_) {
    if (names.count(name) == 0) absl::StrAppend(&line, line.empty() ? "" : " ", text);
  }
  return line;
}

int Flags::GetInt(absl::string_view name) const {
  int number = -1;
  return absl::SimpleAtoi(Get(name), &number) ? number : -1;
}

std::string HelpText() {
  std::string text =
      "atc: compiles an ONNX network to an offline model (.om)\n\n"
      "  atc --framework=5 --model=net.onnx --output=net --soc_version=host\n"
      "      keeps the network's own precision\n"
      "  atc --framework=5 --model=net.onnx --output=net --soc_version=host --quant_type=1 --calibrate_tool_path=samples\n"
      "      INT8: samples/ holds one .bin (raw values in the input's type and shape) or .npy file per sample; 32 to 500 are usual\n"
      "  atc ... --input_shape=\"data:1,3,224,224\"\n"
      "      when the model leaves dimensions open (quote the value: it may contain ';')\n"
      "  atc --mode=6 --om=net.om\n"
      "      shows what an offline model holds\n";
  absl::string_view group;
  for (const FlagRow& row : FlagRows()) {
    if (group != row.group) absl::StrAppend(&text, "\n", row.group, "\n");
    group = row.group;
    absl::StrAppend(&text, "  --", row.name);
    if (row.values[0] != '\0') absl::StrAppend(&text, "=", row.values);
    if (row.default_value[0] != '\0') absl::StrAppend(&text, " (default ", row.default_value, ")");
    absl::StrAppend(&text, "\n      ",
                    row.status == FlagStatus::kNoEffect   ? "[no effect] "
                    : row.status == FlagStatus::kRejected ? "[not supported] "
                                                          : "",
                    row.help, "\n");
  }
  return text;
}

}  // namespace omkit::atc
