#include "backends/precision_search.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status.h"

namespace omkit {
namespace {

using passes::Recipe;
using Layers = std::set<std::string>;

class Search {
 public:
  Search(const PrecisionSearch& options, const Recipe& start, const std::vector<std::string>& layers)
      : options_(options), start_(start), layers_(layers), all_(layers.begin(), layers.end()) {}

  absl::StatusOr<PrecisionPlan> Run() {
    OMKIT_ASSIGN_OR_RETURN(Candidate base, Try({}));
    if (base.met) return Finish();
    OMKIT_RETURN_IF_ERROR(MeasureLayers(base));
    OMKIT_RETURN_IF_ERROR(ShortestPrefix());
    OMKIT_RETURN_IF_ERROR(Prune());
    return Finish();
  }

 private:
  struct Candidate {
    Layers floats;
    TrialResult result;
    double value = 0;
    bool met = false;
    double price = 0;
  };

  Recipe RecipeOf(const Layers& floats) const {
    Recipe recipe = start_;
    for (const std::string& layer : floats) recipe.nodes[layer].int8 = false;
    return recipe;
  }

  absl::StatusOr<Candidate> Try(const Layers& floats) {
    Candidate candidate{floats, {}, 0, false, 0};
    const Recipe recipe = RecipeOf(floats);
    OMKIT_ASSIGN_OR_RETURN(candidate.result, options_.trial->Measure(recipe));
    switch (options_.target.metric) {
      case AccuracyTarget::Metric::kCosine: candidate.value = candidate.result.cosine; break;
      case AccuracyTarget::Metric::kSqnr: candidate.value = candidate.result.sqnr_db; break;
      case AccuracyTarget::Metric::kExternal: {
        OMKIT_ASSIGN_OR_RETURN(candidate.value, options_.target.external(recipe));
        break;
      }
    }
    candidate.met = candidate.value >= options_.target.least;
    OMKIT_ASSIGN_OR_RETURN(candidate.price, options_.price(recipe));
    Log(LogLevel::kDebug, absl::StrFormat("precision: %d layers in float, value %.6f", floats.size(), candidate.value));
    const bool better = best_.empty() || (candidate.met && !best_[0].met) ||
                        (candidate.met == best_[0].met && (candidate.met ? candidate.price < best_[0].price : candidate.value > best_[0].value));
    if (better) {
      best_ = {candidate};
      if (options_.on_better) OMKIT_RETURN_IF_ERROR(options_.on_better(recipe));
    }
    return candidate;
  }

  absl::Status MeasureLayers(const Candidate& base) {
    const QuantizationTrial& trial = options_.ranking == nullptr ? *options_.trial : *options_.ranking;
    OMKIT_ASSIGN_OR_RETURN(const TrialResult whole, trial.Measure(start_));
    for (size_t i = 0; i < layers_.size(); ++i) {
      const std::string& layer = layers_[i];
      LayerSensitivity s{layer, 0, 0, 0};
      OMKIT_ASSIGN_OR_RETURN(const TrialResult without, trial.Measure(RecipeOf({layer})));
      OMKIT_ASSIGN_OR_RETURN(const double price, options_.price(RecipeOf({layer})));
      s.noise_without = without.noise;
      if (options_.both_ways) {
        Layers others = all_;
        others.erase(layer);
        // Its bias correction is for the errors of the layers before it, which are not there.
        Recipe only = RecipeOf(others);
        only.nodes[layer].bias.clear();
        OMKIT_ASSIGN_OR_RETURN(const TrialResult alone, trial.Measure(only));
        s.noise_alone = alone.noise;
      }
      s.price = price - base.price;
      sensitivities_.push_back(s);
      if (options_.progress) options_.progress(static_cast<double>(i + 1) / static_cast<double>(layers_.size()));
    }
    const double least_price = 1e-3 * base.price / static_cast<double>(layers_.size());
    auto share = [&](const LayerSensitivity& s) { return (std::max(0.0, whole.noise - s.noise_without) + s.noise_alone) / 2; };
    std::stable_sort(sensitivities_.begin(), sensitivities_.end(), [&](const auto& a, const auto& b) { return share(a) > share(b); });
    ranked_ = sensitivities_;
    std::stable_sort(ranked_.begin(), ranked_.end(), [&](const auto& a, const auto& b) {
      return share(a) / std::max(a.price, least_price) > share(b) / std::max(b.price, least_price);
    });
    return absl::OkStatus();
  }

  Layers Prefix(size_t count) const {
    Layers floats;
    for (size_t i = 0; i < count; ++i) floats.insert(ranked_[i].node);
    return floats;
  }

  // Binary search over how many of the ranked layers are float.
  absl::Status ShortestPrefix() {
    size_t low = 0, high = ranked_.size();  // `low` does not meet the target
    OMKIT_ASSIGN_OR_RETURN(const Candidate whole, Try(Prefix(high)));
    float_price_ = whole.price;
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      OMKIT_ASSIGN_OR_RETURN(const Candidate candidate, Try(Prefix(middle)));
      (candidate.met ? high : low) = middle;
    }
    count_ = high;
    return absl::OkStatus();
  }

  absl::Status Prune() {
    Layers floats = Prefix(count_);
    int tried = 0;
    for (size_t i = count_; i-- > 0;) {
      if (floats.size() <= 1 || tried++ == options_.most_pruned) break;
      Layers fewer = floats;
      fewer.erase(ranked_[i].node);
      OMKIT_ASSIGN_OR_RETURN(const Candidate candidate, Try(fewer));
      if (candidate.met) floats = std::move(fewer);
    }
    return absl::OkStatus();
  }

  PrecisionPlan Finish() const {
    const Candidate& best = best_[0];
    PrecisionPlan plan{RecipeOf(best.floats), best.result, best.value, best.met, best.price, float_price_, sensitivities_};
    Log(LogLevel::kInfo, absl::StrFormat("precision: %d of %d layers in float, value %.6f, target %.6f %s", best.floats.size(), layers_.size(),
                                         best.value, options_.target.least, best.met ? "met" : "not met"));
    return plan;
  }

  const PrecisionSearch& options_;
  const Recipe& start_;
  const std::vector<std::string>& layers_;
  const Layers all_;
  std::vector<Candidate> best_;  // none or one
  std::vector<LayerSensitivity> sensitivities_, ranked_;
  size_t count_ = 0;
  double float_price_ = 0;
};

}  // namespace

absl::StatusOr<PrecisionPlan> PrecisionSearch::Run(const Recipe& start, const std::vector<std::string>& layers) const {
  return Search(*this, start, layers).Run();
}

}  // namespace omkit
