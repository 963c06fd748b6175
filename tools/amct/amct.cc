#include "tools/amct/amct.h"

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "backends/backend.h"
#include "backends/compile.h"
#include "backends/evaluator.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status.h"
#include "frontends/amct/bin_samples.h"
#include "frontends/amct/layer_record.h"
#include "frontends/amct/text_file.h"
#include "frontends/onnx/exporter.h"
#include "frontends/onnx/importer.h"
#include "frontends/qdq/absorb.h"
#include "ir/op.h"
#include "passes/quantize.h"
#include "runtime/soc.h"
#include "tools/amct/policy.h"
#include "tools/atc/input_shape.h"

namespace omkit::amct_tool {
namespace {

using Flags = std::map<std::string, std::string>;

struct FlagRow {
  const char* name;
  const char* commands;
  bool required;
  const char* help;
};

constexpr FlagRow kFlags[] = {
#define OMKIT_AMCT_FLAG(name, commands, required, help) {#name, commands, required, help},
#include "tools/amct/flags.inc"
#undef OMKIT_AMCT_FLAG
};

std::string Help() {
  std::string text =
      "amct calibration --model=net.onnx --save_path=out/net --data_dir=calibration_bins [...]\n"
      "amct save_model --model=net.onnx --save_path=out/net --record_file=out/net_record.txt [...]\n\n"
      "calibration measures the network on samples and writes\n"
      "  <save_path>_record.txt             scale and offset of each layer, text to look at, to compare and to edit\n"
      "  <save_path>_fake_quant_model.onnx  float network that rounds like the INT8 one, for any ONNX runtime\n"
      "  <save_path>_deploy_model.onnx      INT8 network for atc --framework=5 (no --quant_type)\n"
      "save_model writes the two models again from a record.\n\n";
  for (const FlagRow& row : kFlags) {
    const bool both = absl::string_view(row.commands) == "cs";
    absl::StrAppendFormat(&text, "  --%-20s %s%s%s\n", row.name, row.required ? "required; " : "", both ? "" : "calibration only; ", row.help);
  }
  return text;
}

// "--name=value" and "--name value".
absl::StatusOr<Flags> ParseFlags(absl::Span<const std::string> arguments, char command) {
  Flags flags;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::vector<std::string> parts = absl::StrSplit(arguments[i], absl::MaxSplits('=', 1));
    const std::string name = absl::StartsWith(parts[0], "--") ? parts[0].substr(2) : parts[0];
    const FlagRow* row = nullptr;
    std::vector<std::string> known;
    for (const FlagRow& r : kFlags) {
      if (absl::StrContains(r.commands, command)) known.push_back(r.name);
      if (r.name == name && absl::StrContains(r.commands, command)) row = &r;
    }
    if (row == nullptr || !absl::StartsWith(parts[0], "--")) {
      const std::string near = NearestName(name, known);
      return absl::InvalidArgumentError(
          absl::StrCat("unknown argument '", arguments[i], "'", near.empty() ? "" : absl::StrCat("; did you mean --", near, "?")));
    }
    if (parts.size() < 2 && i + 1 == arguments.size()) return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
    const std::string value = parts.size() == 2 ? parts[1] : arguments[++i];
    if (!flags.emplace(name, value).second) return absl::InvalidArgumentError(absl::StrCat("--", name, " is given twice"));
  }
  for (const FlagRow& row : kFlags) {
    if (row.required && absl::StrContains(row.commands, command) && flags[row.name].empty()) {
      return absl::InvalidArgumentError(absl::StrCat("--", row.name, " is required: ", row.help));
    }
  }
  return flags;
}

absl::Status SetLog(const std::string& level) {
  const std::map<std::string, LogLevel> levels = {
      {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo}, {"", LogLevel::kWarning}, {"warning", LogLevel::kWarning}, {"error", LogLevel::kError}};
  const auto it = levels.find(level);
  if (it == levels.end()) return absl::InvalidArgumentError(absl::StrCat("--log=", level, "; expected debug, info, warning or error"));
  SetLogLevel(it->second);
  return absl::OkStatus();
}

// Layers are what AMCT quantizes; everything between them computes on floats in its models.
bool IsLayer(ir::OpKind op) { return op == ir::OpKind::kConv || op == ir::OpKind::kDense || op == ir::OpKind::kGemm || op == ir::OpKind::kMatMul; }

// A network on its way to INT8.
struct Network {
  std::unique_ptr<ir::Graph> imported;  // names as in the file
  std::unique_ptr<ir::Graph> graph;     // fused
  passes::QuantizePolicy policy;
};

absl::StatusOr<Network> Load(Flags& flags) {
  Network network;
  OMKIT_ASSIGN_OR_RETURN(network.imported, frontends::ImportOnnx(flags["model"]));
  if (frontends::CarriesQuantization(*network.imported)) {
    return absl::InvalidArgumentError(absl::StrCat(flags["model"], " is quantized already; compile it with atc as it is"));
  }
  CompileOptions options;
  OMKIT_ASSIGN_OR_RETURN(atc::InputShapes shapes, atc::ParseInputShape(flags["input_shape"]));
  OMKIT_ASSIGN_OR_RETURN(shapes, atc::MatchInputs(std::move(shapes), *network.imported, "input_shape"));
  if (atc::AnyOpen(shapes)) return absl::InvalidArgumentError("--input_shape must give every dimension as a number: a calibration has one shape");
  for (const atc::InputShape& shape : shapes) options.input_shapes[shape.name] = atc::Dims(shape);
  network.graph = network.imported->Clone();
  OMKIT_RETURN_IF_ERROR(PrepareGraph(options, *network.graph));
  const Backend* backend = BackendsFor(runtime::HostSoc().name).front();
  network.policy.supported = [backend](const ir::Graph& g, const ir::Node& node) { return IsLayer(node.op) && backend->SupportsInt8(g, node); };
  network.policy.weight_only = [backend](const ir::Graph& g, const ir::Node& node) { return backend->SupportsInt8Weights(g, node); };
  return network;
}

// The tensor that a layer reads, as the quantizer knows it.
struct LayerInput {
  std::string layer;
  ir::ValueId value;
};

std::vector<LayerInput> LayerInputs(const ir::Graph& graph, const passes::QuantizationPlan& plan) {
  std::vector<LayerInput> inputs;
  for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(plan.int8_node.size()); ++id) {
    if (!graph.alive(id) || !plan.int8_node[id] || !IsLayer(graph.node(id).op)) continue;
    inputs.push_back({graph.node(id).name, graph.node(id).inputs[0]});
  }
  return inputs;
}

