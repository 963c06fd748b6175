#include "backends/precision_search.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status.h"

namespace omkit {
namespace {

using passes::Precision;
using passes::Recipe;
// Layers that are not INT8.
using Raised = std::map<std::string, Precision>;
// A plan may be so much slower for the sake of smaller weights: what measured latencies differ by anyway.
constexpr double kAsFast = 1.02;

class Search {
 public:
  Search(const PrecisionSearch& options, const Recipe& start, const std::vector<std::string>& layers)
      : options_(options), start_(start), layers_(layers) {}

  absl::StatusOr<PrecisionPlan> Run() {
    OMKIT_ASSIGN_OR_RETURN(Candidate base, Try({}));
    if (base.met) return Finish();
    OMKIT_RETURN_IF_ERROR(MeasureLayers(base));
    OMKIT_RETURN_IF_ERROR(ShortestPrefix());
    OMKIT_RETURN_IF_ERROR(Prune());
    OMKIT_RETURN_IF_ERROR(Lower(Precision::kBFloat16, options_.bfloat16));
    OMKIT_RETURN_IF_ERROR(Lower(Precision::kW8A16, options_.weight_only));
    return Finish();
  }

 private:
  struct Candidate {
    Raised raised;
    TrialResult result;
    double value = 0;
    bool met = false;
    double price = 0;
  };

  Recipe RecipeOf(const Raised& raised) const {
    Recipe recipe = start_;
    for (const auto& [layer, precision] : raised) recipe.nodes[layer].precision = precision;
    return recipe;
  }

  absl::StatusOr<Candidate> Try(const Raised& raised) {
    Candidate candidate{raised, {}, 0, false, 0};
    const Recipe recipe = RecipeOf(raised);
    OMKIT_ASSIGN_OR_RETURN(candidate.result, options_.trial->Measure(recipe));
    switch (options_.target.metric) {
      case AccuracyTarget::Metric::kCosine: candidate.value = candidate.result.cosine; break;
      case AccuracyTarget::Metric::kSqnr: candidate.value = candidate.result.sqnr_db; break;
      case AccuracyTarget::Metric::kAgreement: candidate.value = candidate.result.agreement; break;
      case AccuracyTarget::Metric::kExternal: {
        OMKIT_ASSIGN_OR_RETURN(candidate.value, options_.target.external(recipe));
        break;
      }
    }
    candidate.met = candidate.value >= options_.target.least;
    OMKIT_ASSIGN_OR_RETURN(candidate.price, options_.price(recipe));
    Log(LogLevel::kDebug, absl::StrFormat("precision: %d layers raised, value %.6f", raised.size(), candidate.value));
    const bool better = best_.empty() || (candidate.met && !best_[0].met) ||
                        (candidate.met == best_[0].met && (candidate.met ? candidate.price < best_[0].price : candidate.value > best_[0].value));
    if (better) OMKIT_RETURN_IF_ERROR(Take(candidate));
    return candidate;
  }

  absl::Status Take(const Candidate& candidate) {
    best_ = {candidate};
    return options_.on_better ? options_.on_better(RecipeOf(candidate.raised)) : absl::OkStatus();
  }

  absl::Status MeasureLayers(const Candidate& base) {
    const QuantizationTrial& trial = options_.ranking == nullptr ? *options_.trial : *options_.ranking;
    OMKIT_ASSIGN_OR_RETURN(const TrialResult whole, trial.Measure(start_));
    for (size_t i = 0; i < layers_.size(); ++i) {
      const std::string& layer = layers_[i];
      LayerSensitivity s{layer, 0, 0, 0};
      OMKIT_ASSIGN_OR_RETURN(const TrialResult without, trial.Measure(RecipeOf({{layer, Precision::kFloat}})));
      OMKIT_ASSIGN_OR_RETURN(const double price, options_.price(RecipeOf({{layer, Precision::kFloat}})));
      s.noise_without = without.noise;
      if (options_.both_ways) {
        Raised others;
        for (const std::string& other : layers_) others[other] = Precision::kFloat;
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

  Raised Prefix(size_t count) const {
    Raised floats;
    for (size_t i = 0; i < count; ++i) floats[ranked_[i].node] = Precision::kFloat;
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
    Raised floats = Prefix(count_);
    int tried = 0;
    for (size_t i = count_; i-- > 0;) {
      if (floats.size() <= 1 || tried++ == options_.most_pruned) break;
      Raised fewer = floats;
      fewer.erase(ranked_[i].node);
      OMKIT_ASSIGN_OR_RETURN(const Candidate candidate, Try(fewer));
      if (candidate.met) floats = std::move(fewer);
    }
    return absl::OkStatus();
  }

  // Takes the plan when it meets the target and is as fast as the best one.
  absl::StatusOr<bool> TryAsFast(const Raised& raised) {
    const double price = best_[0].price;
    OMKIT_ASSIGN_OR_RETURN(const Candidate candidate, Try(raised));
    if (!candidate.met || candidate.price > kAsFast * price) return false;
    OMKIT_RETURN_IF_ERROR(Take(candidate));
    return true;
  }

  // Float layers get a lower precision: the longest run of the least sensitive ones, then others one by one.
  absl::Status Lower(Precision precision, const std::set<std::string>& allowed) {
    if (!best_[0].met) return absl::OkStatus();
    Raised raised = best_[0].raised;
    std::vector<std::string> floats;  // least sensitive first
    for (size_t i = sensitivities_.size(); i-- > 0;) {
      const std::string& layer = sensitivities_[i].node;
      const auto entry = raised.find(layer);
      if (entry != raised.end() && entry->second == Precision::kFloat && allowed.count(layer) != 0) floats.push_back(layer);
    }
    const auto lowered = [&](size_t count) {
      Raised plan = raised;
      for (size_t i = 0; i < count; ++i) plan[floats[i]] = precision;
      return plan;
    };
    size_t low = 0, high = floats.size() + 1;
    for (size_t middle = floats.size(); high - low > 1; middle = (low + high) / 2) {
      OMKIT_ASSIGN_OR_RETURN(const bool taken, TryAsFast(lowered(middle)));
      (taken ? low : high) = middle;
    }
    raised = lowered(low);
    int tried = 0;
    for (size_t i = low + 1; i < floats.size() && tried++ < options_.most_pruned; ++i) {
      Raised one_more = raised;
      one_more[floats[i]] = precision;
      OMKIT_ASSIGN_OR_RETURN(const bool taken, TryAsFast(one_more));
      if (taken) raised = std::move(one_more);
    }
    return absl::OkStatus();
  }

  PrecisionPlan Finish() const {
    const Candidate& best = best_[0];
    PrecisionPlan plan{RecipeOf(best.raised), best.result, best.value, best.met, best.price, float_price_, sensitivities_};
    const auto count = [&](Precision precision) {
      return std::count_if(best.raised.begin(), best.raised.end(), [precision](const auto& r) { return r.second == precision; });
    };
    Log(LogLevel::kInfo, absl::StrFormat("precision: of %d layers %d in float, %d on bfloat16, %d with int8 weights, value %.6f, target %.6f %s",
                                         layers_.size(), count(Precision::kFloat), count(Precision::kBFloat16), count(Precision::kW8A16), best.value,
                                         options_.target.least, best.met ? "met" : "not met"));
    return plan;
  }

  const PrecisionSearch& options_;
  const Recipe& start_;
  const std::vector<std::string>& layers_;
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
