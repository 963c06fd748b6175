#include "backends/quantize_graph.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "backends/evaluator.h"
#include "backends/quantization_trial.h"
#include "base/log.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/correct_bias.h"
#include "passes/equalize.h"
#include "passes/quantize.h"
#include "passes/round_weights.h"
#include "runtime/model.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

using passes::Precision;
using passes::RangeMethod;
using passes::Recipe;
using passes::Statistics;

// Samples that trials run on, samples that corrections are averaged over, and the memory that these and what is compared may take.
constexpr int kTrialSamples = 16;
constexpr int kCorrectionSamples = 64;
constexpr int kJudgeSamples = 48;
constexpr int kLeastSamples = 4;
constexpr double kSampleBytes = 160e6;
// Ranges are refined tensor by tensor while the trials stay below so many multiply-adds, and so many trials.
constexpr double kRefineOperations = 1.2e11;
constexpr int kMostRefineTrials = 240;
// Below the first mean cosine at an output, layers go back to float without being asked until the second is reached, both on samples that no
// choice before was made with: samples which nobody has seen yet then keep 0.995.
constexpr double kDoubtfulCosine = 0.997;
constexpr double kSafeCosine = 0.998;
// Without a stated target layers are ranked on so many samples, and so many are tried in INT8 again.
constexpr size_t kRankingSamples = 4;
constexpr int kMostPruned = 12;
// Weights are rounded by their effect without being asked where the Gram matrices take no more multiply-adds than this.
constexpr double kRoundOperations = 4e9;

// Multiply-adds of a Conv or Dense; 0 for others.
double MultiplyAdds(const ir::Graph& graph, const ir::Node& node) {
  if (node.op != ir::OpKind::kConv && node.op != ir::OpKind::kDense) return 0;
  const Shape& w = graph.value(node.inputs[1]).type.shape;
  return static_cast<double>(graph.value(node.outputs[0]).type.shape.elements()) * static_cast<double>(w.elements()) / static_cast<double>(w.dim(0));
}

bool CarriesError(ir::OpKind op) { return !ir::Def(op).Is(ir::kMovement) && !passes::KeepsQuantization(op); }

class RecipeMaker {
 public:
  RecipeMaker(const QuantizeOptions& options, const passes::QuantizePolicy& policy, const ir::Graph& graph, ir::EvaluatorFactory evaluators)
      : options_(options), policy_(policy), graph_(graph), evaluators_(std::move(evaluators)) {}

  absl::StatusOr<Recipe> Make(const std::string& model_hash) {
    OMKIT_ASSIGN_OR_RETURN(plan_, passes::PlanQuantization(graph_, policy_));
    OMKIT_RETURN_IF_ERROR(FindBFloat16Layers());
    const auto quantized = std::count(plan_.int8_node.begin(), plan_.int8_node.end(), true);
    Log(LogLevel::kInfo,
        absl::StrFormat("quantize: %d of %d nodes run in INT8, %d tensors to calibrate", quantized, graph_.CountNodes(), plan_.values.size()));
    OMKIT_RETURN_IF_ERROR(CollectStatistics(model_hash));
    if (options_.statistics_only) return absl::CancelledError("statistics are complete");
    if (options_.effort == QuantEffort::kFast || source_.count == 0) return MakeWithoutTrials();
    OMKIT_RETURN_IF_ERROR(RankSamples());
    double largest = 1;
    for (const ir::ValueId v : plan_.values) largest = std::max(largest, 3 * BytesOf({v}));
    OMKIT_ASSIGN_OR_RETURN(correction_samples_, Samples(0, kCorrectionSamples, largest));
    std::vector<std::vector<Tensor>> samples = correction_samples_;
    samples.resize(std::min<size_t>(samples.size(), kTrialSamples));
    OMKIT_ASSIGN_OR_RETURN(trial_, QuantizationTrial::Make(graph_, policy_, std::move(samples), evaluators_));
    OMKIT_RETURN_IF_ERROR(ChooseMethod());
    OMKIT_RETURN_IF_ERROR(RefineRanges());
    const Recipe plain = recipe_;
    OMKIT_RETURN_IF_ERROR(TryEqualization(plain));
    if (options_.effort == QuantEffort::kHigh || RoundingOperations() <= kRoundOperations) OMKIT_RETURN_IF_ERROR(TryRounding());
    OMKIT_RETURN_IF_ERROR(TryBiasCorrection("biases corrected", recipe_));
    // What equalization is worth may show only behind bias correction.
    if (recipe_.equalize.empty()) {
      Recipe equalized = plain;
      equalized.equalize = passes::FindEqualization(graph_, plan_, statistics_, plain);
      if (!equalized.equalize.empty()) OMKIT_RETURN_IF_ERROR(TryBiasCorrection("equalized, biases", equalized));
    }
    OMKIT_RETURN_IF_ERROR(KeepAccuracy());
    return recipe_;
  }

