// Mixed precision: the fastest choice of INT8, W8A16, bfloat16 and float layers that meets a stated accuracy. Floor 4, the last step of the recipe.
//
// Each layer's share of the error is measured both ways: how much smaller the network's noise becomes when it alone is float, and how
// large the noise is when it alone is INT8. Its price is the latency that the network gains when it alone is float, conversions at its
// borders included. Layers go to float in the order of share per price until the target is met (the greedy solution of the knapsack), then
// each of them is tried in INT8 once more, the least worth first. Of those that are still in float then, the least sensitive compute on bfloat16
// where the user allows it, and of the rest the least sensitive get int8 weights (W8A16): as many as the target allows, where that is not slower.
#ifndef OMKIT_BACKENDS_PRECISION_SEARCH_H_
#define OMKIT_BACKENDS_PRECISION_SEARCH_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/quantization_trial.h"
#include "passes/recipe.h"

namespace omkit {

struct AccuracyTarget {
  enum class Metric { kCosine, kSqnr, kAgreement, kExternal };
  Metric metric = Metric::kCosine;
  double least = 0;
  // kExternal: the value for a recipe, larger is better.
  std::function<absl::StatusOr<double>(const passes::Recipe&)> external;
};

struct LayerSensitivity {
  std::string node;
  double noise_without = 0;  // of the network when this layer alone is float
  double noise_alone = 0;    // of the network when this layer alone is INT8; 0 unless both ways are measured
  double price = 0;          // what `price` of PrecisionSearch gains when it alone is float
};

struct PrecisionPlan {
  passes::Recipe recipe;
  TrialResult result;
  double value = 0;  // of the target's metric
  bool met = false;
  double price = 0;                      // of the plan
  double float_price = 0;                // of the network with no layer in INT8
  std::vector<LayerSensitivity> layers;  // most sensitive first
};

struct PrecisionSearch {
  const QuantizationTrial* trial = nullptr;    // judges plans
  const QuantizationTrial* ranking = nullptr;  // measures single layers, on fewer samples; nullptr: `trial` does
  AccuracyTarget target;
  // What a recipe costs: seconds, or operations where results must not depend on the machine's mood.
  std::function<absl::StatusOr<double>(const passes::Recipe&)> price;
  bool both_ways = true;                                         // false: only what is gained by each layer in float, in half the time
  int most_pruned = 1 << 30;                                     // layers that are tried in INT8 once more, and in what is below one by one
  std::set<std::string> bfloat16;                                // layers that may compute on bfloat16
  std::set<std::string> weight_only;                             // layers that can have int8 weights and float activations
  std::function<void(double)> progress;                          // may be empty
  std::function<absl::Status(const passes::Recipe&)> on_better;  // sees each recipe that is the best so far; may be empty

  // `layers` are the nodes to choose for, INT8 in `start`. The plan is the best found even when the target is not met.
  absl::StatusOr<PrecisionPlan> Run(const passes::Recipe& start, const std::vector<std::string>& layers) const;
};

}  // namespace omkit

#endif  // OMKIT_BACKENDS_PRECISION_SEARCH_H_
