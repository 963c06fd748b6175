// What a command line of atc asks for, checked as far as that is possible without opening the model. Floor 5.
#ifndef OMKIT_TOOLS_ATC_OPTIONS_H_
#define OMKIT_TOOLS_ATC_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/log.h"
#include "frontends/aipp/config.h"
#include "tools/atc/flags.h"
#include "tools/atc/gears.h"
#include "tools/atc/input_shape.h"
#include "tools/atc/precision_files.h"

namespace omkit::atc {

enum class Mode { kCompile = 0, kShowModel = 6 };

// --calibrate_... and --quant_...; paths are empty when not given.
struct QuantOptions {
  std::string preprocess;
  std::string method = "auto";
  std::string effort = "default";
  int most_samples = 0;
  int shard = 0, shards = 1;
  std::vector<std::string> statistics;
  std::string statistics_out;
  bool statistics_only = false;
  std::string recipe;
  std::string recipe_out;
  std::string target_metric;  // "cosine", "sqnr", "agreement" or "metric"; empty: no target
  double target_value = 0;
  std::string metric_command;
};

struct Options {
  Mode mode = Mode::kCompile;
  LogLevel log = LogLevel::kSilent;
  std::string om;  // mode kShowModel

  std::string model;
  int framework = 0;
  std::string output;  // with ".om"
  std::string soc_version;
  InputShapes input_shapes;
  InputShapes shape_ranges;  // --input_shape_range: stands for input_shapes
  InputShapes hint_shapes;   // by input
  GearFlags gears;
  bool fp32_outputs = false;  // --output_type=FP32
  bool int8 = false;
  std::string calibration_folder;  // may be empty with int8: models that carry their own quantization
  PrecisionFiles precision_files;
  bool only_matrix_int8 = false;  // --precision_mode: operators other than convolutions and matrix products stay float
  bool bfloat16 = false;          // --precision_mode: convolutions and matrix products that are not INT8 compute on bfloat16
  std::string export_fake_quant;  // ONNX file to write, or empty
  std::string quant_encodings;    // AIMET's JSON, or empty
  std::string compression_conf;   // --compression_optimize_conf; int8 is set with it
  QuantOptions quant;
  std::string tune_mode;    // --auto_tune_mode: "off", "fast" or "full"
  std::string tune_folder;  // of tuning results; empty: nowhere
  std::string aipp_config;  // --insert_op_conf: file, or empty
  frontends::AippRules aipp_rules;
  bool show_model = false;  // --display_model_info
};

// Errors have codes of errors.h. Logs, at level info, which of the given flags have no effect.
absl::StatusOr<Options> MakeOptions(const Flags& flags);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_OPTIONS_H_