 private:
  absl::Status CollectStatistics(const std::string& model_hash) {
    if (options_.statistics) statistics_ = *options_.statistics;
    if (options_.statistics && statistics_.model_hash != model_hash) {
      return absl::InvalidArgumentError("the calibration statistics were collected for another model");
    }
    statistics_.model_hash = model_hash;
    if (options_.calibration) {
      OMKIT_ASSIGN_OR_RETURN(source_, options_.calibration(graph_));
      if (options_.most_samples > 0) source_.count = std::min(source_.count, options_.most_samples);
    }
    if (source_.count == 0 && !options_.statistics && !plan_.values.empty()) {
      return absl::InvalidArgumentError("INT8 quantization needs calibration data (--calibrate_tool_path)");
    }
    passes::CollectOptions collect;
    OMKIT_ASSIGN_OR_RETURN(collect.threads, runtime::ResolveThreads(0));
    collect.progress = options_.progress;
    collect.checkpoint = options_.on_statistics;
    OMKIT_RETURN_IF_ERROR(passes::Collect(graph_, plan_.values, source_, evaluators_, collect, &statistics_));
    return options_.on_statistics ? options_.on_statistics(statistics_) : absl::OkStatus();
  }

  // Samples by hash, so that their order and names do not matter.
  absl::Status RankSamples() {
    std::vector<std::pair<uint64_t, int>> ranked;
    for (int i = 0; i < source_.count; ++i) {
      OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> sample, source_.sample(i));
      ranked.emplace_back(passes::SampleHash(sample), i);
    }
    std::sort(ranked.begin(), ranked.end());
    for (const auto& entry : ranked) ranked_.push_back(entry.second);
    return absl::OkStatus();
  }

  // Up to `most` samples from number `begin` on, as many as leave room where each takes `bytes` besides.
  absl::StatusOr<std::vector<std::vector<Tensor>>> Samples(size_t begin, int most, double bytes) const {
    const int fits = static_cast<int>(kSampleBytes / bytes);
    const size_t end = std::min(ranked_.size(), begin + std::min(most, std::max(kLeastSamples, fits)));
    std::vector<std::vector<Tensor>> samples;
    for (size_t i = begin; i < end; ++i) {
      OMKIT_ASSIGN_OR_RETURN(std::vector<Tensor> sample, source_.sample(ranked_[i]));
      samples.push_back(std::move(sample));
    }
    return samples;
  }

  double BytesOf(const std::vector<ir::ValueId>& values) const {
    double bytes = 0;
    for (const ir::ValueId v : values) bytes += 4.0 * static_cast<double>(graph_.value(v).type.shape.elements());
    return bytes;
  }

  // Ranges, and the equalization that the user asked for.
  Recipe FirstRecipe(RangeMethod method) const {
    Recipe recipe = passes::MakeRecipe(graph_, plan_, policy_, statistics_, method);
    for (auto& [name, node] : recipe.nodes) {
      if (node.precision == Precision::kFloat && bfloat16_.count(name) != 0) node.precision = Precision::kBFloat16;
    }
    recipe.equalize = passes::MigrateDifficulty(graph_, plan_, policy_, statistics_, recipe);
    return recipe;
  }

  absl::StatusOr<Recipe> MakeWithoutTrials() {
    recipe_ = FirstRecipe(RangeMethod::kMse);
    if (recipe_.equalize.empty()) recipe_.equalize = passes::FindEqualization(graph_, plan_, statistics_, recipe_);
    OMKIT_ASSIGN_OR_RETURN(const auto pair, BothGraphs(recipe_));
    OMKIT_RETURN_IF_ERROR(passes::CorrectBiasAnalytically(*pair.first, *pair.second, statistics_, &recipe_));
    return recipe_;
  }

  // The equalized float graph and the INT8 graph that the recipe makes of it.
  absl::StatusOr<std::pair<std::unique_ptr<ir::Graph>, std::unique_ptr<ir::Graph>>> BothGraphs(const Recipe& recipe) const {
    std::unique_ptr<ir::Graph> original = graph_.Clone();
    OMKIT_RETURN_IF_ERROR(passes::Equalize(recipe.equalize, *original));
    original->Sweep();
    std::unique_ptr<ir::Graph> quantized = original->Clone();
    OMKIT_ASSIGN_OR_RETURN(const passes::QuantizationPlan plan, passes::PlanOf(recipe, *quantized, policy_));
    OMKIT_RETURN_IF_ERROR(passes::Quantize(plan, recipe, *quantized));
    quantized->Sweep();
    return std::make_pair(std::move(original), std::move(quantized));
  }

  // Takes the recipe over when its result is better than the best so far.
  absl::Status Consider(const std::string& what, Recipe candidate) {
    OMKIT_ASSIGN_OR_RETURN(const TrialResult result, trial_->Measure(candidate));
    const bool better = !measured_ || result.noise < best_.noise;
    Log(LogLevel::kInfo,
        absl::StrFormat("quantize: %-24s noise %.3e, cosine %.6f%s", what, result.noise, result.cosine, better ? "" : " (not taken)"));
    if (!better) return absl::OkStatus();
    measured_ = true;
    best_ = result;
    recipe_ = std::move(candidate);
    return absl::OkStatus();
  }

  absl::Status ChooseMethod() {
    for (const RangeMethod method : passes::RangeMethods()) {
      OMKIT_RETURN_IF_ERROR(Consider(absl::StrCat("ranges by ", passes::Name(method)), FirstRecipe(method)));
      if (policy_.common.activation.method != RangeMethod::kAuto) break;
    }
    return absl::OkStatus();
  }

  struct Refinement {
    std::string tensor;
    double spread = 0;  // between the widest and the narrowest candidate
    std::vector<passes::TensorRecipe> candidates;
  };

  // Tensors whose methods disagree, the most first.
  std::vector<Refinement> Refinements() const {
    std::vector<Refinement> all;
    for (const ir::ValueId v : plan_.values) {
      passes::RangeConfig config = passes::ConfigOf(policy_, graph_, v);
      const auto seen = statistics_.tensors.find(graph_.value(v).name);
      if (config.method != RangeMethod::kAuto || seen == statistics_.tensors.end()) continue;
      Refinement refinement{graph_.value(v).name, 0, {}};
      const passes::ValueRange now = recipe_.tensors.at(refinement.tensor).range;
      std::vector<double> widths = {static_cast<double>(now.max) - now.min};
      for (const RangeMethod method : passes::RangeMethods()) {
        config.method = method;
        const passes::ValueRange range = passes::ChooseRange(seen->second, config);
        const double width = static_cast<double>(range.max) - range.min;
        const bool known = std::any_of(widths.begin(), widths.end(), [&](double w) { return std::abs(w - width) < 0.02 * w; });
        if (known || width <= 0) continue;
        widths.push_back(width);
        refinement.candidates.push_back({range, passes::Name(method)});
      }
      if (refinement.candidates.empty()) continue;
      refinement.spread = *std::max_element(widths.begin(), widths.end()) / *std::min_element(widths.begin(), widths.end());
      all.push_back(std::move(refinement));
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.spread > b.spread; });
    return all;
  }

  // One tensor after the other takes the candidate with which the network's measured error is least.
  absl::Status RefineRanges() {
    double operations = 1;
    for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph_.node_limit()); ++id) {
      if (graph_.alive(id)) operations += MultiplyAdds(graph_, graph_.node(id)) * static_cast<double>(trial_->samples().size());
    }
    int budget = std::min(kMostRefineTrials, static_cast<int>(kRefineOperations / operations));
    if (options_.effort == QuantEffort::kHigh) budget = 16 * std::max(budget, 16);
    const double before = best_.noise;
    int taken = 0, tried = 0;
    for (const Refinement& refinement : Refinements()) {
      bool changed = false;
      for (const passes::TensorRecipe& candidate : refinement.candidates) {
        if (tried++ >= budget) break;
        Recipe recipe = recipe_;
        recipe.tensors[refinement.tensor] = candidate;
        OMKIT_ASSIGN_OR_RETURN(const TrialResult result, trial_->Measure(recipe));
        constexpr double kLeastGain = 0.998;  // smaller gains are chance
        if (result.noise >= kLeastGain * best_.noise) continue;
        best_ = result;
        recipe_ = std::move(recipe);
        changed = true;
      }
      taken += changed;
    }
    Log(LogLevel::kInfo, absl::StrFormat("quantize: %d ranges changed alone     noise %.3e -> %.3e in %d trials, cosine %.6f", taken, before,
                                         best_.noise, std::min(tried, budget), best_.cosine));
    return absl::OkStatus();
  }

  // The layers that a search may keep in float, in order.
  std::vector<std::string> Layers() const {
    std::vector<std::string> layers;
    for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(plan_.int8_node.size()); ++id) {
      // A chain is float from its first node on.
      if (!plan_.int8_node[id] || (plan_.chain[id] != ir::kNoNode && plan_.chain[id] != id)) continue;
      const ir::Node& node = graph_.node(id);
      if (CarriesError(node.op) && policy_.int8_nodes.count(node.name) == 0) layers.push_back(node.name);
    }
    return layers;
  }

  // Those of them that can have int8 weights and float activations.
  std::set<std::string> WeightOnlyLayers() const {
    std::set<std::string> names;
    for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(plan_.int8_node.size()); ++id) {
      if (plan_.int8_node[id] && policy_.weight_only && policy_.weight_only(graph_, graph_.node(id))) names.insert(graph_.node(id).name);
    }
    return names;
  }

  // The layers that compute on bfloat16 where they are not INT8.
  absl::Status FindBFloat16Layers() {
    const std::unique_ptr<ir::Graph> graph = graph_.Clone();
    OMKIT_RETURN_IF_ERROR(passes::BFloat16Layers(policy_.bfloat16).run(*graph));
    for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph->node_limit()); ++id) {
      if (graph->alive(id) && passes::ComputesOnBFloat16(*graph, graph->node(id))) bfloat16_.insert(graph->node(id).name);
    }
    return absl::OkStatus();
  }

  // The samples behind those of the trials, where there are enough of them.
  absl::StatusOr<std::vector<std::vector<Tensor>>> JudgeSamples() const {
    const size_t tried = trial_->samples().size();
    const double bytes = BytesOf({graph_.inputs().begin(), graph_.inputs().end()}) + 2 * BytesOf({graph_.outputs().begin(), graph_.outputs().end()});
    return Samples(ranked_.size() >= 2 * tried ? tried : 0, kJudgeSamples, bytes);
  }

  // Scores may be close to the float ones, and classes that win by a hair change all the same. Only float layers help, at the price of speed: the
  // user decides.
  static void WarnOfClasses(const TrialResult& judged) {
    constexpr double kFew = 0.99;
    if (judged.agreement >= kFew || judged.cosine < kDoubtfulCosine) return;
    Log(LogLevel::kWarning, absl::StrFormat("quantize: %.1f %% of the elements of an integer output (classes) equal those of the float network; "
                                            "--accuracy_target=\"agreement>=0.99\" keeps the layers in float that this needs",
                                            100 * judged.agreement));
  }

  absl::Status KeepAccuracy() {
    PrecisionSearch search;
    std::unique_ptr<QuantizationTrial> ranking;
    OMKIT_ASSIGN_OR_RETURN(std::vector<std::vector<Tensor>> judged_by, JudgeSamples());
    OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<QuantizationTrial> judge,
                           QuantizationTrial::Make(graph_, policy_, std::move(judged_by), evaluators_));
    search.trial = judge.get();
    search.progress = options_.search_progress;
    if (options_.target) {
      search.target = *options_.target;
      search.price = [&](const Recipe& recipe) { return Latency(recipe); };
      search.on_better = options_.on_better;
      search.ranking = trial_.get();
    } else {
      OMKIT_ASSIGN_OR_RETURN(const TrialResult judged, judge->Measure(recipe_));
      WarnOfClasses(judged);
      if (judged.cosine >= kDoubtfulCosine) return absl::OkStatus();
      Log(LogLevel::kWarning,
          absl::StrFormat("quantize: the cosine similarity to the float network is %.4f at an output; looking for the layers to keep in "
                          "float",
                          judged.cosine));
      std::vector<std::vector<Tensor>> few(trial_->samples().begin(),
                                           trial_->samples().begin() + std::min(kRankingSamples, trial_->samples().size()));
      OMKIT_ASSIGN_OR_RETURN(ranking, QuantizationTrial::Make(graph_, policy_, std::move(few), evaluators_));
      search.ranking = ranking.get();
      search.target = {AccuracyTarget::Metric::kCosine, kSafeCosine, nullptr};
      search.most_pruned = kMostPruned;
      search.both_ways = false;
      search.price = [&](const Recipe& recipe) { return OperationPrice(recipe); };
    }
    search.bfloat16 = bfloat16_;
    search.weight_only = WeightOnlyLayers();
    OMKIT_ASSIGN_OR_RETURN(const PrecisionPlan plan, search.Run(recipe_, Layers()));
    std::map<Precision, std::vector<std::string>> layers;
    for (const LayerSensitivity& layer : plan.layers) {
      const auto entry = plan.recipe.nodes.find(layer.node);
      if (entry != plan.recipe.nodes.end()) layers[entry->second.precision].push_back(layer.node);
    }
    for (const auto& [precision, what] : {std::pair(Precision::kFloat, "kept in float"),
                                          {Precision::kBFloat16, "kept in float, on bfloat16"},
                                          {Precision::kW8A16, "only the weights in INT8 (w8a16)"}}) {
      if (layers[precision].empty()) continue;
      Log(LogLevel::kWarning, absl::StrCat("quantize: ", what, ", most sensitive first: ", absl::StrJoin(layers[precision], ", ")));
    }
    if (!plan.met && options_.target) {
      Log(LogLevel::kWarning, absl::StrFormat("quantize: the accuracy target is not met, the best value is %.6f", plan.value));
    }
    recipe_ = plan.recipe;
    best_ = plan.result;
    return absl::OkStatus();
  }

  // Seconds of one execution on this machine: the least of several.
  absl::StatusOr<double> Latency(const Recipe& recipe) const {
    const std::unique_ptr<ir::Graph> graph = graph_.Clone();
    OMKIT_RETURN_IF_ERROR(ApplyRecipe(recipe, policy_, *graph));
    graph->Sweep();
    OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Evaluator> evaluator, evaluators_(*graph, {}));
    constexpr int kRuns = 30;
    constexpr double kEnough = 0.25;  // seconds
    double least = 1e30, spent = 0;
    for (int i = 0; i < kRuns && (i < 5 || spent < kEnough); ++i) {
      const auto start = std::chrono::steady_clock::now();
      OMKIT_RETURN_IF_ERROR(evaluator->Run(trial_->samples()[0], [](ir::ValueId, const Tensor&) {}));
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      least = std::min(least, seconds);
      spent += seconds;
    }
    return least;
  }

  // Multiply-adds, those in float counted as three and those on bfloat16 as two: the same on every machine and at any time.
  absl::StatusOr<double> OperationPrice(const Recipe& recipe) const {
    constexpr double kFloatPrice = 3, kBFloat16Price = 2;
    OMKIT_ASSIGN_OR_RETURN(const passes::QuantizationPlan plan, passes::PlanOf(recipe, graph_, policy_));
    double price = 0;
    for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph_.node_limit()); ++id) {
      if (!graph_.alive(id)) continue;
      const ir::Node& node = graph_.node(id);
      const bool int8 = id < static_cast<ir::NodeId>(plan.int8_node.size()) && plan.int8_node[id];
      const auto entry = recipe.nodes.find(node.name);
      const bool bfloat16 = entry != recipe.nodes.end() && entry->second.precision == Precision::kBFloat16;
      price += (1000 + MultiplyAdds(graph_, node)) * (int8 ? 1 : bfloat16 ? kBFloat16Price : kFloatPrice);
    }
    return price;
  }

  absl::Status TryEqualization(const Recipe& plain) {
    if (!plain.equalize.empty()) return absl::OkStatus();
    Recipe candidate = plain;
    candidate.equalize = passes::FindEqualization(graph_, plan_, statistics_, plain);
    if (candidate.equalize.empty()) return absl::OkStatus();
    const std::string what = absl::StrFormat("%d tensors equalized", candidate.equalize.size());
    return Consider(what, std::move(candidate));
  }

  double RoundingOperations() const {
    double operations = 0;
    for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(plan_.int8_node.size()); ++id) {
      if (plan_.int8_node[id]) operations += passes::RoundingOperations(graph_, graph_.node(id));
    }
    return operations;
  }

  absl::Status TryRounding() {
    Recipe candidate = recipe_;
    OMKIT_ASSIGN_OR_RETURN(const auto pair, BothGraphs(candidate));
    OMKIT_RETURN_IF_ERROR(passes::RoundWeights(*pair.first, *pair.second, correction_samples_, evaluators_, &candidate));
    return Consider("weights rounded", std::move(candidate));
  }

  absl::Status TryBiasCorrection(const std::string& what, Recipe candidate) {
    OMKIT_ASSIGN_OR_RETURN(const auto pair, BothGraphs(candidate));
    OMKIT_RETURN_IF_ERROR(passes::CorrectBias(*pair.first, *pair.second, correction_samples_, evaluators_, &candidate));
    return Consider(what, std::move(candidate));
  }

  const QuantizeOptions& options_;
  const passes::QuantizePolicy& policy_;
  const ir::Graph& graph_;
  const ir::EvaluatorFactory evaluators_;
  passes::QuantizationPlan plan_;
  passes::CalibrationSource source_;
  std::set<std::string> bfloat16_;  // layers that compute on it where they are not INT8
  Statistics statistics_;
  std::vector<int> ranked_;  // samples, by hash
  std::vector<std::vector<Tensor>> correction_samples_;
  std::unique_ptr<QuantizationTrial> trial_;
  bool measured_ = false;
  TrialResult best_;
  Recipe recipe_;
};

