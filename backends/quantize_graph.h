// The INT8 stage of the compile pipeline: from the fused float graph and calibration samples to a recipe, and from the recipe to the
// INT8 graph. Floor 4, called by compile.cc.
//
//   plan --> statistics --> ranges --> equalization --> bias correction --> precision --> recipe --> equalize, quantize
//
// Each step behind the statistics stays in the recipe only when it makes the measured error of the network's result smaller.
#ifndef OMKIT_BACKENDS_QUANTIZE_GRAPH_H_
#define OMKIT_BACKENDS_QUANTIZE_GRAPH_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "backends/precision_search.h"
#include "ir/graph.h"
#include "passes/quantization_plan.h"
#include "passes/recipe.h"
#include "passes/statistics.h"

namespace omkit {

enum class QuantEffort {
  kFast,     // ranges of least squared error and analytic bias correction; no trials
  kDefault,  // choices by trials, sequential bias correction
  kHigh,     // also ranges tensor by tensor without limit, and rounding of weights by their effect on the layer's output
};

struct QuantizeOptions {
  passes::QuantizePolicy policy;  // `supported` is filled in
  QuantEffort effort = QuantEffort::kDefault;
  // Opens the samples once input shapes are bound; may be empty with `statistics` or `recipe`.
  std::function<absl::StatusOr<passes::CalibrationSource>(const ir::Graph&)> calibration;
  int most_samples = 0;  // use the first so many; 0: all
  // Statistics that were collected before; samples that they do not cover are added.
  std::optional<passes::Statistics> statistics;
  // Sees the statistics now and then while they are collected, and when they are complete; may be empty.
  std::function<absl::Status(const passes::Statistics&)> on_statistics;
  // The accuracy to reach by keeping layers in float, fastest first, with measured latencies. Without it the layers that spoil the result
  // are kept in float only where an output would have a mean cosine below 0.997 otherwise.
  std::optional<AccuracyTarget> target;
  std::function<void(double)> search_progress;                // of that; may be empty
  std::function<absl::Status(const passes::Recipe&)> on_better;  // sees each best recipe of the search; may be empty
  // Stop when the statistics are complete.
  bool statistics_only = false;
  // Follow this and decide nothing.
  std::optional<passes::Recipe> recipe;
  std::function<absl::Status(const passes::Recipe&)> on_recipe;  // sees the recipe that is followed; may be empty
  passes::ProgressFn progress;                            // of calibration; may be empty
};

// Rewrites `graph` to INT8. CANCELLED after statistics_only. `model_hash` goes into statistics and recipe.
absl::Status QuantizeGraph(const QuantizeOptions& options, const std::string& soc, const std::string& model_hash, ir::Graph& graph);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_QUANTIZE_GRAPH_H_
