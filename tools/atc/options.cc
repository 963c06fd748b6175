#include "tools/atc/options.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "runtime/soc.h"
#include "tools/atc/errors.h"

namespace omkit::atc {
namespace {

absl::Status CheckRejected(const Flags& flags) {
  for (const FlagRow& row : FlagRows()) {
    if (row.status != FlagStatus::kRejected || flags.Get(row.name) == row.default_value) continue;
    return Error(ErrorCode::E10055,
                 {absl::StrCat("--", row.name, "=", flags.Get(row.name), " (", row.help, ") is not supported; leave the flag out")});
  }
  return absl::OkStatus();
}

void LogFlagsWithoutEffect(const Flags& flags) {
  for (const FlagRow& row : FlagRows()) {
    if (row.status == FlagStatus::kNoEffect && flags.Given(row.name)) {
      Log(LogLevel::kInfo, absl::StrCat("--", row.name, "=", flags.Get(row.name), " has no effect: ", row.help));
    }
  }
}

absl::StatusOr<LogLevel> ChooseLogLevel(const Flags& flags) {
  if (flags.Given("log") && flags.Given("log_level") && flags.Get("log") != flags.Get("log_level")) {
    return Error(ErrorCode::E10056, {"--log", "--log_level"});
  }
  const std::string name = flags.Given("log_level") && !flags.Get("log_level").empty() ? flags.Get("log_level") : flags.Get("log");
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kSilent;
}

absl::Status CheckPairs(const Flags& flags) {
  if (flags.Given("precision_mode") && flags.Given("precision_mode_v2")) return Error(ErrorCode::E10056, {"--precision_mode", "--precision_mode_v2"});
  if (flags.Given("optypelist_for_implmode") && !flags.Given("op_select_implmode")) {
    return Error(ErrorCode::E10057, {"optypelist_for_implmode", "op_select_implmode"});
  }
  if (flags.Given("deterministic") && flags.Given("deterministic_level") &&
      (flags.GetInt("deterministic") == 0) != (flags.GetInt("deterministic_level") == 0)) {
    return Error(ErrorCode::E10001,
                 {flags.Get("deterministic_level"), "--deterministic_level", "It and --deterministic must both be 0 or both be non-zero"});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> OutputPath(const std::string& output) {
  if (output.back() == '/') return Error(ErrorCode::E10022, {output, "output"});
  const size_t slash = output.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : output.substr(0, slash + 1);
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return Error(ErrorCode::E10001, {output, "--output", absl::StrCat("Cannot write to folder '", folder, "': ", std::strerror(errno))});
  }
  return absl::StrCat(output, ".om");
}

absl::Status ReadShard(const std::string& text, QuantOptions* quant) {
  if (text.empty()) return absl::OkStatus();
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('/', 1));
  if (absl::SimpleAtoi(parts.first, &quant->shard) && absl::SimpleAtoi(parts.second, &quant->shards) && quant->shard >= 0 &&
      quant->shard < quant->shards) {
    return absl::OkStatus();
  }
  return Error(ErrorCode::E10001, {text, "--calibrate_shard", "It must be \"K/N\" with 0 <= K < N"});
}

absl::Status ReadTarget(const Flags& flags, QuantOptions* quant) {
  const std::string text = flags.Get("accuracy_target");
  quant->metric_command = flags.Get("accuracy_metric");
  if (!text.empty()) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits(">=", 1));
    quant->target_metric = std::string(absl::StripAsciiWhitespace(parts.first));
    const std::string& name = quant->target_metric;
    const bool known = name == "cosine" || name == "sqnr" || name == "agreement" || name == "metric";
    if (!known || !absl::SimpleAtod(parts.second, &quant->target_value)) {
      return Error(ErrorCode::E10001, {text, "--accuracy_target", "It must be \"cosine>=X\", \"sqnr>=X\", \"agreement>=X\" or \"metric>=X\""});
    }
  }
  if ((quant->target_metric == "metric") != !quant->metric_command.empty()) {
    return Error(ErrorCode::E10057, {"accuracy_target=\"metric>=X\"", "accuracy_metric"});
  }
  return absl::OkStatus();
}