// A recipe stands without the policy: matrix operators that became float because the one before them did say so.
absl::Status WriteDownFollowers(const passes::QuantizePolicy& policy, const ir::Graph& graph, Recipe* recipe) {
  if (policy.grey_types.empty()) return absl::OkStatus();
  OMKIT_ASSIGN_OR_RETURN(const passes::QuantizationPlan plan, passes::PlanOf(*recipe, graph, policy));
  for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(plan.int8_node.size()); ++id) {
    if (!graph.alive(id) || plan.int8_node[id]) continue;
    const auto entry = recipe->nodes.find(graph.node(id).name);
    if (entry != recipe->nodes.end() && entry->second.precision == Precision::kInt8) entry->second.precision = Precision::kFloat;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status QuantizeGraph(const QuantizeOptions& options, const std::string& soc, const std::string& model_hash, ir::Graph& graph) {
  passes::QuantizePolicy policy = options.policy;
  AskBackend(soc, nullptr, &policy);
  Recipe recipe;
  if (options.recipe) {
    recipe = *options.recipe;
  } else {
    RecipeMaker maker(options, policy, graph, BackendEvaluators(runtime::HostSoc().name));
    OMKIT_ASSIGN_OR_RETURN(recipe, maker.Make(model_hash));
    OMKIT_RETURN_IF_ERROR(WriteDownFollowers(policy, graph, &recipe));
  }
  if (options.on_recipe) OMKIT_RETURN_IF_ERROR(options.on_recipe(recipe));
  return ApplyRecipe(recipe, policy, graph);
}

}  // namespace omkit
