#include "tools/atc/atc.h"

#include <signal.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "backends/compile.h"
#include "backends/plugin/load.h"
#include "base/file.h"
#include "base/log.h"
#include "base/picture_decoder.h"
#include "base/progress.h"
#include "base/status.h"
#include "frontends/frontend.h"
#include "frontends/image_file.h"
#include "frontends/onnx/exporter.h"
#include "frontends/qdq/absorb.h"
#include "frontends/qdq/encodings.h"
#include "runtime/om_file.h"
#include "runtime/soc.h"
#include "tools/atc/aipp.h"
#include "tools/atc/errors.h"
#include "tools/atc/flags.h"
#include "tools/atc/model_info.h"
#include "tools/atc/options.h"
#include "tools/atc/quantization.h"
#include "tools/atc/shape_choice.h"
#define XXH_INLINE_ALL
#include "xxhash.h"

namespace omkit::atc {

const char kFailure[] = "ATC run failed, Please check the detail log, Try 'atc --help' for more information";

namespace {

// Holds back the signals that end a program while the output is being written, so that no temporary file is left behind.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t held;
    sigemptyset(&held);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held, number);
    pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  ~SignalsHeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

absl::StatusOr<std::string> HashFile(const std::string& path) {
  OMKIT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const XXH128_hash_t hash = XXH3_128bits(file.data(), file.size());
  return absl::StrFormat("xxh3-128:%016x%016x", hash.high64, hash.low64);
}

void NoteSoc(const std::string& soc_version, std::ostream& out) {
  if (!runtime::IsSocAlias(soc_version)) return;
  const std::string row = runtime::HostSoc().name;
  out << "soc_version " << soc_version << " stands for " << row;
  if (soc_version != "host") out << ": the model is compiled for omkit's CPU implementation, not for the chip itself";
  out << "\n";
}

absl::Status AddEncodings(const std::string& path, ir::Graph& graph) {
  const absl::StatusOr<std::string> json = ReadFile(path);
  if (!json.ok()) return Error(ErrorCode::E13001, {path, std::string(json.status().message())});
  const absl::StatusOr<int> tensors = frontends::ApplyEncodings(*json, graph);
  if (!tensors.ok()) return Error(ErrorCode::E13005, {path, std::string(tensors.status().message())});
  Log(LogLevel::kInfo, absl::StrCat(*tensors, " tensors quantized by ", path));
  return absl::OkStatus();
}

// bfloat16 has the same results on every chip, and is fast where there are instructions for it.
void WarnOfSlowBFloat16(const std::string& soc_version, const passes::BFloat16Policy& policy) {
  const absl::StatusOr<runtime::SocRow> soc = runtime::FindSoc(soc_version);
  if (!policy.any() || !soc.ok() || soc->isa == Isa::kAvx512Vnni || !absl::StartsWith(soc->name, "npu-int8")) return;
  Log(LogLevel::kWarning,
      absl::StrCat(soc->name, " has no instructions for bfloat16: weights take half the memory, and layers run slower than in float32"));
}

absl::Status CheckOutputs(const Options& options, const runtime::Program& program) {
  for (const runtime::IoDesc& output : program.outputs) {
    if (options.fp32_outputs && output.dtype != DType::kFloat32) {
      return Error(ErrorCode::E10055, {absl::StrCat("--output_type=FP32, but output '", output.name, "' is ", Name(output.dtype))});
    }
  }
  return absl::OkStatus();
}

absl::Status CompileModel(const Options& options, const std::string& command_line, std::ostream& out) {
  NoteSoc(options.soc_version, out);
  absl::StatusOr<std::unique_ptr<ir::Graph>> graph = frontends::Import(options.framework, {options.model});
  if (!graph.ok()) {
    if (options.framework != 5)
      return Error(ErrorCode::E10001, {absl::StrCat(options.framework), "--framework", std::string(graph.status().message())});
    return WithCode(graph.status(), Stage::kImport, options.model);
  }
  if (!options.quant_encodings.empty()) OMKIT_RETURN_IF_ERROR(AddEncodings(options.quant_encodings, **graph));
  if (options.precision_files.any() && frontends::CarriesQuantization(**graph)) {
    Log(LogLevel::kWarning,
        "the model carries its own quantization, which is kept: --keep_dtype, --customize_dtypes, --op_precision_mode and --modify_mixlist say "
        "nothing about the layers that it quantizes");
  }
  CompileOptions compile;
  compile.soc_version = options.soc_version;
  frontends::AippConfig aipp;
  if (!options.aipp_config.empty()) {
    OMKIT_ASSIGN_OR_RETURN(aipp, ReadAipp(options.aipp_config));
  }
  OMKIT_RETURN_IF_ERROR(ChooseShapes(options, **graph, aipp, &compile));
  compile.command_line = command_line;
  absl::StatusOr<std::string> hash = HashFile(options.model);
  if (!hash.ok()) return WithCode(hash.status(), Stage::kImport, options.model);
  compile.source_hash = *hash;
  OMKIT_RETURN_IF_ERROR(ReadBFloat16(options, **graph, &compile.bfloat16));
  WarnOfSlowBFloat16(options.soc_version, compile.bfloat16);
  absl::Status data_error;
  if (options.int8) {
    compile.quant_type = QuantType::kInt8;
    const std::shared_ptr<const ir::Graph> imported = (*graph)->Clone();
    const CompileOptions plain = compile;
    const CompileRecipe compile_recipe = [imported, plain](const passes::Recipe& recipe) {
      CompileOptions with_recipe = plain;
      with_recipe.quantize.recipe = recipe;
      return Compile(imported->Clone(), with_recipe);
    };
    OMKIT_RETURN_IF_ERROR(ReadQuantizeOptions(options, aipp, **graph, compile_recipe, &compile.quantize, &data_error));
    const bool ready = compile.quantize.calibration || compile.quantize.statistics || compile.quantize.recipe;
    if (!ready && !frontends::CarriesQuantization(**graph)) {
      return Error(ErrorCode::E10058, {"--calibrate_tool_path", "--quant_type=1 needs a folder of calibration samples for this model."});
    }
  }
  // Not in the trials above: their samples are what the network sees.
  if (!options.aipp_config.empty()) compile.aipp = AippFrom(aipp, options.aipp_rules, out);
  // Nor is tuning: trials are judged by their outputs.
  Progress tuning("tuning");
  if (options.tune_mode != "off") {
    compile.tune.mode = options.tune_mode == "full" ? TuneMode::kFull : TuneMode::kFast;
    compile.tune.bank_folder = options.tune_folder;
    compile.tune.progress = [&tuning](double done) { tuning.Update(done); };
  }
  absl::Status export_error;
  if (!options.export_fake_quant.empty()) {
    compile.on_final_graph = [&](const ir::Graph& g) { export_error = frontends::WriteOnnx(g, {}, options.export_fake_quant); };
  }
  const absl::StatusOr<runtime::ShapedProgram> program = Compile(*std::move(graph), compile);
  if (!data_error.ok())
    return WithCode(data_error, Stage::kCalibrationData, options.compression_conf.empty() ? options.calibration_folder : options.compression_conf);
  if (options.quant.statistics_only && absl::IsCancelled(program.status())) return absl::OkStatus();
  if (!program.ok()) return WithCode(program.status(), Stage::kCompile, options.model);
  if (!export_error.ok()) return WithCode(export_error, Stage::kWrite, options.export_fake_quant);
  OMKIT_RETURN_IF_ERROR(CheckOutputs(options, *program));
  const SignalsHeldBack held;
  return WithCode(runtime::WriteOm(*program, options.output), Stage::kWrite, options.output);
}

absl::Status Run(const Options& options, const std::string& command_line, std::ostream& out) {
  if (options.mode == Mode::kCompile) OMKIT_RETURN_IF_ERROR(CompileModel(options, command_line, out));
  if (options.mode == Mode::kCompile && !options.show_model) return absl::OkStatus();
  OMKIT_ASSIGN_OR_RETURN(const std::string info, ModelInfo(options.mode == Mode::kCompile ? options.output : options.om));
  out << info;
  return absl::OkStatus();
}

// Before the options are read: plugins bring soc_version names. A file that cannot be used is told and the compilation goes on.
void LoadPlugins(const Flags& flags, std::ostream& out) {
  for (const runtime::RefusedPlugin& refused : LoadBackendPlugins(flags.Get("plugin_path")).refused)
    out << "not used: " << refused.reason.message() << "\n";
}

// What the offline model remembers of the command line: all that is not about where files lie, what is logged, and how the recipe was
// found, which the manifest holds itself. So equal models have equal bytes wherever they were made.
std::string CommandLine(const Flags& flags) {
  static const std::set<std::string>* const kLeftOut = [] {
    auto* names = new std::set<std::string>{"auto_tune_mode", "customize_dtypes", "export_fake_quant", "keep_dtype",        "log",
                                            "log_level",      "modify_mixlist",   "op_bank_path",      "op_precision_mode", "output"};
    for (const FlagRow& row : FlagRows()) {
      const std::string name = row.name;
      for (const char* prefix : {"accuracy_", "calibrate_", "quant_effort", "quant_recipe"}) {
        if (absl::StartsWith(name, prefix)) names->insert(name);
      }
    }
    return names;
  }();
  return absl::StrCat("atc ", flags.TypedWithout(*kLeftOut));
}

std::string Now() { return absl::FormatTime("%Y-%m-%d-%H:%M:%E6S", absl::Now(), absl::LocalTimeZone()); }

}  // namespace

int RunAtc(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err) {
  std::string usage_error;
  const absl::StatusOr<Flags> flags = Flags::Parse(arguments, &usage_error);
  if (flags.ok() && flags->help()) {
    out << HelpText();
    return 0;
  }
  out << "ATC start working now, please wait for a moment." << std::endl;
  absl::Status status = flags.status();
  SetPictureDecoder(frontends::DecodeImage);
  if (status.ok()) {
    LoadPlugins(*flags, out);
    const absl::StatusOr<Options> options = MakeOptions(*flags);
    status = options.ok() ? Run(*options, CommandLine(*flags), out) : options.status();
  }
  if (!usage_error.empty()) err << usage_error << std::endl;
  out << "...\n";
  if (status.ok()) {
    out << "ATC run success, welcome to the next use." << std::endl;
    return 0;
  }
  out << kFailure << "\n";
  if (usage_error.empty()) out << FormatError(status, getpid(), Now());
  out.flush();
  return 1;
}

}  // namespace omkit::atc
