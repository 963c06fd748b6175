#include "passes/equalize.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/constants.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

// Channels further apart than this are not brought together: the factors would leave the range of what weights in float can carry.
constexpr double kLeastFactor = 1e-6;
// Equalization must promise at least this much less squared error.
constexpr double kLeastGain = 0.95;

bool HasFloatWeights(const Graph& graph, const Node& node) {
  const Tensor* w = graph.ConstantInput(node, 1);
  return w != nullptr && w->dtype() == DType::kFloat32;
}

bool IsCompute(const Node& node) { return node.op == OpKind::kConv || node.op == OpKind::kDense; }

// A tensor whose channels can be rescaled, with the layers on both sides.
struct Site {
  ValueId value = ir::kNoValue;
  NodeId producer = ir::kNoNode;
  std::vector<NodeId> readers;
  int64_t channels = 0;
};

// Scale and bias of a producer, as (input index, channel constant); the bias may be absent.
bool CanScaleProducer(const Graph& graph, const Node& node) {
  if (node.outputs.size() != 1) return false;
  if (IsCompute(node)) {
    const bool residual = node.inputs.size() > 3 && node.inputs[3] != ir::kNoValue;
    const bool bias = node.inputs.size() <= 2 || node.inputs[2] == ir::kNoValue || graph.ConstantInput(node, 2) != nullptr;
    // A clamp must keep its place: 0 is kept by every factor, an upper bound by factors that never exceed the range (see the header).
    const float lower = node.attrs.Float("act_min", -INFINITY);
    return HasFloatWeights(graph, node) && bias && !residual && (lower == 0 || lower == -INFINITY);
  }
  if (node.op != OpKind::kLayerNormalization) return false;
  const Tensor* scale = graph.ConstantInput(node, 1);
  const Shape& shape = graph.value(node.inputs[0]).type.shape;
  const bool bias = node.inputs.size() <= 2 || node.inputs[2] == ir::kNoValue || graph.ConstantInput(node, 2) != nullptr;
  return scale != nullptr && scale->shape().rank() == 1 && shape.rank() > 1 && scale->elements() == shape.dim(shape.rank() - 1) && bias;
}

bool CanScaleReader(const Graph& graph, const ir::Use& use) {
  const Node& node = graph.node(use.node);
  return IsCompute(node) && use.input == 0 && HasFloatWeights(graph, node);
}

// Readers through MaxPool, which keeps channels and order.
bool CollectReaders(const Graph& graph, ValueId v, std::vector<NodeId>* readers) {
  if (graph.IsOutput(v)) return false;
  const std::vector<ir::Use> uses = graph.Uses(v);
  for (const ir::Use& use : uses) {
    const Node& node = graph.node(use.node);
    if ((node.op == OpKind::kMaxPool && node.outputs.size() == 1) || node.op == OpKind::kGlobalMaxPool) {
      if (!CollectReaders(graph, node.outputs[0], readers)) return false;
    } else if (CanScaleReader(graph, use)) {
      readers->push_back(use.node);
    } else {
      return false;
    }
  }
  return !uses.empty();
}

std::optional<Site> SiteAt(const Graph& graph, ValueId v) {
  const Node* producer = graph.Producer(v);
  if (producer == nullptr || !CanScaleProducer(graph, *producer)) return std::nullopt;
  Site site{v, producer->id, {}, 0};
  if (!CollectReaders(graph, v, &site.readers)) return std::nullopt;
  const Shape& shape = graph.value(v).type.shape;
  const int axis = ChannelAxis(shape);
  if (axis < 1 || (producer->op == OpKind::kConv && axis != 1)) return std::nullopt;
  site.channels = shape.dim(axis);
  for (const NodeId reader : site.readers) {
    if (graph.node(reader).op == OpKind::kConv && axis != 1) return std::nullopt;
    if (graph.node(reader).op == OpKind::kDense && axis == 1 && shape.rank() != 2) return std::nullopt;
  }
  return site;
}

// Calls fn(channel of the input, index of the first weight, number of weights, output channel) for each run of weights that reads one channel.
template <typename Fn>
void ForEachReaderRun(const Node& node, const Tensor& w, int64_t channels, Fn fn) {
  const int64_t outputs = w.shape().dim(0);
  const int64_t per_output = w.shape().dim(1);
  const int64_t taps = w.elements() / outputs / per_output;
  const int64_t groups = node.op == OpKind::kConv ? node.attrs.Int("group", 1) : 1;
  for (int64_t o = 0; o < outputs; ++o) {
    const int64_t first = o / (outputs / groups) * (channels / groups);
    for (int64_t i = 0; i < per_output; ++i) fn(first + i, (o * per_output + i) * taps, taps, o);
  }
}

