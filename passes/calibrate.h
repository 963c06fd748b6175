// Calibration: the ranges of activations over a set of samples. Floor 3.
//
// Two passes over the data: extremes first, then histograms on fixed ranges; memory is O(tensors x bins) and the result does not
// depend on the order of the samples. The range of a tensor is the one with the least squared quantization error on its histogram
// (the "MSE" observer of the quantization literature); minimum and maximum are one of the candidates.
#ifndef OMKIT_PASSES_CALIBRATE_H_
#define OMKIT_PASSES_CALIBRATE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/evaluate.h"
#include "ir/graph.h"

namespace omkit::passes {

// Samples to calibrate with; `sample` returns one tensor per graph input.
struct CalibrationSource {
  int count = 0;
  std::function<absl::StatusOr<std::vector<Tensor>>(int)> sample;
};

struct ValueRange {
  float min = 0;
  float max = 0;
};

struct Calibration {
  std::map<ir::ValueId, ValueRange> observed;  // extremes
  std::map<ir::ValueId, ValueRange> chosen;    // clipped to the least squared error
};

// Called with the fraction of the work done, in [0, 1].
using ProgressFn = std::function<void(double)>;

// Errors: no samples; a NaN or infinity in a tensor (named, with the sample's number).
absl::StatusOr<Calibration> Calibrate(const ir::Graph& graph, const std::vector<ir::ValueId>& values, const CalibrationSource& source,
                                      const ir::EvaluatorFactory& evaluators, const ProgressFn& progress);

// Fixed-width bins over [range.min, range.max].
struct Histogram {
  ValueRange range;
  std::vector<uint64_t> counts;

  void Add(const float* values, int64_t count);
};

// The asymmetric 8-bit range inside the histogram's range with the least squared error of quantize-dequantize.
ValueRange ChooseRange(const Histogram& histogram);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_CALIBRATE_H_
