#include "tools/accuracy/measure.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "backends/compile.h"
#include "backends/evaluator.h"
#include "backends/run_side.h"
#include "base/file.h"
#include "base/status.h"
#include "frontends/calibration_data.h"
#include "frontends/frontend.h"
#include "frontends/qdq/absorb.h"
#include "passes/shapes.h"
#include "passes/side_by_side.h"
#include "runtime/model.h"
#include "runtime/soc.h"
#include "tools/accuracy/layers.h"
#include "tools/accuracy/onnx_runtime.h"

namespace omkit::accuracy {
namespace {

constexpr int kOnnx = 5;
constexpr char kOnnxRuntime[] = "onnxruntime";  // of --reference, instead of a folder

// Class per sample name, or in order.
class Labels {
 public:
  static absl::StatusOr<Labels> Read(const std::string& path, int offset) {
    Labels labels;
    OMKIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    int number = 0;
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      ++number;
      const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t\r,"), absl::SkipEmpty());
      if (words.empty()) continue;
      int label = 0;
      if (words.size() > 2 || !absl::SimpleAtoi(words.back(), &label)) {
        return absl::InvalidArgumentError(absl::StrCat("'", path, "' line ", number, ": a line is 'STEM CLASS' or 'CLASS', not '", line, "'"));
      }
      if (words.size() == 2) labels.by_name_[words[0].substr(0, words[0].rfind('.'))] = label + offset;
      else labels.in_order_.push_back(label + offset);
    }
    return labels;
  }

  // Less than 0: no label.
  int Of(const std::string& name, int i) const {
    const auto it = by_name_.find(name);
    if (it != by_name_.end()) return it->second;
    return by_name_.empty() && i < static_cast<int>(in_order_.size()) ? in_order_[i] : -1;
  }

 private:
  std::map<std::string, int> by_name_;
  std::vector<int> in_order_;
};

std::vector<float> Reals(const void* data, DType dtype, const std::vector<int64_t>& dims) {
  return passes::RealValues(Tensor::View({dtype, Shape(dims), {}, Layout::kPlain}, const_cast<void*>(data)));
}

// The float network in its own precision. A model that carries its own quantization keeps it: its Q and DQ nodes are computed in float.
absl::StatusOr<std::unique_ptr<ir::Graph>> FloatGraph(const Options& options, const runtime::Model& om, bool* own_quantization) {
  OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<ir::Graph> graph, frontends::Import(kOnnx, {options.model}));
  *own_quantization = frontends::CarriesQuantization(*graph);
  CompileOptions compile;
  for (const runtime::IoDesc& input : om.inputs()) compile.input_shapes[input.name] = input.dims;
  const absl::Status prepared = *own_quantization ? passes::RunPasses({passes::BindShapes(compile.input_shapes), passes::InferShapes()}, {}, *graph)
                                                  : PrepareGraph(compile, *graph);
  if (!prepared.ok()) return Annotate(prepared, absl::StrCat("'", options.model, "' with the input shapes of '", options.om, "'"));
  const bool fits = graph->inputs().size() == om.inputs().size() && graph->outputs().size() == om.outputs().size();
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat("'", options.om, "' has ", om.inputs().size(), " inputs and ", om.outputs().size(), " outputs, '",
                                                   options.model, "' has ", graph->inputs().size(), " and ", graph->outputs().size()));
  }
  for (size_t i = 0; i < om.inputs().size(); ++i) {
    const ir::Value& input = graph->value(graph->inputs()[i]);
    if (input.type.dtype != om.inputs()[i].dtype || input.type.shape.vec() != om.inputs()[i].dims) {
      return absl::InvalidArgumentError(absl::StrCat("input '", input.name, "' is ", input.type.ToString(), " in the network but ",
                                                     Name(om.inputs()[i].dtype), " ", Shape(om.inputs()[i].dims).ToString(), " in '", options.om,
                                                     "'"));
    }
  }
  return graph;
}

class Measurement {
 public:
  Measurement(const Options& options, Result* result) : options_(options), result_(*result) {}