absl::Status WriteText(const std::string& path, const std::string& text) {
  OMKIT_ASSIGN_OR_RETURN(AtomicWriter writer, AtomicWriter::Create(path));
  OMKIT_RETURN_IF_ERROR(writer.Append(text));
  return writer.Commit();
}

absl::Status WriteModels(const ir::Graph& graph, const std::string& save_path, std::ostream& out) {
  const std::pair<const char*, frontends::QuantStyle> models[] = {{"_fake_quant_model.onnx", frontends::QuantStyle::kQdq},
                                                                  {"_deploy_model.onnx", frontends::QuantStyle::kAscend}};
  for (const auto& [suffix, style] : models) {
    frontends::ExportOptions options;
    options.style = style;
    const std::string path = absl::StrCat(save_path, suffix);
    OMKIT_RETURN_IF_ERROR(frontends::WriteOnnx(graph, options, path));
    out << "wrote " << path << "\n";
  }
  return absl::OkStatus();
}

absl::StatusOr<frontends::BinSamples> OpenSamples(Flags& flags, const ir::Graph& graph) {
  std::vector<std::vector<std::string>> files;
  for (absl::string_view folder : absl::StrSplit(flags["data_dir"], ';', absl::SkipEmpty())) {
    OMKIT_ASSIGN_OR_RETURN(files.emplace_back(), frontends::FilesIn(std::string(folder)));
  }
  const std::vector<std::string> types = absl::StrSplit(flags["data_types"], ';', absl::SkipEmpty());
  for (size_t k = 0; k < types.size(); ++k) {
    if (k >= graph.inputs().size()) return absl::InvalidArgumentError(absl::StrCat("--data_types names ", types.size(), " types"));
    const ir::Value& input = graph.value(graph.inputs()[k]);
    if (types[k] != Name(input.type.dtype)) {
      return absl::InvalidArgumentError(absl::StrCat("--data_types: input '", input.name, "' is ", Name(input.type.dtype), ", not ", types[k]));
    }
  }
  absl::StatusOr<frontends::BinSamples> samples = frontends::BinSamples::Open(std::move(files), graph);
  if (!samples.ok()) return Annotate(samples.status(), "--data_dir");
  return samples;
}

