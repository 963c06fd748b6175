#include "passes/calibrate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/quant.h"
#include "base/status.h"

namespace omkit::passes {
namespace {

constexpr int kBins = 2048;

// Extremes of a tensor; false when an element is not finite.
bool Extremes(const Tensor& t, ValueRange* range) {
  const float* x = t.data<float>();
  float lo = range->min;
  float hi = range->max;
  // x - x is 0 for finite x and NaN otherwise, and NaN survives the sum.
  float poison = 0;
  for (int64_t i = 0; i < t.elements(); ++i) {
    lo = std::min(lo, x[i]);
    hi = std::max(hi, x[i]);
    poison += x[i] - x[i];
  }
  *range = {lo, hi};
  return poison == 0;
}

double SquaredError(const std::vector<double>& centers, const std::vector<uint64_t>& counts, float lo, float hi) {
  const QuantParams q = ChooseAsymmetricU8(lo, hi);
  const double scale = q.scale[0];
  const double inverse = 1.0 / scale;
  const double zero = q.zero_point[0];
  double error = 0;
  for (size_t i = 0; i < centers.size(); ++i) {
    if (counts[i] == 0) continue;
    const double level = std::min(255.0, std::max(0.0, std::nearbyint(centers[i] * inverse) + zero));
    const double d = (level - zero) * scale - centers[i];
    error += static_cast<double>(counts[i]) * d * d;
  }
  return error;
}

}  // namespace

void Histogram::Add(const float* values, int64_t count) {
  const float width = (range.max - range.min) / static_cast<float>(counts.size());
  const float inverse = width > 0 ? 1.0f / width : 0.0f;
  const int last = static_cast<int>(counts.size()) - 1;
  for (int64_t i = 0; i < count; ++i) {
    const int bin = static_cast<int>((values[i] - range.min) * inverse);
    ++counts[std::min(std::max(bin, 0), last)];
  }
}

ValueRange ChooseRange(const Histogram& histogram) {
  const auto [min, max] = histogram.range;
  const double width = (static_cast<double>(max) - min) / static_cast<double>(histogram.counts.size());
  std::vector<double> centers(histogram.counts.size());
  for (size_t i = 0; i < centers.size(); ++i) centers[i] = min + (static_cast<double>(i) + 0.5) * width;
  // The bin that holds 0 is exact: after a ReLU most of the mass sits at 0 itself.
  if (min <= 0 && max >= 0 && width > 0) {
    centers[std::min<size_t>(centers.size() - 1, static_cast<size_t>(-min / width))] = 0;
  }
  ValueRange best = {min, max};
  double best_error = SquaredError(centers, histogram.counts, min, max);
  // Coordinate descent over the two ends, in steps of 2 % of the full end.
  constexpr int kRounds = 2;
  constexpr int kSteps = 40;
  for (int round = 0; round < kRounds; ++round) {
    for (int side = 0; side < 2; ++side) {
      const float full = side == 0 ? max : min;
      for (int step = 1; step <= kSteps; ++step) {
        const float end = full * (1.0f - 0.02f * static_cast<float>(step));
        const ValueRange candidate = side == 0 ? ValueRange{best.min, end} : ValueRange{end, best.max};
        if (candidate.min >= candidate.max) break;
        const double error = SquaredError(centers, histogram.counts, candidate.min, candidate.max);
        if (error < best_error) {
          best_error = error;
          best = candidate;
        }
      }
    }
  }
  return best;
}

absl::StatusOr<Calibration> Calibrate(const ir::Graph& graph, const std::vector<ir::ValueId>& values, const CalibrationSource& source,
                                      const ir::EvaluatorFactory& evaluators, const ProgressFn& progress) {
  if (source.count <= 0) return absl::InvalidArgumentError("calibration needs at least one sample");
  OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<ir::Evaluator> evaluator, evaluators(graph, values));
  Calibration result;
  for (ir::ValueId v : values) result.observed[v] = {0, 0};
  std::map<ir::ValueId, Histogram> histograms;
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < source.count; ++i) {
      OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, source.sample(i));
      absl::Status finite = absl::OkStatus();
      OMKIT_RETURN_IF_ERROR(evaluator->Run(inputs, [&](ir::ValueId v, const Tensor& t) {
        auto observed = result.observed.find(v);
        if (observed == result.observed.end()) return;
        if (pass == 1) {
          histograms[v].Add(t.data<float>(), t.elements());
        } else if (!Extremes(t, &observed->second) && finite.ok()) {
          finite = absl::InvalidArgumentError(absl::StrCat("tensor '", graph.value(v).name, "' holds NaN or infinity for calibration sample ", i));
        }
      }));
      OMKIT_RETURN_IF_ERROR(finite);
      progress(0.5 * pass + 0.5 * (i + 1) / source.count);
    }
    if (pass == 0) {
      for (const auto& [v, range] : result.observed) histograms[v] = {range, std::vector<uint64_t>(kBins, 0)};
    }
  }
  for (const auto& [v, histogram] : histograms) result.chosen[v] = ChooseRange(histogram);
  return result;
}

}  // namespace omkit::passes
