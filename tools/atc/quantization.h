// The flags of --quant_type=1 turned into what the compiler takes: where samples, statistics and recipes come from and go to. Floor 5.
#ifndef OMKIT_TOOLS_ATC_QUANTIZATION_H_
#define OMKIT_TOOLS_ATC_QUANTIZATION_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/quantize_graph.h"
#include "frontends/aipp/config.h"
#include "ir/graph.h"
#include "runtime/program.h"
#include "tools/atc/options.h"

namespace omkit::atc {

// Compiles a recipe of the model that is being compiled; for --accuracy_metric.
using CompileRecipe = std::function<absl::StatusOr<runtime::Program>(const passes::Recipe&)>;

// Fills `quantize`. With --insert_op_conf (`aipp`; empty without) pictures among the samples go through its static stages. An error of the samples
// themselves is kept apart in `data_error`, since it is not the compiler that failed; it must outlive the compilation. Errors have codes of errors.h.
absl::Status ReadQuantizeOptions(const Options& options, const frontends::AippConfig& aipp, const ir::Graph& graph, CompileRecipe compile,
                                 QuantizeOptions* quantize, absl::Status* data_error);

// Which layers are to compute on bfloat16, by the mode and the files of --keep_dtype and its like. Errors have codes of errors.h; int8 in these
// files without --quant_type=1 is one.
absl::Status ReadBFloat16(const Options& options, const ir::Graph& graph, passes::BFloat16Policy* policy);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_QUANTIZATION_H_
