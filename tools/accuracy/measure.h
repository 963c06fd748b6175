// What accuracy finds out, as data: the reports are written from it. Floor 5.
#ifndef OMKIT_TOOLS_ACCURACY_MEASURE_H_
#define OMKIT_TOOLS_ACCURACY_MEASURE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/accuracy/metrics.h"
#include "tools/accuracy/options.h"

namespace omkit::accuracy {

struct OutputResult {
  std::string name;
  std::string type;        // "float32 1x1001"
  Closeness to_float;      // the offline model against the float network
  Closeness to_reference;  // the offline model against --reference
  Closeness float_to_reference;
};

struct Bars {
  double low = 0, high = 0;           // ends of the first and the last bar
  std::vector<double> before, after;  // parts of all values in float, and after quantization
};

struct LayerResult {
  std::string node, op;
  int64_t multiply_adds = 0;
  Closeness cumulative;                 // its output in the INT8 network against the float network
  Closeness own;                        // its output with exact inputs
  double effect_noise = -1;             // noise of the network's result when it alone is in INT8; -1: not measured
  double range_min = 0, range_max = 0;  // that the output's 8 bits cover; both 0 when the output is float
  double seen_min = 0, seen_max = 0;    // of the float output
  double clipped = 0;                   // part of the float values outside the range
  double saturated = 0;                 // part of the INT8 values at an end of the range that is not zero
  double used_levels = 0;               // part of the 256 levels between the extremes
  double channel_ratio = 1;             // range of the widest channel over the median one
  double weight_ratio = 1;              // widest weight scale over the median one
  Bars bars;
};

struct Suspect {
  std::string node, op, why, remedy;
  double share = 0;  // of the network's noise, in [0, 1]
};

struct Result {
  std::string model, om, soc, data;
  int samples = 0;
  bool has_labels = false, has_reference = false, has_layers = false;
  std::string no_layers;  // why there are no tables of layers
  std::vector<OutputResult> outputs;
  Hits float_hits, om_hits, reference_hits;
  int same_class = 0;                     // samples of which both give the same class
  std::vector<LayerResult> layers;        // in the network's order
  std::vector<std::string> kept_float;    // layers that the recipe keeps in float
  std::vector<std::string> bfloat16;      // layers that compute on bfloat16
  std::vector<std::string> weights_only;  // layers that have int8 weights and compute in float (W8A16)
  std::vector<Suspect> suspects;          // the worst first
};

// Errors name the file. `progress` is called with the fraction done.
absl::StatusOr<Result> Measure(const Options& options, const std::function<void(const char* stage, double)>& progress);

// Orders the layers by what they cost and says why and what to do.
std::vector<Suspect> FindSuspects(const std::vector<LayerResult>& layers);

}  // namespace omkit::accuracy

#endif  // OMKIT_TOOLS_ACCURACY_MEASURE_H_