  absl::Status Open() {
    RegisterAllKernels();
    OMKIT_ASSIGN_OR_RETURN(om_, runtime::Model::Load(options_.om));
    OMKIT_ASSIGN_OR_RETURN(graph_, FloatGraph(options_, *om_, &own_quantization_));
    OMKIT_ASSIGN_OR_RETURN(frontends::CalibrationData data, frontends::CalibrationData::Open(options_.data, *graph_, options_.preprocess));
    data_ = std::make_unique<frontends::CalibrationData>(std::move(data));
    if (!options_.labels.empty()) {
      OMKIT_ASSIGN_OR_RETURN(Labels labels, Labels::Read(options_.labels, options_.label_offset));
      labels_ = std::make_unique<Labels>(std::move(labels));
    }
    if (options_.reference == kOnnxRuntime) {
      OMKIT_ASSIGN_OR_RETURN(onnx_runtime_, OnnxRuntime::Start(options_.model, *graph_));
    }
    OMKIT_ASSIGN_OR_RETURN(floats_, BackendEvaluators(runtime::HostSoc().name)(*graph_, {}));
    result_.model = options_.model;
    result_.om = options_.om;
    result_.data = options_.data;
    result_.soc = om_->program().soc_version;
    result_.has_labels = labels_ != nullptr;
    result_.has_reference = !options_.reference.empty();
    result_.samples = options_.samples > 0 ? std::min(options_.samples, data_->size()) : data_->size();
    for (const runtime::IoDesc& output : om_->outputs()) {
      OutputResult entry;
      entry.name = output.name;
      entry.type = absl::StrCat(Name(output.dtype), " ", Shape(output.dims).ToString());
      result_.outputs.push_back(std::move(entry));
    }
    return absl::OkStatus();
  }

  absl::Status RunOutputs(const std::function<void(const char*, double)>& progress) {
    for (int i = 0; i < result_.samples; ++i) {
      OMKIT_RETURN_IF_ERROR(RunSample(i));
      progress("outputs", static_cast<double>(i + 1) / result_.samples);
    }
    if (labels_ != nullptr && result_.om_hits.seen == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", options_.labels, "' has no label for any of the samples, such as '", data_->SampleName(0), "'"));
    }
    return absl::OkStatus();
  }

  absl::Status RunLayers(const std::function<void(const char*, double)>& progress) {
    if (options_.layer_samples == 0) return absl::OkStatus();
    std::string text;
    for (const runtime::ManifestEntry& entry : om_->program().manifest) {
      if (entry.key == "quantization_recipe") text = entry.value;
    }
    if (own_quantization_ || text.empty()) {
      result_.no_layers =
          own_quantization_ ? "the network carries its own quantization" : "the offline model was not quantized by atc --quant_type=1";
      return absl::OkStatus();
    }
    OMKIT_ASSIGN_OR_RETURN(const passes::Recipe recipe, passes::ParseRecipe(text));
    std::vector<std::vector<Tensor>> samples;
    for (int i = 0; i < std::min(options_.layer_samples, result_.samples); ++i) {
      OMKIT_ASSIGN_OR_RETURN(std::vector<Tensor> sample, data_->Sample(i));
      samples.push_back(std::move(sample));
    }
    OMKIT_ASSIGN_OR_RETURN(result_.layers,
                           MeasureLayers(*graph_, recipe, result_.soc, samples, options_.effect, [&](double done) { progress("layers", done); }));
    for (const auto& [name, node] : recipe.nodes) {
      if (node.precision == passes::Precision::kFloat) result_.kept_float.push_back(name);
      if (node.precision == passes::Precision::kBFloat16) result_.bfloat16.push_back(name);
      if (node.precision == passes::Precision::kW8A16) result_.weights_only.push_back(name);
    }
    result_.has_layers = true;
    result_.suspects = FindSuspects(result_.layers);
    return absl::OkStatus();
  }