// Expected squared errors at the readers for S_c = ratio_c^alpha, from uniform rounding noise of the activation and of the weights.
class NoiseModel {
 public:
  NoiseModel(const Graph& graph, const Site& site, const TensorStatistics& statistics, ValueRange range) : site_(site) {
    step_ = (static_cast<double>(range.max) - range.min) / 255;
    for (int64_t c = 0; c < site.channels; ++c) mean_square_.push_back(statistics.mean_square(c));
    for (const NodeId reader : site.readers) readers_.push_back({&graph.node(reader), graph.ConstantInput(graph.node(reader), 1)});
  }

  double Error(const std::vector<double>& factor) const {
    double error = 0;
    for (const auto& [node, w] : readers_) {
      const float* weights = w->data<float>();
      std::vector<double> largest(w->shape().dim(0), 0.0);
      ForEachReaderRun(*node, *w, site_.channels, [&](int64_t c, int64_t begin, int64_t count, int64_t o) {
        for (int64_t i = begin; i < begin + count; ++i) {
          const double scaled = std::abs(static_cast<double>(weights[i])) * factor[c];
          largest[o] = std::max(largest[o], scaled);
          error += step_ * step_ * scaled * scaled / 12;
        }
      });
      ForEachReaderRun(*node, *w, site_.channels, [&](int64_t c, int64_t, int64_t count, int64_t o) {
        const double step = largest[o] / 127;
        error += static_cast<double>(count) * step * step / 12 * mean_square_[c] / (factor[c] * factor[c]);
      });
    }
    return error;
  }

 private:
  const Site& site_;
  double step_ = 0;
  std::vector<double> mean_square_;
  std::vector<std::pair<const Node*, const Tensor*>> readers_;
};

// Part of the tensor's range that each channel fills, in (0, 1]; channels that are always 0 count as full.
std::vector<double> FilledParts(const TensorStatistics& t, ValueRange range) {
  std::vector<double> parts;
  for (const ChannelStatistics& c : t.channels) {
    const double above = range.max > 0 ? static_cast<double>(c.max) / range.max : 0;
    const double below = range.min < 0 ? static_cast<double>(c.min) / range.min : 0;
    const double part = std::max(above, below);
    parts.push_back(part > 0 ? std::min(1.0, std::max(part, kLeastFactor)) : 1.0);
  }
  return parts;
}

void ScaleConstant(Graph& graph, NodeId id, int input, const std::function<float(int64_t)>& factor) {
  const ValueId v = graph.node(id).inputs[input];
  Tensor scaled = graph.value(v).constant.Clone();
  float* x = scaled.mutable_data<float>();
  for (int64_t i = 0; i < scaled.elements(); ++i) x[i] *= factor(i);
  graph.SetInput(id, input, graph.AddConstant(graph.value(v).name, std::move(scaled)));
}

void Rescale(const Site& site, const std::vector<float>& factors, Graph& graph) {
  const int64_t per_channel =
      IsCompute(graph.node(site.producer)) ? graph.ConstantInput(graph.node(site.producer), 1)->elements() / site.channels : 1;
  ScaleConstant(graph, site.producer, 1, [&](int64_t i) { return 1.0f / factors[i / per_channel]; });
  if (graph.ConstantInput(graph.node(site.producer), 2) != nullptr) {
    ScaleConstant(graph, site.producer, 2, [&](int64_t i) { return 1.0f / factors[i]; });
  }
  for (const NodeId reader : site.readers) {
    const Node& node = graph.node(reader);
    const Tensor& w = *graph.ConstantInput(node, 1);
    std::vector<float> by_weight(w.elements());
    ForEachReaderRun(node, w, site.channels, [&](int64_t c, int64_t begin, int64_t count, int64_t) {
      std::fill(by_weight.begin() + begin, by_weight.begin() + begin + count, factors[c]);
    });
    ScaleConstant(graph, reader, 1, [&](int64_t i) { return by_weight[i]; });
  }
}

// Largest magnitude of the weights that read each channel.
std::vector<double> LargestWeights(const Graph& graph, const Site& site) {
  std::vector<double> largest(site.channels, 0.0);
  for (const NodeId reader : site.readers) {
    const Tensor& w = *graph.ConstantInput(graph.node(reader), 1);
    ForEachReaderRun(graph.node(reader), w, site.channels, [&](int64_t c, int64_t begin, int64_t count, int64_t) {
      for (int64_t i = begin; i < begin + count; ++i) largest[c] = std::max(largest[c], std::abs(static_cast<double>(w.data<float>()[i])));
    });
  }
  return largest;
}