// 0: all.
absl::StatusOr<int> BatchNum(Flags& flags, const amct::AMCTConfig& config) {
  if (flags["batch_num"].empty()) return config.has_batch_num() ? static_cast<int>(config.batch_num()) : 0;
  int number = 0;
  if (absl::SimpleAtoi(flags["batch_num"], &number) && number > 0) return number;
  return absl::InvalidArgumentError(absl::StrCat("--batch_num=", flags["batch_num"], " is no number above 0"));
}

absl::Status Calibrate(Flags& flags, std::ostream& out) {
  OMKIT_ASSIGN_OR_RETURN(Network network, Load(flags));
  ir::Graph& graph = *network.graph;
  amct::AMCTConfig config;
  if (!flags["calibration_config"].empty()) {
    OMKIT_ASSIGN_OR_RETURN(config, frontends::ReadAmctConfig(flags["calibration_config"]));
    OMKIT_RETURN_IF_ERROR(Annotate(ApplyConfig(config, *network.imported, &network.policy), flags["calibration_config"]));
  }
  OMKIT_ASSIGN_OR_RETURN(const passes::QuantizationPlan plan, passes::PlanQuantization(graph, network.policy));
  if (plan.values.empty()) return absl::InvalidArgumentError("no layer of the network can be quantized");
  OMKIT_ASSIGN_OR_RETURN(const frontends::BinSamples samples, OpenSamples(flags, graph));
  OMKIT_ASSIGN_OR_RETURN(const int wanted, BatchNum(flags, config));
  if (wanted > samples.size()) {
    return absl::InvalidArgumentError(absl::StrCat("batch_num is ", wanted, ", but the data are ", samples.size(), " batches"));
  }
  const passes::CalibrationSource source{wanted == 0 ? samples.size() : wanted, [&](int i) { return samples.Sample(i); }};
  passes::Statistics statistics;
  passes::CollectOptions collect;
  auto progress = std::make_shared<Progress>("calibration");
  collect.progress = [progress](double done) { progress->Update(done); };
  OMKIT_RETURN_IF_ERROR(passes::Collect(graph, plan.values, source, BackendEvaluators(runtime::HostSoc().name), collect, &statistics));
  // IFMR is AMCT's default.
  const passes::Recipe recipe = passes::MakeRecipe(graph, plan, network.policy, statistics, passes::RangeMethod::kIfmr);
  OMKIT_RETURN_IF_ERROR(passes::Quantize(plan, recipe, graph));
  OMKIT_ASSIGN_OR_RETURN(const amct::ScaleOffsetRecord record, frontends::RecordOf(graph));
  const std::string path = flags["record_file"].empty() ? absl::StrCat(flags["save_path"], "_record.txt") : flags["record_file"];
  out << record.record_size() << " layers quantized with " << source.count << " batches\n";
  OMKIT_RETURN_IF_ERROR(WriteText(path, frontends::SerializeRecord(record)));
  out << "wrote " << path << "\n";
  return WriteModels(graph, flags["save_path"], out);
}

// The record's scale_w says what the weights had; a value that was edited would not be followed.
void CompareWeights(const ir::Graph& graph, const amct::ScaleOffsetRecord& record) {
  const absl::StatusOr<amct::ScaleOffsetRecord> now = frontends::RecordOf(graph);
  if (!now.ok()) return;
  std::map<std::string, const amct::SingleLayerRecord*> given;
  for (const auto& entry : record.record()) given[entry.key()] = &entry.value();
  for (const auto& entry : now->record()) {
    const amct::SingleLayerRecord& old = *given[entry.key()];
    for (int c = 0; c < std::min(old.scale_w_size(), entry.value().scale_w_size()); ++c) {
      if (std::abs(old.scale_w(c) / entry.value().scale_w(c) - 1.0f) < 0.01f) continue;
      Log(LogLevel::kWarning, absl::StrCat("record: scale_w[", c, "] of layer '", entry.key(), "' is ", old.scale_w(c),
                                           "; weights keep the scale that holds them, ", entry.value().scale_w(c)));
      break;
    }
  }
}

