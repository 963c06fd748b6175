#include "tools/atc/quantization.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status.h"
#include "frontends/calibration_data.h"
#include "passes/statistics_file.h"
#include "runtime/om_file.h"
#include "tools/atc/aipp.h"
#include "tools/atc/compression_conf.h"
#include "tools/atc/errors.h"
#include "tools/atc/precision_files.h"

namespace omkit::atc {
namespace {

// A running line on a terminal; otherwise each tenth of the calibration is logged.
passes::ProgressFn CalibrationProgress() {
  auto line = std::make_shared<Progress>("calibration");
  return [line, last = 0](double done) mutable {
    line->Update(done);
    const int tenths = static_cast<int>(done * 10);
    if (!line->shown() && tenths != last) Log(LogLevel::kInfo, absl::StrCat("calibration: ", tenths * 10, "%"));
    last = tenths;
  };
}

// Opens the samples and leaves those of other shards out.
std::function<absl::StatusOr<passes::CalibrationSource>(const ir::Graph&)> CalibrationFrom(const Options& options, const frontends::AippConfig& aipp,
                                                                                           absl::Status* data_error) {
  const std::string folder = options.calibration_folder, preprocess = options.quant.preprocess;
  const int shard = options.quant.shard, shards = options.quant.shards;
  return [folder, preprocess, aipp, rules = options.aipp_rules, shard, shards,
          data_error](const ir::Graph& graph) -> absl::StatusOr<passes::CalibrationSource> {
    *data_error = absl::OkStatus();  // of a shape that was tried before
    absl::StatusOr<frontends::CalibrationData> opened = frontends::CalibrationData::Open(folder, graph, preprocess, AippPictures(aipp, rules, graph));
    if (!opened.ok()) return *data_error = opened.status();
    auto data = std::make_shared<frontends::CalibrationData>(*std::move(opened));
    Log(LogLevel::kInfo, absl::StrCat("calibration: ", data->size(), " samples in ", folder));
    return passes::CalibrationSource{(data->size() - shard + shards - 1) / shards, [data, shard, shards, data_error](int i) {
                                       auto sample = data->Sample(shard + i * shards);
                                       if (!sample.ok()) *data_error = sample.status();
                                       return sample;
                                     }};
  };
}

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

absl::Status ReadStatisticsFiles(const QuantOptions& quant, QuantizeOptions* quantize) {
  std::vector<std::string> files = quant.statistics;
  if (!quant.statistics_out.empty() && Exists(quant.statistics_out)) files.push_back(quant.statistics_out);
  for (const std::string& file : files) {
    const absl::StatusOr<passes::Statistics> read = passes::ReadStatistics(file);
    if (!read.ok()) return Error(ErrorCode::E13005, {file, std::string(read.status().message())});
    if (!quantize->statistics) quantize->statistics.emplace();
    const absl::Status merged = passes::Merge(*read, &*quantize->statistics);
    if (!merged.ok()) return Error(ErrorCode::E13005, {file, std::string(merged.message())});
  }
  return absl::OkStatus();
}

absl::Status ReadRecipe(const QuantOptions& quant, QuantizeOptions* quantize) {
  if (quant.recipe.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadFile(quant.recipe);
  if (!text.ok()) return Error(ErrorCode::E13001, {quant.recipe, std::string(text.status().message())});
  absl::StatusOr<passes::Recipe> recipe = passes::ParseRecipe(*text);
  if (!recipe.ok()) return Error(ErrorCode::E13005, {quant.recipe, std::string(recipe.status().message())});
  quantize->recipe = *std::move(recipe);
  return absl::OkStatus();
}

// The last number in what a command prints.
bool LastNumber(const std::string& text, double* number) {
  bool found = false;
  for (absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \t\r\n,:=%"), absl::SkipEmpty())) found |= absl::SimpleAtod(word, number);
  return found;
}

// Writes the recipe's offline model beside the output and has the command judge it.
absl::StatusOr<double> RunMetric(const Options& options, const CompileRecipe& compile, const passes::Recipe& recipe) {
  OMKIT_ASSIGN_OR_RETURN(const runtime::Program program, compile(recipe));
  const std::string om = absl::StrCat(options.output.substr(0, options.output.size() - 3), ".trial.om");
  OMKIT_RETURN_IF_ERROR(runtime::WriteOm(program, om));
  const std::string command = absl::StrReplaceAll(options.quant.metric_command, {{"{om}", om}});
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string printed;
  char block[4096];
  if (pipe != nullptr) {
    while (const size_t n = fread(block, 1, sizeof block, pipe)) printed.append(block, n);
  }
  const int status = pipe == nullptr ? -1 : pclose(pipe);
  unlink(om.c_str());
  double value = 0;
  if (status != 0 || !LastNumber(printed, &value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--accuracy_metric: '", command, "' ", status != 0 ? absl::StrCat("ended with status ", status) : "printed no number"));
  }
  return value;
}

void SetTarget(const Options& options, CompileRecipe compile, QuantizeOptions* quantize) {
  const QuantOptions& quant = options.quant;
  if (quant.target_metric.empty()) return;
  AccuracyTarget target;
  target.least = quant.target_value;
  target.metric = quant.target_metric == "cosine"      ? AccuracyTarget::Metric::kCosine
                  : quant.target_metric == "sqnr"      ? AccuracyTarget::Metric::kSqnr
                  : quant.target_metric == "agreement" ? AccuracyTarget::Metric::kAgreement
                                                       : AccuracyTarget::Metric::kExternal;
  target.external = [options, compile = std::move(compile)](const passes::Recipe& recipe) { return RunMetric(options, compile, recipe); };
  quantize->target = std::move(target);
  auto line = std::make_shared<Progress>("sensitivity of layers");
  quantize->search_progress = [line](double done) { line->Update(done); };
  // The best so far is on disk at any time.
  if (!quant.recipe_out.empty()) quantize->on_better = quantize->on_recipe;
}

// What files and modes say of single nodes and types.
void SetPrecision(const Options& options, const PrecisionLists& lists, passes::QuantizePolicy* policy) {
  policy->skip_nodes.insert(lists.float_nodes.begin(), lists.float_nodes.end());
  policy->skip_types.insert(lists.float_types.begin(), lists.float_types.end());
  policy->int8_nodes = lists.int8_nodes;
  policy->w8a16_nodes = lists.w8a16_nodes;
  policy->white_types = lists.white_types;
  policy->grey_types = lists.grey_types;
  policy->only_matrix = options.only_matrix_int8;
}

}  // namespace

absl::Status ReadBFloat16(const Options& options, const ir::Graph& graph, passes::BFloat16Policy* policy) {
  PrecisionLists lists;
  OMKIT_RETURN_IF_ERROR(ReadPrecisionFiles(options.precision_files, graph, &lists));
  const bool asks_for_int8 = !lists.int8_nodes.empty() || !lists.w8a16_nodes.empty();
  if (!options.int8 && asks_for_int8) return Error(ErrorCode::E10057, {"customize_dtypes with int8", "quant_type=1"});
  policy->all = options.bfloat16;
  policy->nodes = std::move(lists.bfloat16_nodes);
  policy->keep_nodes = std::move(lists.float_nodes);
  policy->keep_types = std::move(lists.float_types);
  policy->grey_types = std::move(lists.grey_types);
  return absl::OkStatus();
}

absl::Status ReadQuantizeOptions(const Options& options, const frontends::AippConfig& aipp, const ir::Graph& graph, CompileRecipe compile,
                                 QuantizeOptions* quantize, absl::Status* data_error) {
  const QuantOptions& quant = options.quant;
  quantize->progress = CalibrationProgress();
  quantize->effort = quant.effort == "fast" ? QuantEffort::kFast : quant.effort == "high" ? QuantEffort::kHigh : QuantEffort::kDefault;
  quantize->most_samples = quant.most_samples;
  quantize->statistics_only = quant.statistics_only;
  OMKIT_ASSIGN_OR_RETURN(quantize->policy.common.activation.method, passes::RangeMethodByName(quant.method));
  OMKIT_RETURN_IF_ERROR(ReadStatisticsFiles(quant, quantize));
  OMKIT_RETURN_IF_ERROR(ReadRecipe(quant, quantize));
  if (!options.calibration_folder.empty()) quantize->calibration = CalibrationFrom(options, aipp, data_error);
  if (!options.compression_conf.empty()) OMKIT_RETURN_IF_ERROR(ReadCompressionConf(options.compression_conf, graph, quantize, data_error));
  if (!quant.statistics_out.empty()) {
    quantize->on_statistics = [path = quant.statistics_out](const passes::Statistics& statistics) {
      return passes::WriteStatistics(statistics, path);
    };
  }
  if (!quant.recipe_out.empty()) {
    quantize->on_recipe = [path = quant.recipe_out](const passes::Recipe& recipe) {
      return WriteFile(path, passes::SerializeRecipe(recipe, /*lines=*/true));
    };
  }
  SetTarget(options, std::move(compile), quantize);
  PrecisionLists lists;
  OMKIT_RETURN_IF_ERROR(ReadPrecisionFiles(options.precision_files, graph, &lists));
  SetPrecision(options, lists, &quantize->policy);
  return absl::OkStatus();
}

}  // namespace omkit::atc
