#include "tools/msame/options.h"

#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace omkit::msame {
namespace {

constexpr struct {
  const char* name;
  const char* value;
  const char* help;
} kOptions[] = {
#define MSAME_OPTION(name, value, help) {#name, value, help},
#include "tools/msame/options.inc"
};

using Values = std::map<std::string, std::string>;

bool Fail(std::string* error, std::string text) {
  *error = std::move(text);
  return false;
}

bool ReadValues(int argc, char** argv, Values* values, std::string* error) {
  std::vector<std::string> names;
  for (const auto& option : kOptions) names.push_back(option.name);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--", 0) != 0) return Fail(error, absl::StrCat("'", argument, "' is no option"));
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help") {
      (*values)[name] = "";
      continue;
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string nearest = NearestName(name, names);
      return Fail(error, absl::StrCat("unknown option --", name, nearest.empty() ? "" : absl::StrCat(", did you mean --", nearest, "?")));
    }
    if (equals == std::string::npos && i + 1 == argc) return Fail(error, absl::StrCat("--", name, " needs a value"));
    const std::string value = equals == std::string::npos ? argv[++i] : argument.substr(equals + 1);
    if (!values->emplace(name, value).second) return Fail(error, absl::StrCat("--", name, " is given twice"));
  }
  return true;
}

bool ReadNumbers(const std::string& name, const std::string& text, std::vector<int64_t>* numbers, std::string* error) {
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(part, &number) || number < 1)
      return Fail(error, absl::StrCat("--", name, "=", text, ": '", part, "' is not a number from 1"));
    numbers->push_back(number);
  }
  return true;
}

// "name:1,3;other:2"; a name may hold colons.
bool ReadNamedDims(const std::string& name, const std::string& text, NamedDims* dims, std::string* error) {
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ';', absl::SkipWhitespace()))) {
    const size_t colon = part.rfind(':');
    if (colon == std::string::npos || colon == 0) return Fail(error, absl::StrCat("--", name, "=", text, ": '", part, "' is not name:d,d,..."));
    dims->emplace_back(part.substr(0, colon), std::vector<int64_t>());
    if (!ReadNumbers(name, part.substr(colon + 1), &dims->back().second, error)) return false;
  }
  return !dims->empty() || Fail(error, absl::StrCat("--", name, " is empty"));
}

bool ReadSwitch(const std::string& name, const std::string& text, bool* value, std::string* error) {
  *value = text == "true" || text == "1";
  return *value || text == "false" || text == "0" || Fail(error, absl::StrCat("--", name, "=", text, ": allowed are true and false"));
}

bool ReadRange(const std::string& name, const std::string& text, int least, int most, int* number, std::string* error) {
  return (absl::SimpleAtoi(text, number) && *number >= least && *number <= most) ||
         Fail(error, absl::StrCat("--", name, "=", text, ": allowed are ", least, " to ", most));
}

bool ReadOne(const std::string& name, const std::string& value, Options* o, std::string* error) {
  if (name == "help") return o->help = true;
  if (name == "model") return o->model = value, true;
  if (name == "output") return o->output = value, true;
  if (name == "input") return o->input = absl::StrSplit(value, ','), true;
  if (name == "outfmt") {
    o->text = value == "TXT";
    return o->text || value == "BIN" || Fail(error, absl::StrCat("--outfmt=", value, ": allowed are TXT and BIN"));
  }
  if (name == "loop") return ReadRange(name, value, 1, 100, &o->loop, error);
  if (name == "device") return ReadRange(name, value, 0, 255, &o->device, error);
  if (name == "debug") return ReadSwitch(name, value, &o->debug, error);
  if (name == "profiler") return ReadSwitch(name, value, &o->profiler, error);
  if (name == "dump") return ReadSwitch(name, value, &o->dump, error);
  if (name == "dymDims") return ReadNamedDims(name, value, &o->gear_dims, error);
  if (name == "dymShape") return ReadNamedDims(name, value, &o->shapes, error);
  if (name == "outputSize") return ReadNumbers(name, value, &o->output_sizes, error);
  std::vector<int64_t> numbers;
  if (!ReadNumbers(name, value, &numbers, error)) return false;
  if (name == "dymHW") {
    o->hw = numbers;
    return numbers.size() == 2 || Fail(error, absl::StrCat("--dymHW=", value, ": height,width"));
  }
  o->batch = numbers[0];
  return numbers.size() == 1 || Fail(error, absl::StrCat("--dymBatch=", value, ": one number"));
}

}  // namespace

bool ParseOptions(int argc, char** argv, Options* options, std::string* error) {
  Values values;
  if (!ReadValues(argc, argv, &values, error)) return false;
  for (const auto& [name, value] : values) {
    if (!ReadOne(name, value, options, error)) return false;
  }
  if (options->help) return true;
  if (options->model.empty()) return Fail(error, "--model is missing");
  if (options->profiler && options->dump) return Fail(error, "--profiler and --dump exclude each other");
  if ((options->profiler || options->dump) && options->output.empty()) return Fail(error, "--profiler and --dump need --output");
  if ((options->batch > 0) + !options->hw.empty() + !options->gear_dims.empty() + !options->shapes.empty() > 1) {
    return Fail(error, "--dymBatch, --dymHW, --dymDims and --dymShape exclude each other");
  }
  if (options->shapes.empty() != options->output_sizes.empty()) return Fail(error, "--dymShape and --outputSize belong together");
  return true;
}

std::string Usage() {
  std::string text = "Runs an offline model on files and prints the time of each execution.\n\nUsage: msame --model FILE [options]\n\nOptions:\n";
  for (const auto& option : kOptions) absl::StrAppendFormat(&text, "  --%-30s %s\n", absl::StrCat(option.name, " ", option.value), option.help);
  return text;
}

}  // namespace omkit::msame
