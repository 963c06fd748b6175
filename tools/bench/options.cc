#include "tools/bench/options.h"

#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace omkit::bench {
namespace {

constexpr int kMostThreads = 256;
constexpr int kMostBatch = 1'000'000;
constexpr int kMostExecutions = 100'000'000;

constexpr struct Flag {
  const char* name;
  const char* value;
  const char* help;
} kFlags[] = {
#define BENCH_FLAG(name, value, help) {name, value, help},
#include "tools/bench/bench_flags.inc"
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

// Flag name -> values in the order of the command line.
using Values = std::map<std::string, std::vector<std::string>>;

absl::StatusOr<Values> Split(absl::Span<const std::string> arguments) {
  Values values;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view text = arguments[i];
    if (!absl::ConsumePrefix(&text, "--"))
      return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a flag; models are given as --om ", text));
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    OMKIT_ASSIGN_OR_RETURN(const Flag* flag, FindFlag(parts.first));
    const bool has_value = absl::StrContains(text, '='), is_switch = *flag->value == '\0';
    if (is_switch && has_value) return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " takes no value"));
    if (!is_switch && !has_value && i + 1 == arguments.size())
      return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " needs a value: ", flag->value));
    std::vector<std::string>& list = values[flag->name];
    if (!list.empty() && parts.first != "om") return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " is given twice"));
    list.push_back(is_switch || has_value ? parts.second : arguments[++i]);
  }
  return values;
}

absl::Status BadNumber(absl::string_view flag, absl::string_view text, absl::string_view least, absl::string_view most) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", text, ": not a number from ", least, " to ", most));
}

absl::Status ReadInt(const Values& values, const char* name, int most, int* number) {
  const auto it = values.find(name);
  if (it == values.end()) return absl::OkStatus();
  if (absl::SimpleAtoi(it->second[0], number) && *number >= 1 && *number <= most) return absl::OkStatus();
  return BadNumber(name, it->second[0], "1", absl::StrCat(most));
}

absl::Status ReadDouble(const Values& values, const char* name, double least, double most, double* number) {
  const auto it = values.find(name);
  if (it == values.end()) return absl::OkStatus();
  if (absl::SimpleAtod(it->second[0], number) && *number >= least && *number <= most) return absl::OkStatus();
  return BadNumber(name, it->second[0], absl::StrCat(least), absl::StrCat(most));
}

absl::Status ReadInts(const Values& values, const char* name, int most, std::vector<int>* numbers) {
  const auto it = values.find(name);
  if (it == values.end()) return absl::OkStatus();
  numbers->clear();
  for (absl::string_view text : absl::StrSplit(it->second[0], ',')) {
    int number;
    if (!absl::SimpleAtoi(text, &number) || number < 1 || number > most) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, "=", it->second[0], ": '", text, "' is not a number from 1 to ", most));
    }
    if (std::find(numbers->begin(), numbers->end(), number) != numbers->end()) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, "=", it->second[0], ": ", number, " is given twice"));
    }
    numbers->push_back(number);
  }
  return absl::OkStatus();
}

}  // namespace

std::string Usage() {
  std::string text =
      "Measures offline models against each other on this machine.\n\n"
      "Usage: bench --om FILE [--om FILE ...] [flags]\n\n"
      "All models and numbers of threads take turns in one process, so that a busy or hot machine slows all of them alike. The first\n"
      "execution of a turn is not measured: the caches still belong to the model before. Inputs are made numbers. Load time is the\n"
      "median and peak memory the maximum of three child processes that load the model and execute it once.\n"
      "On a machine that does other work, compare the min column first, then p50.\n\n"
      "Flags (--name=value or --name value):\n";
  for (const Flag& flag : kFlags) absl::StrAppendFormat(&text, "  --%-18s %s\n", absl::StrCat(flag.name, " ", flag.value), flag.help);
  absl::StrAppend(&text,
                  "\nExample: what INT8 gains over FP32, and where its time goes\n"
                  "  bench --om net_fp32.om --om net_int8.om --threads 1,2 --seconds 5 --layers --json net.json\n"
                  "\nExample: what several images at once are worth, model compiled with atc --dynamic_batch_size=1,4,8\n"
                  "  bench --om net.om --batch 1,4,8\n"
                  "\nExit status: 0 done, 1 failed, 2 wrong command line.\n");
  return text;
}

absl::StatusOr<Options> ParseOptions(absl::Span<const std::string> arguments) {
  OMKIT_ASSIGN_OR_RETURN(const Values values, Split(arguments));
  Options options;
  if (values.count("om") == 0) return absl::InvalidArgumentError("no model is given; bench needs --om FILE");
  options.models = values.at("om");
  if (values.count("loop") > 0 && values.count("seconds") > 0) return absl::InvalidArgumentError("--loop and --seconds exclude each other");
  OMKIT_RETURN_IF_ERROR(ReadInts(values, "threads", kMostThreads, &options.threads));
  OMKIT_RETURN_IF_ERROR(ReadInts(values, "batch", kMostBatch, &options.batches));
  OMKIT_RETURN_IF_ERROR(ReadInt(values, "loop", kMostExecutions, &options.loop));
  OMKIT_RETURN_IF_ERROR(ReadInt(values, "burst", kMostExecutions, &options.burst));
  OMKIT_RETURN_IF_ERROR(ReadDouble(values, "seconds", 0.001, 86400, &options.seconds));
  OMKIT_RETURN_IF_ERROR(ReadDouble(values, "peak", 0.001, 1e9, &options.int8_peak));
  OMKIT_RETURN_IF_ERROR(ReadDouble(values, "peak-f32", 0.001, 1e9, &options.f32_peak));
  options.layers = values.count("layers") > 0;
  if (values.count("json") > 0) options.json = values.at("json")[0];
  return options;
}

}  // namespace omkit::bench
