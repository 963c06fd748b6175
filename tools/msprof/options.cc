#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "tools/msprof/msprof.h"

namespace omkit::msprof {
namespace {

enum Use { kTool, kRecord, kNone };

constexpr struct Flag {
  const char* name;
  Use use;
} kFlags[] = {
#define MSPROF_FLAG(name, value, use, help) {name, use},
#include "tools/msprof/msprof_flags.inc"
};

absl::StatusOr<const Flag*> FindFlag(absl::string_view name) {
  std::vector<std::string> known;
  for (const Flag& flag : kFlags) {
    if (name == flag.name) return &flag;
    known.emplace_back(flag.name);
  }
  const std::string nearest = NearestName(name, known);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown option '--", name, "'", nearest.empty() ? "" : absl::StrCat(", did you mean '--", nearest, "'?")));
}

absl::Status Bad(const std::string& name, const std::string& value, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("--", name, "=", value, ": ", wanted));
}

absl::Status SetOwn(const std::string& name, const std::string& value, Options* options, bool* exporting) {
  if (name == "output") {
    if (value.empty()) return Bad(name, value, "give a folder");
    options->output = value;
  } else if (name == "application") {
    OMKIT_ASSIGN_OR_RETURN(options->program, SplitCommand(value));
  } else if (name == "environment") {
    for (const absl::string_view item : absl::StrSplit(value, ';', absl::SkipEmpty())) {
      if (!absl::StrContains(item, '=') || absl::StartsWith(item, "=")) return Bad(name, value, "write it as \"NAME=value;NAME=value\"");
      options->environment.emplace_back(item);
    }
  } else if (name == "type") {
    if (value != "text") return Bad(name, value, "only 'text' is written");
  } else if (value != "on") {
    return Bad(name, value, "must be 'on'");
  } else {
    *exporting = true;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitCommand(const std::string& command) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;  // a word has begun
  char quote = '\0';
  for (size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (c == '\\' && quote != '\'' && i + 1 < command.size()) {
      word += command[++i];
      inside = true;
    } else if (quote != '\0') {
      if (c == quote) quote = '\0';
      else word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      inside = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (inside) words.push_back(std::move(word));
      word.clear();
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quote != '\0') return absl::InvalidArgumentError(absl::StrCat("--application: a ", std::string(1, quote), " is not closed in: ", command));
  if (inside) words.push_back(std::move(word));
  if (words.empty()) return absl::InvalidArgumentError("--application names no program");
  return words;
}

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments) {
  Options options;
  bool exporting = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view text = arguments[i];
    if (text == "--help" || text == "-h") {
      options.help = true;
      return options;
    }
    if (!absl::ConsumePrefix(&text, "--")) {
      if (!options.program.empty()) return absl::InvalidArgumentError(absl::StrCat("'", text, "' is a second program beside --application"));
      options.program.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    const std::pair<std::string, std::string> pair = absl::StrSplit(text, absl::MaxSplits('=', 1));
    OMKIT_ASSIGN_OR_RETURN(const Flag* flag, FindFlag(pair.first));
    std::string value = pair.second;
    if (!absl::StrContains(text, '=')) {
      if (i + 1 == arguments.size()) return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " needs a value"));
      value = arguments[++i];
    }
    if (flag->use == kTool) OMKIT_RETURN_IF_ERROR(SetOwn(flag->name, value, &options, &exporting));
    if (flag->use == kRecord) absl::StrAppend(&options.record, options.record.empty() ? "" : ",", flag->name, "=", value);
  }
  if (exporting) {
    if (options.output.empty()) return absl::InvalidArgumentError("--export and --parse need --output=PROF_...");
    options.export_folder = options.output;
    return options;
  }
  if (options.program.empty())
    return absl::InvalidArgumentError("no program to run: give --application=\"APP ARGS\", or the program behind the options");
  return options;
}

}  // namespace omkit::msprof
