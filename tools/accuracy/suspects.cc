#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/accuracy/measure.h"

namespace omkit::accuracy {
namespace {

constexpr size_t kMostSuspects = 5;

// Noise power of a layer that counts: on the network's result where that was measured, else at its own output.
double NoiseOf(const LayerResult& layer) { return layer.effect_noise >= 0 ? layer.effect_noise : layer.own.noise(); }

struct Finding {
  std::string why, remedy;
};

Finding Explain(const LayerResult& layer) {
  constexpr double kManyClipped = 0.002;
  constexpr double kFarApart = 12;
  constexpr double kShifted = 0.05;
  constexpr double kFewLevels = 0.25;
  const std::string keep =
      absl::StrCat("keep it in float: a line '", layer.node, "' in the file of atc --keep_dtype, or let --accuracy_target choose");
  if (layer.clipped > kManyClipped) {
    return {absl::StrFormat("%.2f %% of its values are outside the calibrated range [%.4g, %.4g]; the largest seen is %.4g", 100 * layer.clipped,
                            layer.range_min, layer.range_max, layer.seen_max),
            "calibrate with samples like these, or with --calibrate_method=minmax"};
  }
  if (layer.channel_ratio > kFarApart) {
    return {absl::StrFormat("its widest channel is %.0f times as wide as the median one, and one scale serves all", layer.channel_ratio), keep};
  }
  if (std::abs(layer.cumulative.bias()) > kShifted) {
    return {absl::StrFormat("its values are shifted by %.1f %% of their size on average", 100 * layer.cumulative.bias()),
            "correct biases with more samples: --quant_effort=default or high, and more calibration data"};
  }
  if (layer.used_levels > 0 && layer.used_levels < kFewLevels) {
    return {absl::StrFormat("only %.0f of 256 levels are used: single large values stretch the range", 256 * layer.used_levels),
            "a clipping range: --calibrate_method=percentile or mse"};
  }
  if (layer.weight_ratio > 100) {
    return {absl::StrFormat("one output channel has weights %.0f times as large as the median channel", layer.weight_ratio), keep};
  }
  return {"rounding noise, evenly spread over channels and values", keep};
}

}  // namespace

std::vector<Suspect> FindSuspects(const std::vector<LayerResult>& layers) {
  double total = 0;
  std::vector<const LayerResult*> ranked;
  for (const LayerResult& layer : layers) {
    ranked.push_back(&layer);
    total += NoiseOf(layer);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const LayerResult* a, const LayerResult* b) { return NoiseOf(*a) > NoiseOf(*b); });
  std::vector<Suspect> suspects;
  for (size_t i = 0; i < std::min(kMostSuspects, ranked.size()); ++i) {
    if (NoiseOf(*ranked[i]) <= 0) break;
    Finding finding = Explain(*ranked[i]);
    suspects.push_back({ranked[i]->node, ranked[i]->op, finding.why, finding.remedy, NoiseOf(*ranked[i]) / total});
  }
  return suspects;
}

}  // namespace omkit::accuracy
