#include "tools/aipp/aipp.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace omkit::aipp_tool {
namespace {

struct FlagRow {
  const char* command;
  const char* name;
  const char* value;
  const char* help;
};

constexpr FlagRow kFlags[] = {
#define OMKIT_AIPP_FLAG(command, name, value, help) {#command, name, value, help},
#include "tools/aipp/aipp_flags.inc"
};

std::string FlagHelp(absl::string_view command) {
  std::string text;
  for (const FlagRow& row : kFlags) {
    if (command == row.command)
      absl::StrAppendFormat(&text, "  --%-24s %s\n", absl::StrCat(row.name, *row.value != '\0' ? "=" : "", row.value), row.help);
  }
  return text;
}

std::string Usage() {
  return absl::StrCat(
      "aipp makes and explains AIPP configurations: image preprocessing inside an offline model (atc --insert_op_conf=FILE).\n\n"
      "  aipp make --source=nv12:1920x1080 --crop=1080x1080 --network=rgb:224x224 --mean=0.485,0.456,0.406 --std=0.229,0.224,0.225 "
      "--output=aipp.cfg\n"
      "  aipp preview --conf=aipp.cfg --image=photo.jpg --output=seen.png\n\n"
      "Flags of make (--name=value or --name value):\n",
      FlagHelp("make"), "\nFlags of preview:\n", FlagHelp("preview"));
}

absl::StatusOr<Flags> Parse(absl::string_view command, absl::Span<const std::string> arguments) {
  std::vector<std::string> known;
  for (const FlagRow& row : kFlags) {
    if (command == row.command) known.push_back(row.name);
  }
  Flags flags;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view text = arguments[i];
    if (!absl::ConsumePrefix(&text, "--")) return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no flag"));
    const std::pair<std::string, std::string> name_value = absl::StrSplit(text, absl::MaxSplits('=', 1));
    const FlagRow* found = nullptr;
    for (const FlagRow& row : kFlags) {
      if (command == row.command && name_value.first == row.name) found = &row;
    }
    if (found == nullptr) {
      const std::string nearest = NearestName(name_value.first, known);
      return absl::InvalidArgumentError(absl::StrCat("aipp ", command, " has no flag --", name_value.first,
                                                     nearest.empty() ? "" : absl::StrCat("; did you mean --", nearest, "?")));
    }
    const bool is_switch = *found->value == '\0', has_value = absl::StrContains(text, '=');
    if (is_switch && has_value) return absl::InvalidArgumentError(absl::StrCat("--", found->name, " takes no value"));
    if (!is_switch && !has_value && i + 1 == arguments.size()) {
      return absl::InvalidArgumentError(absl::StrCat("--", found->name, " needs a value: ", found->value));
    }
    const std::string value = is_switch || has_value ? name_value.second : arguments[++i];
    if (!flags.emplace(found->name, value).second) return absl::InvalidArgumentError(absl::StrCat("--", found->name, " is given twice"));
  }
  return flags;
}

}  // namespace

int RunAippTool(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err) {
  for (const std::string& argument : arguments) {
    if (argument == "help" || argument == "--help" || argument == "-h") {
      out << Usage();
      return 0;
    }
  }
  if (arguments.empty()) {
    err << Usage();
    return 2;
  }
  const std::string& command = arguments[0];
  if (command != "make" && command != "preview") {
    const std::string nearest = NearestName(command, {"make", "preview", "help"});
    err << "aipp: unknown command '" << command << "'" << (nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?"))
        << "\nTry 'aipp help'.\n";
    return 2;
  }
  const absl::StatusOr<Flags> flags = Parse(command, arguments.subspan(1));
  if (!flags.ok()) {
    err << "aipp: " << flags.status().message() << "\nTry 'aipp help'.\n";
    return 2;
  }
  const absl::Status status = command == "make" ? Make(*flags, out, err) : Preview(*flags, out);
  if (status.ok()) return 0;
  err << "aipp: " << status.message() << "\n";
  return 1;
}

}  // namespace omkit::aipp_tool
