#include "tools/atc/compression_conf.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "frontends/amct/bin_samples.h"
#include "frontends/amct/text_file.h"
#include "tools/amct/policy.h"
#include "tools/atc/errors.h"
#include "tools/atc/input_shape.h"

namespace omkit::atc {
namespace {

// What input_shape says of one input.
struct DataShape {
  std::string input;
  std::vector<int64_t> dims;
};

absl::StatusOr<std::vector<DataShape>> ReadShapes(const std::string& text) {
  if (text.empty()) return absl::InvalidArgumentError("calibration.input_shape is required");
  OMKIT_ASSIGN_OR_RETURN(const InputShapes shapes, ParseInputShape(text));
  std::vector<DataShape> list;
  for (const InputShape& shape : shapes) {
    if (shape.name.empty() || shape.dims.empty() || AnyOpen({shape})) {
      return absl::InvalidArgumentError(absl::StrCat("calibration.input_shape: '", text, "' is not \"name:d0,d1,...;...\""));
    }
    list.push_back({shape.name, Dims(shape)});
  }
  return list;
}

// The files in the order of the model's inputs; `batches` is how often the data's batch holds the model's.
absl::StatusOr<frontends::BinSamples> OpenSamples(const amct::Calibration& calibration, const ir::Graph& graph, int* batches) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<DataShape> shapes, ReadShapes(calibration.input_shape()));
  const std::vector<std::string> files = absl::StrSplit(calibration.input_data_dir(), ',', absl::SkipEmpty());
  if (files.empty()) return absl::InvalidArgumentError("calibration.input_data_dir is required: one file per model input, separated by ','");
  if (files.size() != shapes.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("calibration.input_data_dir has ", files.size(), " files, input_shape has ", shapes.size(), " inputs"));
  }
  std::vector<std::vector<std::string>> ordered;
  for (ir::ValueId v : graph.inputs()) {
    const ir::Value& input = graph.value(v);
    const auto shape = std::find_if(shapes.begin(), shapes.end(), [&](const DataShape& s) { return s.input == input.name; });
    if (shape == shapes.end()) return absl::InvalidArgumentError(absl::StrCat("calibration.input_shape does not name input '", input.name, "'"));
    const Shape& bound = input.type.shape;
    const bool same = static_cast<int>(shape->dims.size()) == bound.rank() &&
                      (bound.rank() == 0 || std::equal(shape->dims.begin() + 1, shape->dims.end(), bound.dims().begin() + 1));
    if (!same || (bound.rank() > 0 && (bound.dim(0) < 1 || shape->dims[0] % bound.dim(0) != 0))) {
      return absl::InvalidArgumentError(absl::StrCat("calibration.input_shape: input '", input.name, "' of the model is ", bound.ToString(),
                                                     ", the data are ", Shape(shape->dims).ToString(),
                                                     "; only the first dimension may differ, by a whole factor"));
    }
    *batches = bound.rank() == 0 ? 1 : static_cast<int>(shape->dims[0] / bound.dim(0));
    ordered.push_back({files[shape - shapes.begin()]});
  }
  return frontends::BinSamples::Open(std::move(ordered), graph);
}

}  // namespace

absl::Status ReadCompressionConf(const std::string& path, const ir::Graph& graph, QuantizeOptions* quantize, absl::Status* data_error) {
  const auto failed = [&](const absl::Status& status) { return Error(ErrorCode::E13005, {path, std::string(status.message())}); };
  const absl::StatusOr<amct::CompressionOptimizeConf> conf = frontends::ReadCompressionConf(path);
  if (!conf.ok()) return failed(conf.status());
  if (!conf->has_calibration()) return failed(absl::InvalidArgumentError("no block calibration { ... }"));
  const amct::Calibration calibration = conf->calibration();
  if (conf->enable_first_layer_quantization())
    Log(LogLevel::kInfo, "enable_first_layer_quantization has no effect: the first layer is always quantized");
  if (calibration.has_infer_soc())
    Log(LogLevel::kInfo, absl::StrCat("infer_soc ", calibration.infer_soc(), " has no effect: calibration runs on this machine"));
  int batch_num = 0;
  if (!calibration.config_file().empty()) {
    const absl::StatusOr<amct::AMCTConfig> config = frontends::ReadAmctConfig(calibration.config_file());
    if (!config.ok()) return Error(ErrorCode::E13005, {calibration.config_file(), std::string(config.status().message())});
    const absl::Status applied = amct_tool::ApplyConfig(*config, graph, &quantize->policy);
    if (!applied.ok()) return Error(ErrorCode::E13005, {calibration.config_file(), std::string(applied.message())});
    if (config->has_batch_num()) batch_num = static_cast<int>(config->batch_num());
  }
  quantize->calibration = [calibration, batch_num, data_error](const ir::Graph& bound) -> absl::StatusOr<passes::CalibrationSource> {
    int batches = 1;
    absl::StatusOr<frontends::BinSamples> opened = OpenSamples(calibration, bound, &batches);
    if (!opened.ok()) return *data_error = opened.status();
    auto samples = std::make_shared<frontends::BinSamples>(*std::move(opened));
    const int64_t wanted = batch_num == 0 ? samples->size() : int64_t{batch_num} * batches;
    if (wanted > samples->size()) {
      return *data_error = absl::InvalidArgumentError(absl::StrCat("batch_num ", batch_num, " means ", wanted, " samples, but ",
                                                                   calibration.input_data_dir(), " holds ", samples->size()));
    }
    Log(LogLevel::kInfo, absl::StrCat("calibration: ", wanted, " samples of ", calibration.input_data_dir()));
    return passes::CalibrationSource{static_cast<int>(wanted), [samples, data_error](int i) {
                                       auto sample = samples->Sample(i);
                                       if (!sample.ok()) *data_error = sample.status();
                                       return sample;
                                     }};
  };
  return absl::OkStatus();
}

}  // namespace omkit::atc
