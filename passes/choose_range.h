// From what a tensor looked like during calibration to the range that its 8 bits cover. Floor 3.
//
// A range is rounded to a scale and a zero point by ChooseAsymmetricU8 (base/quant.h). The methods, with their sources:
//   minmax       the extremes of all samples
//   mean_minmax  the mean of each sample's extremes (the default of OpenVINO's NNCF for activations)
//   percentile   cuts (1 - percentile) of the values off at each end (Wu et al., arXiv 2004.09602; ONNX Runtime takes 99.999 %)
//   mse          least squared error of quantize-dequantize over the histogram, by coordinate descent over both ends
//   kl           least Kullback-Leibler divergence between the clipped and the quantized distribution of |x| (TensorRT, GTC 2017 S7310)
//   ifmr         AMCT: the upper end r * max, r in [search_start, search_end), least squared error; ends start at the percentiles
//   hfmg         AMCT: least squared error on a histogram of `bins` bins
#ifndef OMKIT_PASSES_CHOOSE_RANGE_H_
#define OMKIT_PASSES_CHOOSE_RANGE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "passes/statistics.h"

namespace omkit::passes {

enum class RangeMethod { kAuto, kMinMax, kMeanMinMax, kPercentile, kMse, kKl, kIfmr, kHfmg };

// "auto", "minmax", ...
const char* Name(RangeMethod method);
// INVALID_ARGUMENT lists the names.
absl::StatusOr<RangeMethod> RangeMethodByName(absl::string_view name);
// All but kAuto.
const std::vector<RangeMethod>& RangeMethods();

struct RangeConfig {
  RangeMethod method = RangeMethod::kAuto;  // kAuto: the caller compares methods by the error they cause; alone it stands for kMse
  double percentile = 0.99999;              // of kPercentile
  double max_percentile = 0.999999;         // AMCT's keys, for kIfmr
  double min_percentile = 0.999999;
  double search_start = 0.7;
  double search_end = 1.3;
  double search_step = 0.01;
  int bins = 4096;         // AMCT's num_of_bins, for kHfmg
  bool symmetric = false;  // AMCT's asymmetric: false; zero point 128, as int8 with offset 0

  friend bool operator==(const RangeConfig& a, const RangeConfig& b) {
    return a.method == b.method && a.percentile == b.percentile && a.max_percentile == b.max_percentile && a.min_percentile == b.min_percentile &&
           a.search_start == b.search_start && a.search_end == b.search_end && a.search_step == b.search_step && a.bins == b.bins &&
           a.symmetric == b.symmetric;
  }
};

ValueRange ChooseRange(const TensorStatistics& statistics, const RangeConfig& config);

// Mean squared error of quantizing the calibrated values with a range, as seen by the histogram.
double QuantizationError(const Histogram& histogram, ValueRange range);
// Part of the values that the range clips, in [0, 1].
double ClippedPart(const Histogram& histogram, ValueRange range);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_CHOOSE_RANGE_H_
