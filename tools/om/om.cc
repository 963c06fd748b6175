#include "tools/om/om.h"

#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "tools/om/array.h"

namespace omkit::om {
namespace {

struct Flag {
  const char* name;
  const char* value;
  const char* help;
};

constexpr Flag kRunFlags[] = {
#define OM_FLAG(name, value, help) {name, value, help},
#include "tools/om/om_flags.inc"
};

using Arguments = absl::Span<const std::string>;

std::string Usage() {
  std::string text =
      "Usage:\n"
      "  om info FILE          what an offline model holds\n"
      "  om run FILE [flags]   executes it and reports latencies\n"
      "  om compare FILE REFERENCE --samples DIR [flags]   how close its results are to another model's\n"
      "  om array FILE --output=FILE.h   writes it as a C array for libomkit_rt, which needs no operating system\n"
      "  om ops [--markdown]   the ONNX operators that are imported, and what runs them\n"
      "  om backends [--plugin_path PATH:...]   backends, their chips and plugins\n"
      "  om help\n\n"
      "Flags (--name=value or --name value), of run where nothing else is said:\n";
  for (const Flag& flag : kRunFlags) absl::StrAppendFormat(&text, "  --%-16s %s\n", absl::StrCat(flag.name, " ", flag.value), flag.help);
  return text;
}

absl::Status Unknown(absl::string_view what, absl::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = NearestName(name, known);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown ", what, " '", name, "'", nearest.empty() ? "" : absl::StrCat(", did you mean '", nearest, "'?")));
}

const Flag* FindFlag(absl::string_view name) {
  for (const Flag& flag : kRunFlags) {
    if (name == flag.name) return &flag;
  }
  return nullptr;
}

struct ParsedArguments {
  std::vector<std::string> files;
  std::map<std::string, std::string> flags;
};

absl::StatusOr<ParsedArguments> Parse(Arguments arguments) {
  ParsedArguments parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view text = arguments[i];
    if (!absl::ConsumePrefix(&text, "--")) {
      parsed.files.push_back(arguments[i]);
      continue;
    }
    const std::pair<std::string, std::string> name_value = absl::StrSplit(text, absl::MaxSplits('=', 1));
    const Flag* flag = FindFlag(name_value.first);
    if (flag == nullptr) {
      std::vector<std::string> known;
      for (const Flag& row : kRunFlags) known.push_back(row.name);
      return Unknown("flag", name_value.first, known);
    }
    const bool has_value = absl::StrContains(text, '='), is_switch = *flag->value == '\0';
    if (is_switch && has_value) return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " takes no value"));
    if (!is_switch && !has_value && i + 1 == arguments.size())
      return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " needs a value: ", flag->value));
    std::string value = is_switch || has_value ? name_value.second : arguments[++i];
    if (!parsed.flags.emplace(flag->name, std::move(value)).second)
      return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " is given twice"));
  }
  return parsed;
}