 private:
  absl::Status RunSample(int i) {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, data_->Sample(i));
    const size_t count = result_.outputs.size();
    std::vector<std::vector<float>> want(count), have(count);
    OMKIT_RETURN_IF_ERROR(floats_->Run(inputs, [&](ir::ValueId v, const Tensor& t) {
      for (size_t k = 0; k < count; ++k) {
        if (graph_->outputs()[k] == v) want[k] = passes::RealValues(t);
      }
    }));
    std::vector<const void*> in;
    for (const Tensor& t : inputs) in.push_back(t.raw());
    std::vector<std::string> buffers;
    std::vector<void*> out;
    for (const runtime::IoDesc& output : om_->outputs()) buffers.emplace_back(output.bytes, '\0');
    for (std::string& buffer : buffers) out.push_back(buffer.data());
    OMKIT_RETURN_IF_ERROR(om_->Execute(in, out));
    for (size_t k = 0; k < count; ++k) have[k] = Reals(buffers[k].data(), om_->outputs()[k].dtype, om_->outputs()[k].dims);
    std::vector<std::vector<float>> reference;
    if (result_.has_reference) {
      OMKIT_ASSIGN_OR_RETURN(reference, onnx_runtime_ == nullptr ? ReadReference(i) : onnx_runtime_->Run(inputs));
      for (size_t k = 0; k < count; ++k) {
        const size_t elements = k < reference.size() ? reference[k].size() : 0;
        if (elements == have[k].size()) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("output '", result_.outputs[k].name, "' has ", have[k].size(), " elements, in the reference ", elements));
      }
    }
    for (size_t k = 0; k < count; ++k) {
      OutputResult& output = result_.outputs[k];
      if (want[k].size() != have[k].size()) return absl::InvalidArgumentError(absl::StrCat("output '", output.name, "' differs in size"));
      output.to_float.Add(want[k], have[k]);
      if (!result_.has_reference) continue;
      output.to_reference.Add(reference[k], have[k]);
      output.float_to_reference.Add(reference[k], want[k]);
    }
    Count(i, want[0], have[0], reference.empty() ? nullptr : &reference[0]);
    return absl::OkStatus();
  }

  void Count(int i, const std::vector<float>& want, const std::vector<float>& have, const std::vector<float>* reference) {
    if (want.empty()) return;
    const auto best = [](const std::vector<float>& scores) { return std::max_element(scores.begin(), scores.end()) - scores.begin(); };
    result_.same_class += best(want) == best(have);
    if (labels_ == nullptr) return;
    const int label = labels_->Of(data_->SampleName(i), i);
    if (label < 0 || label >= static_cast<int>(want.size())) return;
    result_.float_hits.Add(RankOf(label, want));
    result_.om_hits.Add(RankOf(label, have));
    if (reference != nullptr) result_.reference_hits.Add(RankOf(label, *reference));
  }

  absl::StatusOr<std::vector<std::vector<float>>> ReadReference(int i) const {
    std::vector<std::vector<float>> outputs;
    for (size_t k = 0; k < om_->outputs().size(); ++k) {
      const runtime::IoDesc& desc = om_->outputs()[k];
      const std::string path = absl::StrCat(options_.reference, "/output_", k, "/", data_->SampleName(i), ".bin");
      OMKIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
      if (bytes.size() != desc.bytes) {
        return absl::InvalidArgumentError(absl::StrCat("'", path, "' has ", bytes.size(), " bytes, output '", desc.name, "' has ", desc.bytes));
      }
      outputs.push_back(Reals(bytes.data(), desc.dtype, desc.dims));
    }
    return outputs;
  }

  const Options& options_;
  Result& result_;
  bool own_quantization_ = false;
  std::unique_ptr<runtime::Model> om_;
  std::unique_ptr<ir::Graph> graph_;
  std::unique_ptr<ir::Evaluator> floats_;
  std::unique_ptr<frontends::CalibrationData> data_;
  std::unique_ptr<Labels> labels_;
  std::unique_ptr<OnnxRuntime> onnx_runtime_;
};

}  // namespace

absl::StatusOr<Result> Measure(const Options& options, const std::function<void(const char*, double)>& progress) {
  Result result;
  Measurement measurement(options, &result);
  OMKIT_RETURN_IF_ERROR(measurement.Open());
  OMKIT_RETURN_IF_ERROR(measurement.RunOutputs(progress));
  OMKIT_RETURN_IF_ERROR(Annotate(measurement.RunLayers(progress), "layers"));
  return result;
}

}  // namespace omkit::accuracy