// Flags that mean something with --quant_type=1 only.
constexpr const char* kQuantFlags[] = {"accuracy_metric",     "accuracy_target", "calibrate_preprocess", "calibrate_method",
                                       "calibrate_samples",   "calibrate_shard", "calibrate_statistics", "calibrate_statistics_out",
                                       "calibrate_tool_path", "quant_effort",    "quant_recipe",         "quant_recipe_out"};

// What the precision modes of ATC mean where the types are INT8, FP32 and bfloat16. The modes speak of float16; with --quant_type=1 INT8 takes its
// place as the type that is fast, and FP32 the place of what is exact. The modes of bfloat16 have that for matrix operators that are not INT8.
struct PrecisionMode {
  const char* name;
  bool mixed;        // with lists that --modify_mixlist changes
  bool only_matrix;  // matrix operators in the fast type, the others exact
  bool keeps;        // the model's own types
  bool bfloat16 = false;
};
constexpr PrecisionMode kPrecisionModes[] = {
    {"force_fp16", false, false, false},
    {"must_keep_origin_dtype", false, false, true},
    {"force_fp32", false, true, false},
    {"cube_fp16in_fp32out", false, true, false},
    {"allow_fp32_to_fp16", false, true, false},
    {"allow_mix_precision", true, false, false},
    {"allow_mix_precision_fp16", true, false, false},
    {"allow_mix_precision_bf16", true, false, false, true},
    {"allow_fp32_to_bf16", false, false, true},
    {"fp16", false, false, false},
    {"origin", false, false, true},
    {"mixed_float16", true, false, false},
    {"mixed_bfloat16", true, false, false, true},
};

// Files are checked with the model.
absl::Status ReadPrecision(const Flags& flags, Options* options) {
  for (const char* flag : {"keep_dtype", "customize_dtypes", "op_precision_mode", "modify_mixlist"}) {
    if (flags.Given(flag) && flags.Get(flag).empty()) return Error(ErrorCode::E10004, {flag});
  }
  options->precision_files = {flags.Get("keep_dtype"), flags.Get("customize_dtypes"), flags.Get("op_precision_mode"), flags.Get("modify_mixlist")};
  const std::string flag = flags.Given("precision_mode_v2") ? "precision_mode_v2" : "precision_mode";
  const std::string name = flags.Get(flag);
  for (const PrecisionMode& mode : kPrecisionModes) {
    if (name != mode.name) continue;
    if (mode.keeps && options->int8)
      return Error(ErrorCode::E10056,
                   {options->compression_conf.empty() ? "--quant_type=1" : "--compression_optimize_conf", absl::StrCat("--", flag, "=", name)});
    options->only_matrix_int8 = mode.only_matrix;
    options->bfloat16 = mode.bfloat16;
    if (mode.mixed || options->precision_files.mixlist.empty()) return absl::OkStatus();
    return Error(ErrorCode::E10001, {options->precision_files.mixlist, "--modify_mixlist",
                                     absl::StrCat("The lists are those of the mixed modes; it needs --precision_mode=allow_mix_precision, "
                                                  "allow_mix_precision_fp16 or allow_mix_precision_bf16, or --precision_mode_v2=mixed_float16 or "
                                                  "mixed_bfloat16, not --",
                                                  flag, "=", name)});
  }
  return Error(ErrorCode::E10055, {absl::StrCat("--", flag, "=", name, ": this chip has no hifloat8 numbers")});
}