// `parts`: of the tensor's range that each channel fills.
std::vector<double> MigrationFactors(const Graph& graph, const Site& site, const std::vector<double>& parts, double strength) {
  const std::vector<double> weights = LargestWeights(graph, site);
  std::vector<double> factors;
  double widest = 0;  // after division
  for (size_t c = 0; c < parts.size(); ++c) {
    factors.push_back(weights[c] > 0 ? std::pow(parts[c], strength) / std::pow(weights[c], 1 - strength) : 1.0);
    widest = std::max(widest, parts[c] / factors[c]);
  }
  for (double& factor : factors) factor = std::min(std::max(factor * widest, kLeastFactor), 1 / kLeastFactor);
  return factors;
}

// Factors that `choose` gives for the plan's tensors, none where it gives none. Later tensors see the weights that earlier ones have rescaled.
template <typename Choose>
std::map<std::string, std::vector<float>> ForEachSite(const Graph& graph, const QuantizationPlan& plan, const Statistics& statistics,
                                                      const Recipe& recipe, Choose choose) {
  std::map<std::string, std::vector<float>> found;
  const std::unique_ptr<Graph> copy = graph.Clone();
  for (const ValueId v : plan.values) {
    const std::string& name = graph.value(v).name;
    const auto tensor = recipe.tensors.find(name);
    const auto seen = statistics.tensors.find(name);
    const std::optional<Site> site = SiteAt(*copy, v);
    if (!site || tensor == recipe.tensors.end() || seen == statistics.tensors.end()) continue;
    if (static_cast<int64_t>(seen->second.channels.size()) != site->channels) continue;
    const float clamp = copy->node(site->producer).attrs.Float("act_max", INFINITY);
    if (tensor->second.range.max > clamp * 1.001f) continue;
    const std::vector<double> chosen = choose(*copy, *site, seen->second, tensor->second.range);
    if (chosen.empty()) continue;
    const std::vector<float> factors(chosen.begin(), chosen.end());
    found[name] = factors;
    Rescale(*site, factors, *copy);
  }
  return found;
}

}  // namespace

std::map<std::string, std::vector<float>> FindEqualization(const Graph& graph, const QuantizationPlan& plan, const Statistics& statistics,
                                                           const Recipe& recipe) {
  return ForEachSite(graph, plan, statistics, recipe, [](const Graph& now, const Site& site, const TensorStatistics& seen, ValueRange range) {
    const NoiseModel noise(now, site, seen, range);
    const std::vector<double> parts = FilledParts(seen, range);
    std::vector<double> best;
    double least = kLeastGain * noise.Error(std::vector<double>(site.channels, 1.0));
    for (const double alpha : {0.25, 0.5, 0.75, 1.0}) {
      std::vector<double> factors;
      for (const double part : parts) factors.push_back(std::pow(part, alpha));
      const double error = noise.Error(factors);
      if (error >= least) continue;
      least = error;
      best = std::move(factors);
    }
    return best;
  });
}

std::map<std::string, std::vector<float>> MigrateDifficulty(const Graph& graph, const QuantizationPlan& plan, const QuantizePolicy& policy,
                                                            const Statistics& statistics, const Recipe& recipe) {
  return ForEachSite(graph, plan, statistics, recipe, [&](const Graph& now, const Site& site, const TensorStatistics& seen, ValueRange range) {
    float strength = 0;
    for (const NodeId reader : site.readers) strength = std::max(strength, ConfigOf(policy, now.node(reader)).migration);
    return strength > 0 ? MigrationFactors(now, site, FilledParts(seen, range), strength) : std::vector<double>();
  });
}

absl::Status Equalize(const std::map<std::string, std::vector<float>>& factors, Graph& graph) {
  if (factors.empty()) return absl::OkStatus();
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  size_t done = 0;
  for (const NodeId id : order) {
    for (const ValueId v : graph.node(id).outputs) {
      const auto entry = factors.find(graph.value(v).name);
      if (entry == factors.end()) continue;
      const std::optional<Site> site = SiteAt(graph, v);
      if (!site || site->channels != static_cast<int64_t>(entry->second.size())) {
        return absl::InvalidArgumentError(absl::StrCat("the recipe's equalization of tensor '", entry->first, "' does not fit the model"));
      }
      Rescale(*site, entry->second, graph);
      ++done;
    }
  }
  if (done != factors.size()) return absl::InvalidArgumentError("the recipe equalizes tensors that the model does not have");
  return absl::OkStatus();
}

}  // namespace omkit::passes
