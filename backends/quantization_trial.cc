#include "backends/quantization_trial.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "backends/backend.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/equalize.h"
#include "passes/quantize.h"
#include "passes/side_by_side.h"

namespace omkit {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using ir::ValueId;

// Operators behind which a network's result is not looked for: they saturate, round to classes, or only move elements.
bool HidesError(OpKind op) {
  switch (op) {
    case OpKind::kSoftmax:
    case OpKind::kLogSoftmax:
    case OpKind::kSigmoid:
    case OpKind::kArgMax:
    case OpKind::kArgMin:
    case OpKind::kCast:
    case OpKind::kResize: return true;
    default: return ir::Def(op).Is(ir::kMovement);
  }
}

void CollectParts(const Graph& graph, ValueId v, std::vector<ValueId>* parts) {
  const Node* producer = graph.Producer(v);
  if (producer != nullptr && HidesError(producer->op)) {
    const int data = producer->op == OpKind::kConcat ? static_cast<int>(producer->inputs.size()) : 1;
    for (int i = 0; i < data; ++i) CollectParts(graph, producer->inputs[i], parts);
    return;
  }
  const bool usable = producer != nullptr && graph.value(v).type.dtype == DType::kFloat32;
  if (usable && std::find(parts->begin(), parts->end(), v) == parts->end()) parts->push_back(v);
}

struct Closeness {
  double noise = 0;   // sum (y - y')^2
  double signal = 0;  // sum y^2
  double cosine = 1;
};

Closeness Compare(const std::vector<float>& want, const std::vector<float>& have) {
  double dot = 0, want2 = 0, have2 = 0, noise = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double w = want[i], h = have[i];
    dot += w * h;
    want2 += w * w;
    have2 += h * h;
    noise += (w - h) * (w - h);
  }
  Closeness c{noise, want2, 1};
  if (want2 > 0 && have2 > 0) c.cosine = dot / std::sqrt(want2 * have2);
  else if (want2 > 0 || have2 > 0) c.cosine = 0;
  return c;
}

double EqualPart(const std::vector<float>& want, const std::vector<float>& have) {
  size_t equal = 0;
  for (size_t i = 0; i < want.size(); ++i) equal += want[i] == have[i];
  return want.empty() ? 1 : static_cast<double>(equal) / static_cast<double>(want.size());
}

// The values of one run, by what is watched.
absl::Status RunWatched(ir::Evaluator& evaluator, const std::vector<Tensor>& sample, const std::vector<ValueId>& values,
                        std::vector<std::vector<float>>* results) {
  results->assign(values.size(), {});
  return evaluator.Run(sample, [&](ValueId v, const Tensor& t) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] == v) (*results)[i] = passes::RealValues(t);
    }
  });
}

double Decibels(double noise, double signal) {
  constexpr double kMost = 200;
  return noise > 0 && signal > 0 ? std::min(kMost, 10 * std::log10(signal / noise)) : noise > 0 ? -kMost : kMost;
}

}  // namespace

void AskBackend(absl::string_view soc, const Graph* types, passes::QuantizePolicy* policy) {
  const Backend& backend = *BackendsFor(soc).front();
  const auto ask = [types, &backend](bool (Backend::*question)(const Graph&, const Node&) const) {
    return [types, &backend, question](const Graph& graph, const Node& node) {
      if (types == nullptr) return (backend.*question)(graph, node);
      return types->alive(node.id) && (backend.*question)(*types, types->node(node.id));
    };
  };
  policy->supported = ask(&Backend::SupportsInt8);
  policy->weight_only = ask(&Backend::SupportsInt8Weights);
  policy->bfloat16.supported = ask(&Backend::SupportsBFloat16);
}

absl::Status ApplyRecipe(const passes::Recipe& recipe, const passes::QuantizePolicy& policy, Graph& graph) {
  OMKIT_RETURN_IF_ERROR(passes::Equalize(recipe.equalize, graph));
  OMKIT_ASSIGN_OR_RETURN(const passes::QuantizationPlan plan, passes::PlanOf(recipe, graph, policy));
  OMKIT_RETURN_IF_ERROR(passes::Quantize(plan, recipe, graph));
  passes::BFloat16Policy bfloat16 = policy.bfloat16;
  bfloat16.all = false;  // the recipe says which
  for (const auto& [name, node] : recipe.nodes) {
    if (node.precision == passes::Precision::kBFloat16) bfloat16.nodes.insert(name);
  }
  return passes::BFloat16Layers(std::move(bfloat16)).run(graph);
}