absl::Status ReadQuant(const Flags& flags, QuantOptions* quant) {
  quant->preprocess = flags.Get("calibrate_preprocess");
  quant->method = flags.Get("calibrate_method");
  quant->effort = flags.Get("quant_effort");
  quant->most_samples = flags.GetInt("calibrate_samples");
  OMKIT_RETURN_IF_ERROR(ReadShard(flags.Get("calibrate_shard"), quant));
  OMKIT_RETURN_IF_ERROR(ReadTarget(flags, quant));
  quant->statistics = absl::StrSplit(flags.Get("calibrate_statistics"), ',', absl::SkipEmpty());
  quant->statistics_out = flags.Get("calibrate_statistics_out");
  quant->statistics_only = !quant->statistics_out.empty() && flags.Get("output").empty();
  quant->recipe = flags.Get("quant_recipe");
  quant->recipe_out = flags.Get("quant_recipe_out");
  if (quant->shards > 1 && quant->statistics_out.empty()) return Error(ErrorCode::E10057, {"calibrate_shard", "calibrate_statistics_out"});
  for (const char* other : {"calibrate_tool_path", "calibrate_statistics", "calibrate_statistics_out"}) {
    if (!quant->recipe.empty() && flags.Given(other)) return Error(ErrorCode::E10056, {"--quant_recipe", absl::StrCat("--", other)});
  }
  return absl::OkStatus();
}

absl::Status ReadQuantization(const Flags& flags, Options* options) {
  options->compression_conf = flags.Get("compression_optimize_conf");
  options->int8 = flags.GetInt("quant_type") == 1 || !options->compression_conf.empty();
  for (const char* other : {"calibrate_tool_path", "calibrate_preprocess", "quant_recipe"}) {
    if (!options->compression_conf.empty() && flags.Given(other))
      return Error(ErrorCode::E10056, {"--compression_optimize_conf", absl::StrCat("--", other)});
  }
  for (const char* flag : kQuantFlags) {
    if (!options->int8 && flags.Given(flag)) return Error(ErrorCode::E10057, {flag, "quant_type=1"});
  }
  OMKIT_RETURN_IF_ERROR(ReadPrecision(flags, options));
  OMKIT_RETURN_IF_ERROR(ReadQuant(flags, &options->quant));
  options->calibration_folder = flags.Get("calibrate_tool_path");
  options->export_fake_quant = flags.Get("export_fake_quant");
  options->quant_encodings = flags.Get("quant_encodings");
  if (flags.Given("calibrate_tool_path") && options->calibration_folder.empty()) return Error(ErrorCode::E10004, {"calibrate_tool_path"});
  return absl::OkStatus();
}

absl::Status ReadAipp(const Flags& flags, Options* options) {
  options->aipp_config = flags.Get("insert_op_conf");
  if (flags.Given("insert_op_conf") && options->aipp_config.empty()) return Error(ErrorCode::E10004, {"insert_op_conf"});
  for (const char* flag : {"aipp_min_chn", "aipp_strict"}) {
    if (flags.Given(flag) && options->aipp_config.empty()) return Error(ErrorCode::E10057, {flag, "insert_op_conf"});
  }
  if (flags.Given("insert_op_conf") && flags.Given("export_fake_quant")) return Error(ErrorCode::E10056, {"--insert_op_conf", "--export_fake_quant"});
  const std::string meaning = flags.Get("aipp_min_chn");
  if (meaning == "subtract") options->aipp_rules.min_meaning = frontends::MinMeaning::kSubtract;
  if (meaning == "std") options->aipp_rules.min_meaning = frontends::MinMeaning::kStd;
  options->aipp_rules.strict = flags.Get("aipp_strict") == "true";
  return absl::OkStatus();
}

// --op_bank_path, else CANN's TUNE_BANK_PATH, else the user's cache; empty when there is no home either.
std::string TuneBankFolder(const Flags& flags) {
  if (!flags.Get("op_bank_path").empty()) return flags.Get("op_bank_path");
  const std::pair<const char*, const char*> folders[] = {{"TUNE_BANK_PATH", ""}, {"XDG_CACHE_HOME", "/omkit/tune"}, {"HOME", "/.cache/omkit/tune"}};
  for (const auto& [variable, below] : folders) {
    const char* folder = std::getenv(variable);
    if (folder != nullptr && *folder != '\0') return absl::StrCat(folder, below);
  }
  return "";
}