absl::Status SaveModel(Flags& flags, std::ostream& out) {
  if (flags["record_file"].empty()) return absl::InvalidArgumentError("--record_file is required: what to write the models from");
  OMKIT_ASSIGN_OR_RETURN(Network network, Load(flags));
  ir::Graph& graph = *network.graph;
  OMKIT_ASSIGN_OR_RETURN(const amct::ScaleOffsetRecord record, frontends::ReadRecord(flags["record_file"]));
  std::map<std::string, const amct::SingleLayerRecord*> layers;
  for (const auto& entry : record.record()) layers[entry.key()] = &entry.value();
  const auto supported = network.policy.supported;
  network.policy.supported = [&](const ir::Graph& g, const ir::Node& node) { return layers.count(node.name) != 0 && supported(g, node); };
  OMKIT_ASSIGN_OR_RETURN(const passes::QuantizationPlan plan, passes::PlanQuantization(graph, network.policy));
  passes::Recipe recipe;
  std::vector<std::string> known;
  std::map<ir::ValueId, std::string> readers;
  for (const LayerInput& input : LayerInputs(graph, plan)) {
    known.push_back(input.layer);
    const auto range = frontends::RangeOf(*layers[input.layer]);
    if (!range.ok()) return Annotate(range.status(), absl::StrCat(flags["record_file"], ": layer '", input.layer, "'"));
    const auto [first, fresh] = readers.emplace(input.value, input.layer);
    const amct::SingleLayerRecord &a = *layers[first->second], &b = *layers[input.layer];
    if (!fresh && (a.scale_d() != b.scale_d() || a.offset_d() != b.offset_d())) {
      return absl::InvalidArgumentError(absl::StrCat(flags["record_file"], ": layers '", first->second, "' and '", input.layer,
                                                     "' read the same tensor, so scale_d and offset_d must be equal"));
    }
    recipe.tensors[graph.value(input.value).name] = {{range->min, range->max}, "record"};
  }
  for (const auto& [name, layer] : layers) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = NearestName(name, known);
    return absl::InvalidArgumentError(absl::StrCat(flags["record_file"], ": the model has no layer '", name, "' to quantize",
                                                   near.empty() ? "" : absl::StrCat("; did you mean '", near, "'?")));
  }
  OMKIT_RETURN_IF_ERROR(passes::Quantize(plan, recipe, graph));
  CompareWeights(graph, record);
  out << layers.size() << " layers quantized as recorded\n";
  return WriteModels(graph, flags["save_path"], out);
}

}  // namespace

int RunAmct(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err) {
  const std::string command = arguments.empty() ? "" : arguments[0];
  if (command == "--help" || command == "-h" || command == "help") {
    out << Help();
    return 0;
  }
  if (command != "calibration" && command != "save_model") {
    err << (command.empty() ? "amct needs a command" : absl::StrCat("amct: unknown command '", command, "'")) << "\n\n" << Help();
    return 2;
  }
  arguments.remove_prefix(1);
  for (const std::string& argument : arguments) {
    if (argument != "--help" && argument != "-h") continue;
    out << Help();
    return 0;
  }
  absl::StatusOr<Flags> flags = ParseFlags(arguments, command[0]);
  absl::Status status = flags.ok() ? SetLog((*flags)["log"]) : flags.status();
  if (!status.ok()) {
    err << "amct: " << status.message() << "\n";
    return 2;
  }
  status = command == "calibration" ? Calibrate(*flags, out) : SaveModel(*flags, out);
  if (status.ok()) return 0;
  err << "amct: " << status.message() << "\n";
  return 1;
}

}  // namespace omkit::amct_tool