absl::StatusOr<std::unique_ptr<QuantizationTrial>> QuantizationTrial::Make(const Graph& graph, const passes::QuantizePolicy& policy,
                                                                           std::vector<std::vector<Tensor>> samples,
                                                                           ir::EvaluatorFactory evaluators) {
  auto trial = std::unique_ptr<QuantizationTrial>(new QuantizationTrial(graph, policy));
  trial->samples_ = std::move(samples);
  trial->evaluators_ = std::move(evaluators);
  for (ValueId v : graph.outputs()) {
    CollectParts(graph, v, &trial->parts_);
    std::vector<ValueId> scores;
    if (graph.value(v).type.dtype != DType::kFloat32) CollectParts(graph, v, &scores);
    if (scores.empty()) scores.push_back(v);
    trial->judged_.insert(trial->judged_.end(), scores.begin(), scores.end());
  }
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Evaluator> evaluator, trial->evaluators_(graph, trial->parts_));
  trial->part_.resize(trial->parts_.size());
  trial->output_.resize(graph.outputs().size());
  for (const std::vector<Tensor>& sample : trial->samples_) {
    std::vector<ValueId> watched = trial->parts_;
    watched.insert(watched.end(), graph.outputs().begin(), graph.outputs().end());
    std::vector<std::vector<float>> results;
    OMKIT_RETURN_IF_ERROR(RunWatched(*evaluator, sample, watched, &results));
    for (size_t i = 0; i < trial->part_.size(); ++i) trial->part_[i].push_back(std::move(results[i]));
    for (size_t i = 0; i < trial->output_.size(); ++i) trial->output_[i].push_back(std::move(results[trial->part_.size() + i]));
  }
  return trial;
}

absl::StatusOr<TrialResult> QuantizationTrial::Measure(const passes::Recipe& recipe) const {
  const std::unique_ptr<Graph> graph = graph_.Clone();
  OMKIT_RETURN_IF_ERROR(ApplyRecipe(recipe, policy_, *graph));
  graph->Sweep();
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Evaluator> evaluator, evaluators_(*graph, parts_));
  std::vector<ValueId> watched = parts_;
  watched.insert(watched.end(), graph->outputs().begin(), graph->outputs().end());
  std::vector<double> noise(watched.size()), signal(watched.size()), cosine(watched.size()), equal(watched.size());
  for (size_t s = 0; s < samples_.size(); ++s) {
    std::vector<std::vector<float>> results;
    OMKIT_RETURN_IF_ERROR(RunWatched(*evaluator, samples_[s], watched, &results));
    for (size_t i = 0; i < watched.size(); ++i) {
      const std::vector<float>& want = i < parts_.size() ? part_[i][s] : output_[i - parts_.size()][s];
      const Closeness c = Compare(want, results[i]);
      noise[i] += c.noise;
      signal[i] += c.signal;
      cosine[i] += c.cosine / static_cast<double>(samples_.size());
      equal[i] += EqualPart(want, results[i]) / static_cast<double>(samples_.size());
    }
  }
  TrialResult result;
  result.sqnr_db = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < watched.size(); ++i) {
    if (i < parts_.size()) {
      result.noise += (signal[i] > 0 ? noise[i] / signal[i] : noise[i]) / static_cast<double>(parts_.size());
    }
    // An output may be one of the parts: it stands behind them as well.
    const ValueId original = i < parts_.size() ? parts_[i] : graph_.outputs()[i - parts_.size()];
    if (graph_.value(original).type.dtype != DType::kFloat32) result.agreement = std::min(result.agreement, equal[i]);
    if (std::find(judged_.begin(), judged_.end(), original) != judged_.end()) {
      result.cosine = std::min(result.cosine, cosine[i]);
      result.sqnr_db = std::min(result.sqnr_db, Decibels(noise[i], signal[i]));
    }
  }
  return result;
}

}  // namespace omkit