void ReadTune(const Flags& flags, Options* options) {
  options->tune_mode = flags.Get("auto_tune_mode");
  options->tune_folder = TuneBankFolder(flags);
}

absl::Status ReadShapes(const Flags& flags, Options* options) {
  OMKIT_ASSIGN_OR_RETURN(options->input_shapes, ParseInputShape(flags.Get("input_shape")));
  OMKIT_ASSIGN_OR_RETURN(options->gears, ReadGears(flags, options->input_shapes));
  const std::string range = flags.Get("input_shape_range"), hint = flags.Get("input_hint_shape");
  if (!range.empty()) {
    Log(LogLevel::kWarning, "--input_shape_range is deprecated; --input_shape takes ranges as well");
    OMKIT_ASSIGN_OR_RETURN(options->shape_ranges, ParseInputShapeRange(range));
  }
  if (!hint.empty()) {
    OMKIT_ASSIGN_OR_RETURN(options->hint_shapes, ParseInputHintShape(hint));
  }
  return absl::OkStatus();
}

absl::Status ReadCompile(const Flags& flags, Options* options) {
  options->model = flags.Get("model");
  if (options->model.empty()) return Error(ErrorCode::E10054, {"--model"});
  if (!flags.Given("framework")) return Error(ErrorCode::E10007, {"framework", "0(Caffe) or 1(MindSpore) or 3(TensorFlow) or 5(Onnx)"});
  options->framework = flags.GetInt("framework");
  const bool statistics_only = flags.Get("output").empty() && !flags.Get("calibrate_statistics_out").empty();
  if (flags.Get("output").empty() && !statistics_only) return Error(ErrorCode::E10054, {"--output"});
  if (!statistics_only) {
    OMKIT_ASSIGN_OR_RETURN(options->output, OutputPath(flags.Get("output")));
  }
  options->soc_version = flags.Get("soc_version");
  if (options->soc_version.empty()) return Error(ErrorCode::E10054, {"--soc_version"});
  const auto soc = runtime::FindSoc(options->soc_version);
  if (!soc.ok()) return Error(ErrorCode::E10001, {options->soc_version, "--soc_version", std::string(soc.status().message())});
  OMKIT_RETURN_IF_ERROR(ReadShapes(flags, options));
  const std::string output_type = flags.Get("output_type");
  options->fp32_outputs = output_type == "FP32";
  if (!output_type.empty() && !options->fp32_outputs) {
    return Error(ErrorCode::E10055,
                 {absl::StrCat("--output_type=", output_type, " is not supported; outputs keep the type that the model gives them")});
  }
  OMKIT_RETURN_IF_ERROR(ReadAipp(flags, options));
  ReadTune(flags, options);
  return ReadQuantization(flags, options);
}

}  // namespace

absl::StatusOr<Options> MakeOptions(const Flags& flags) {
  Options options;
  OMKIT_ASSIGN_OR_RETURN(options.log, ChooseLogLevel(flags));
  SetLogLevel(options.log);
  OMKIT_RETURN_IF_ERROR(CheckPairs(flags));
  const int mode = flags.GetInt("mode");
  if (mode != 0 && mode != 6)
    return Error(ErrorCode::E10055, {absl::StrCat("--mode=", mode, " is not supported; supported: 0 (compile) and 6 (show an offline model)")});
  OMKIT_RETURN_IF_ERROR(CheckRejected(flags));
  options.mode = static_cast<Mode>(mode);
  options.show_model = flags.GetInt("display_model_info") == 1;
  LogFlagsWithoutEffect(flags);
  if (options.mode == Mode::kCompile) {
    OMKIT_RETURN_IF_ERROR(ReadCompile(flags, &options));
    return options;
  }
  if (flags.Given("framework")) return Error(ErrorCode::E10056, {"--mode=6", "--framework"});
  options.om = flags.Get("om");
  if (options.om.empty()) return Error(ErrorCode::E10004, {"om"});
  return options;
}

}  // namespace omkit::atc