absl::Status ReadNumber(const ParsedArguments& parsed, const char* name, int least, int most, int* number) {
  const auto it = parsed.flags.find(name);
  if (it == parsed.flags.end()) return absl::OkStatus();
  if (absl::SimpleAtoi(it->second, number) && *number >= least && *number <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", name, "=", it->second, ": not a number from ", least, " to ", most));
}

absl::StatusOr<RunRequest> ParseRun(const ParsedArguments& parsed) {
  RunRequest request;
  if (!parsed.files.empty()) request.model = parsed.files[0];
  const auto text = [&](const char* name) {
    const auto it = parsed.flags.find(name);
    return it == parsed.flags.end() ? std::string() : it->second;
  };
  if (!text("input").empty()) request.inputs = absl::StrSplit(text("input"), ',');
  request.output = text("output");
  request.plugin_path = text("plugin_path");
  request.profile = parsed.flags.count("profile") > 0;
  OMKIT_RETURN_IF_ERROR(ReadNumber(parsed, "loop", 1, 1'000'000'000, &request.loop));
  OMKIT_RETURN_IF_ERROR(ReadNumber(parsed, "warmup", 0, 1'000'000'000, &request.warmup));
  OMKIT_RETURN_IF_ERROR(ReadNumber(parsed, "threads", 1, 256, &request.threads));
  return request;
}

absl::Status ReadFraction(const ParsedArguments& parsed, const char* name, double* number) {
  const auto it = parsed.flags.find(name);
  if (it == parsed.flags.end()) return absl::OkStatus();
  if (absl::SimpleAtod(it->second, number) && *number >= 0 && *number <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", name, "=", it->second, ": not a number from 0 to 1"));
}

absl::StatusOr<CompareRequest> ParseCompare(const ParsedArguments& parsed) {
  CompareRequest request;
  request.model = parsed.files[0];
  request.reference = parsed.files[1];
  const auto samples = parsed.flags.find("samples"), plugins = parsed.flags.find("plugin_path");
  if (samples == parsed.flags.end()) return absl::InvalidArgumentError("om compare needs --samples DIR");
  request.samples = samples->second;
  if (plugins != parsed.flags.end()) request.plugin_path = plugins->second;
  OMKIT_RETURN_IF_ERROR(ReadFraction(parsed, "min-cosine", &request.min_cosine));
  OMKIT_RETURN_IF_ERROR(ReadFraction(parsed, "min-same-class", &request.min_same_class));
  OMKIT_RETURN_IF_ERROR(ReadNumber(parsed, "threads", 1, 256, &request.threads));
  return request;
}

struct CommandRow {
  const char* name;
  size_t files;
  std::vector<std::string> flags;  // that it takes
};

const std::vector<CommandRow>& Commands() {
  static const auto* const rows = new std::vector<CommandRow>{
      {"info", 1, {}},
      {"ops", 0, {"markdown"}},
      {"run", 1, {"input", "output", "loop", "warmup", "threads", "profile", "plugin_path"}},
      {"compare", 2, {"samples", "min-cosine", "min-same-class", "threads", "plugin_path"}},
      {"array", 1, {"output"}},
      {"backends", 0, {"plugin_path"}},
  };
  return *rows;
}

struct Command {
  std::string name;
  bool markdown = false;
  RunRequest run;
  CompareRequest compare;
};

absl::StatusOr<Command> ParseCommand(Arguments arguments) {
  const std::string& name = arguments[0];
  const auto row = std::find_if(Commands().begin(), Commands().end(), [&](const CommandRow& r) { return name == r.name; });
  if (row == Commands().end()) return Unknown("command", name, {"info", "run", "compare", "array", "backends", "help"});
  OMKIT_ASSIGN_OR_RETURN(const ParsedArguments parsed, Parse(arguments.subspan(1)));
  if (parsed.files.size() != row->files) {
    constexpr const char* kNeeds[] = {"no file", "one offline model", "two offline models"};
    return absl::InvalidArgumentError(absl::StrCat("om ", name, " needs ", kNeeds[row->files], ", ", parsed.files.size(), " given"));
  }
  for (const auto& [flag, value] : parsed.flags) {
    if (std::find(row->flags.begin(), row->flags.end(), flag) == row->flags.end())
      return absl::InvalidArgumentError(absl::StrCat("om ", name, " has no flag --", flag));
  }
  if (name == "array" && parsed.flags.count("output") == 0) return absl::InvalidArgumentError("om array needs --output=FILE.h");
  Command command;
  command.name = name;
  command.markdown = parsed.flags.count("markdown") > 0;
  if (name == "compare") {
    OMKIT_ASSIGN_OR_RETURN(command.compare, ParseCompare(parsed));
  } else {
    OMKIT_ASSIGN_OR_RETURN(command.run, ParseRun(parsed));
  }
  return command;
}

absl::Status Execute(const Command& command, std::ostream& out) {
  if (command.name == "run") return Run(command.run, out);
  if (command.name == "info") return Info(command.run.model, out);
  if (command.name == "compare") return Compare(command.compare, out);
  if (command.name == "array") return WriteArray(command.run.model, command.run.output, out);
  if (command.name == "ops") return Ops(command.markdown, out);
  return Backends(command.run.plugin_path, out);
}

}  // namespace

int RunOm(Arguments arguments, std::ostream& out, std::ostream& err) {
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
  const absl::StatusOr<Command> command = ParseCommand(arguments);
  if (!command.ok()) {
    err << "om: " << command.status().message() << "\nTry 'om help'.\n";
    return 2;
  }
  const absl::Status status = Execute(*command, out);
  if (status.ok()) return 0;
  err << "om: " << status.message() << "\n";
  return 1;
}

}  // namespace omkit::om
