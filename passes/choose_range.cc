#include "passes/choose_range.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/quant.h"

namespace omkit::passes {
namespace {

constexpr struct {
  RangeMethod method;
  const char* name;
} kNames[] = {
    {RangeMethod::kAuto, "auto"}, {RangeMethod::kMinMax, "minmax"}, {RangeMethod::kMeanMinMax, "mean_minmax"},
    {RangeMethod::kPercentile, "percentile"}, {RangeMethod::kMse, "mse"}, {RangeMethod::kKl, "kl"},
    {RangeMethod::kIfmr, "ifmr"}, {RangeMethod::kHfmg, "hfmg"},
};

// The bins that hold something, as points: what the searches run over.
struct Points {
  std::vector<double> at;
  std::vector<double> weight;
  double total = 0;

  void Add(double x, double count) {
    if (count <= 0) return;
    at.push_back(x);
    weight.push_back(count);
    total += count;
  }
};

Points PointsOf(const Histogram& h) {
  Points points;
  const double width = h.width();
  for (size_t i = 0; i < h.counts().size(); ++i) {
    const int bin = static_cast<int>(i) + Histogram::first_bin();
    uint64_t count = h.counts()[i];
    if (bin == 0) {
      // Zeros are exact whatever the range: after a ReLU most of the mass is there.
      points.Add(0, static_cast<double>(h.zeros()));
      count -= h.zeros();
    }
    // The outermost bins end at the extremes.
    const double lo = std::max(bin * width, static_cast<double>(h.min()));
    const double hi = std::min((bin + 1) * width, static_cast<double>(h.max()));
    points.Add((lo + hi) / 2, static_cast<double>(count));
  }
  return points;
}

double SquaredError(const Points& points, ValueRange range) {
  const QuantParams q = ChooseAsymmetricU8(range.min, range.max);
  const double scale = q.scale[0];
  const double inverse = 1.0 / scale;
  const double zero = q.zero_point[0];
  double error = 0;
  for (size_t i = 0; i < points.at.size(); ++i) {
    const double level = std::min(255.0, std::max(0.0, std::nearbyint(points.at[i] * inverse) + zero));
    const double d = (level - zero) * scale - points.at[i];
    error += points.weight[i] * d * d;
  }
  return error;
}

// int8 with offset 0 has the levels -128 ... 127 around zero.
ValueRange Symmetric(ValueRange r) {
  const float step = std::max(std::abs(r.min), std::abs(r.max)) / 127.0f;
  return {-128.0f * step, 127.0f * step};
}

ValueRange Usable(ValueRange r, bool symmetric) {
  r = {std::min(r.min, 0.0f), std::max(r.max, 0.0f)};
  return symmetric ? Symmetric(r) : r;
}

// The least squared error over both ends, in steps of 1/kSteps of the extremes; never worse than the extremes themselves.
ValueRange LeastSquares(const Points& points, ValueRange full, bool symmetric) {
  constexpr int kRounds = 2;
  constexpr int kSteps = 64;
  constexpr int kLeastStep = 8;  // an eighth of the extreme
  ValueRange best = full;
  double best_error = SquaredError(points, Usable(full, symmetric));
  for (int round = 0; round < kRounds; ++round) {
    for (int side = 0; side < 2; ++side) {
      const float end = side == 0 ? full.max : full.min;
      if (end == 0) continue;
      for (int step = kSteps; step >= kLeastStep; --step) {
        const float cut = end * (static_cast<float>(step) / kSteps);
        const ValueRange candidate = side == 0 ? ValueRange{best.min, cut} : ValueRange{cut, best.max};
        const double error = SquaredError(points, Usable(candidate, symmetric));
        if (error >= best_error) continue;
        best_error = error;
        best = candidate;
      }
    }
  }
  return best;
}

// The values below which `1 - low` and `high` of all values lie.
ValueRange Percentiles(const Points& points, ValueRange full, double low, double high) {
  ValueRange range = full;
  double below = 0;
  for (size_t i = 0; i < points.at.size(); ++i) {
    below += points.weight[i];
    if (below > (1 - low) * points.total) {
      range.min = static_cast<float>(points.at[i]);
      break;
    }
  }
  double above = 0;
  for (size_t i = points.at.size(); i-- > 0;) {
    above += points.weight[i];
    if (above > (1 - high) * points.total) {
      range.max = static_cast<float>(points.at[i]);
      break;
    }
  }
  return range;
}

// Divergence of P (the first `end` bins, with the rest added to the last of them) from its quantization to `groups` levels.
double Divergence(const std::vector<double>& bins, size_t end, size_t groups, double tail) {
  const double outside = tail;
  double p_total = outside, q_total = 0;
  for (size_t i = 0; i < end; ++i) p_total += bins[i];
  std::vector<double> q(end, 0.0);
  for (size_t g = 0; g < groups; ++g) {
    const size_t from = g * end / groups, to = (g + 1) * end / groups;
    double sum = 0;
    int filled = 0;
    for (size_t i = from; i < to; ++i) {
      sum += bins[i];
      filled += bins[i] > 0;
    }
    for (size_t i = from; i < to; ++i) q[i] = bins[i] > 0 ? sum / filled : 0;
  }
  for (const double x : q) q_total += x;
  if (q_total == 0) return INFINITY;
  double divergence = 0;
  for (size_t i = 0; i < end; ++i) {
    const double p = (bins[i] + (i + 1 == end ? outside : 0)) / p_total;
    // A last bin that holds only what was clipped has no counterpart in Q: charge it as if Q had one value there.
    const double other = std::max(q[i], 1.0) / q_total;
    if (p > 0) divergence += p * std::log(p / other);
  }
  return divergence;
}

ValueRange LeastDivergence(const Points& points, ValueRange full) {
  constexpr size_t kBins = 2048;
  constexpr size_t kStep = 8;
  const double most = std::max(std::abs(static_cast<double>(full.min)), static_cast<double>(full.max));
  if (most == 0) return full;
  const bool one_sided = full.min >= 0 || full.max <= 0;
  const size_t groups = one_sided ? 256 : 128;
  std::vector<double> bins(kBins, 0.0);
  for (size_t i = 0; i < points.at.size(); ++i) {
    // The spike of exact zeros would hide every difference elsewhere.
    if (points.at[i] != 0) bins[std::min(kBins - 1, static_cast<size_t>(std::abs(points.at[i]) / most * kBins))] += points.weight[i];
  }
  double total = 0, inside = 0;
  for (const double x : bins) total += x;
  for (size_t i = 0; i < groups; ++i) inside += bins[i];
  size_t best = kBins;
  double least = INFINITY;
  for (size_t end = groups; end <= kBins; end += kStep) {
    const double divergence = Divergence(bins, end, groups, total - inside);
    if (divergence < least) {
      least = divergence;
      best = end;
    }
    for (size_t i = end; i < std::min(end + kStep, kBins); ++i) inside += bins[i];
  }
  const float cut = static_cast<float>(most * static_cast<double>(best) / kBins);
  return {std::max(full.min, -cut), std::min(full.max, cut)};
}

ValueRange Ifmr(const Points& points, ValueRange full, const RangeConfig& config) {
  const ValueRange start = Usable(Percentiles(points, full, config.min_percentile, config.max_percentile), false);
  ValueRange best = start;
  double least = INFINITY;
  const int steps = static_cast<int>(std::ceil((config.search_end - config.search_start) / config.search_step - 1e-9));
  for (int i = 0; i < steps; ++i) {
    const float r = static_cast<float>(config.search_start + i * config.search_step);
    const float most = std::max(std::abs(start.min), start.max);
    const ValueRange candidate = config.symmetric ? ValueRange{-most * r, most * r} : ValueRange{start.min, start.max * r};
    if (candidate.min >= candidate.max) continue;
    const double error = SquaredError(points, Usable(candidate, config.symmetric));
    if (error >= least) continue;
    least = error;
    best = candidate;
  }
  return best;
}

// The points moved to the centers of `bins` equal bins over the range.
Points Rebin(const Points& points, ValueRange full, int bins) {
  const double width = (static_cast<double>(full.max) - full.min) / bins;
  if (width <= 0) return points;
  std::vector<double> counts(bins, 0.0);
  Points coarse;
  for (size_t i = 0; i < points.at.size(); ++i) {
    if (points.at[i] == 0) coarse.Add(0, points.weight[i]);
    else counts[std::min(bins - 1, static_cast<int>((points.at[i] - full.min) / width))] += points.weight[i];
  }
  for (int b = 0; b < bins; ++b) coarse.Add(full.min + (b + 0.5) * width, counts[b]);
  return coarse;
}

ValueRange MeanExtremes(const TensorStatistics& t) {
  const double items = static_cast<double>(std::max<uint64_t>(t.items, 1));
  return {static_cast<float>(t.item_min.value() / items), static_cast<float>(t.item_max.value() / items)};
}

}  // namespace

const char* Name(RangeMethod method) {
  for (const auto& row : kNames) {
    if (row.method == method) return row.name;
  }
  return "?";
}

absl::StatusOr<RangeMethod> RangeMethodByName(absl::string_view name) {
  std::vector<std::string> names;
  for (const auto& row : kNames) {
    if (name == row.name) return row.method;
    names.push_back(row.name);
  }
  return absl::InvalidArgumentError(absl::StrCat("no calibration method '", name, "'; there are ", absl::StrJoin(names, ", ")));
}

const std::vector<RangeMethod>& RangeMethods() {
  static const auto* const kMethods = new std::vector<RangeMethod>{RangeMethod::kMinMax, RangeMethod::kMeanMinMax, RangeMethod::kPercentile,
                                                                   RangeMethod::kMse,    RangeMethod::kKl,         RangeMethod::kIfmr,
                                                                   RangeMethod::kHfmg};
  return *kMethods;
}

ValueRange ChooseRange(const TensorStatistics& t, const RangeConfig& config) {
  const Points points = PointsOf(t.histogram);
  const ValueRange full = {t.histogram.min(), t.histogram.max()};
  ValueRange range = full;
  switch (config.method) {
    case RangeMethod::kMinMax: break;
    case RangeMethod::kMeanMinMax: range = MeanExtremes(t); break;
    case RangeMethod::kPercentile: range = Percentiles(points, full, config.percentile, config.percentile); break;
    case RangeMethod::kAuto:
    case RangeMethod::kMse: range = LeastSquares(points, full, config.symmetric); break;
    case RangeMethod::kKl: range = LeastDivergence(points, full); break;
    case RangeMethod::kIfmr: range = Ifmr(points, full, config); break;
    case RangeMethod::kHfmg: range = LeastSquares(Rebin(points, full, config.bins), full, config.symmetric); break;
  }
  return Usable(range, config.symmetric);
}

double QuantizationError(const Histogram& histogram, ValueRange range) {
  const Points points = PointsOf(histogram);
  return points.total > 0 ? SquaredError(points, range) / points.total : 0;
}

double ClippedPart(const Histogram& histogram, ValueRange range) {
  const Points points = PointsOf(histogram);
  const QuantParams q = ChooseAsymmetricU8(range.min, range.max);
  double clipped = 0;
  for (size_t i = 0; i < points.at.size(); ++i) {
    const double level = points.at[i] / static_cast<double>(q.scale[0]) + q.zero_point[0];
    if (level < -0.5 || level > 255.5) clipped += points.weight[i];
  }
  return points.total > 0 ? clipped / points.total : 0;
}

}  // namespace omkit::passes
