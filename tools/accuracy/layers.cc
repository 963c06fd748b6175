#include "tools/accuracy/layers.h"

#include <algorithm>
#include <bitset>
#include <cmath>
#include <memory>

#include "backends/evaluator.h"
#include "backends/quantization_trial.h"
#include "base/quant.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/equalize.h"
#include "passes/quantize.h"
#include "passes/side_by_side.h"
#include "runtime/soc.h"

namespace omkit::accuracy {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;

constexpr int kBars = 48;

bool IsLayer(const Node& node) { return !ir::Def(node.op).Is(ir::kMovement) && node.op != OpKind::kQuantize && node.op != OpKind::kDequantize; }

// True for a node that computes with 8-bit numbers.
bool RunsInInt8(const Graph& graph, const Node& node) {
  return !node.inputs.empty() && node.inputs[0] != ir::kNoValue && graph.value(node.inputs[0]).type.dtype == DType::kUInt8;
}

absl::StatusOr<Tensor> QuantizeTensor(const Tensor& t, const TensorType& type) {
  OMKIT_ASSIGN_OR_RETURN(Tensor q, Tensor::Allocate(type));
  for (int64_t i = 0; i < t.elements(); ++i) {
    q.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(QuantizeValue(t.data<float>()[i], type.quant.scale[0], type.quant.zero_point[0], 0, 255));
  }
  return q;
}

double MaxOverMedian(std::vector<double> values) {
  if (values.empty()) return 1;
  std::sort(values.begin(), values.end());
  const double median = values[values.size() / 2];
  return median > 0 ? values.back() / median : values.back() > 0 ? 1e9 : 1;
}

double ChannelRatio(const std::vector<Tensor>& outputs, OpKind op) {
  std::vector<double> largest;
  for (const Tensor& t : outputs) {
    const Shape& shape = t.shape();
    if (shape.rank() < 2) return 1;
    const int axis = op == OpKind::kDense ? shape.rank() - 1 : 1;
    const int64_t channels = shape.dim(axis);
    largest.resize(channels, 0.0);
    int64_t inner = 1;
    for (int d = axis + 1; d < shape.rank(); ++d) inner *= shape.dim(d);
    for (int64_t i = 0; i < t.elements(); ++i) {
      double& most = largest[i / inner % channels];
      most = std::max(most, std::abs(static_cast<double>(t.data<float>()[i])));
    }
  }
  return MaxOverMedian(largest);
}

double WeightRatio(const Graph& graph, const Node& node) {
  const Tensor* w = graph.ConstantInput(node, 1);
  if (w == nullptr || w->dtype() != DType::kInt8) return 1;
  return MaxOverMedian({w->type().quant.scale.begin(), w->type().quant.scale.end()});
}

void FillBars(const std::vector<Tensor>& before, const std::vector<std::vector<float>>& after, LayerResult* layer) {
  Bars& bars = layer->bars;
  bars = {std::min(layer->seen_min, layer->range_min), std::max(layer->seen_max, layer->range_max), {}, {}};
  bars.before.assign(kBars, 0.0);
  bars.after.assign(kBars, 0.0);
  const double width = (bars.high - bars.low) / kBars;
  if (width <= 0) return;
  double total = 0;
  auto bar = [&](float x) { return std::min(kBars - 1, std::max(0, static_cast<int>((x - bars.low) / width))); };
  for (size_t s = 0; s < before.size(); ++s) {
    for (int64_t i = 0; i < before[s].elements(); ++i) {
      bars.before[bar(before[s].data<float>()[i])] += 1;
      bars.after[bar(after[s][i])] += 1;
      total += 1;
    }
  }
  for (int b = 0; b < kBars; ++b) {
    bars.before[b] /= total;
    bars.after[b] /= total;
  }
}

// Range, clipping, saturation and use of the levels of an output.
void FillLevels(const passes::LayerView& view, LayerResult* layer) {
  double clipped = 0, saturated = 0, total = 0;
  std::bitset<256> used;
  bool first = true;
  for (size_t s = 0; s < view.float_output.size(); ++s) {
    const Tensor& want = view.float_output[s];
    const Tensor& have = view.quantized_output[s];
    const QuantParams& q = have.type().quant;
    const bool levels = have.dtype() == DType::kUInt8 && q.per_tensor();
    if (levels) {
      layer->range_min = static_cast<double>(0 - q.zero_point[0]) * q.scale[0];
      layer->range_max = static_cast<double>(255 - q.zero_point[0]) * q.scale[0];
    }
    for (int64_t i = 0; i < want.elements(); ++i) {
      const double x = want.data<float>()[i];
      layer->seen_min = first ? x : std::min(layer->seen_min, x);
      layer->seen_max = first ? x : std::max(layer->seen_max, x);
      first = false;
      if (!levels) continue;
      const uint8_t level = have.data<uint8_t>()[i];
      used.set(level);
      const double half = 0.5 * q.scale[0];
      clipped += x < layer->range_min - half || x > layer->range_max + half;
      saturated += (level == 255) || (level == 0 && q.zero_point[0] != 0);
      total += 1;
    }
  }
  if (total == 0) return;
  layer->clipped = clipped / total;
  layer->saturated = saturated / total;
  layer->used_levels = static_cast<double>(used.count()) / 256;
}

// The node's INT8 form on exact inputs.
absl::StatusOr<std::vector<Tensor>> RunAlone(const passes::LayerView& view, const Graph& quantized, const ir::EvaluatorFactory& evaluators) {
  const Node& node = quantized.node(view.node);
  std::vector<std::vector<Tensor>> inputs = view.float_inputs;
  for (std::vector<Tensor>& sample : inputs) {
    for (size_t i = 0; i < sample.size(); ++i) {
      if (!sample[i].defined()) continue;
      const TensorType& type = quantized.value(node.inputs[i]).type;
      if (type.dtype != DType::kUInt8 || sample[i].dtype() != DType::kFloat32) continue;
      OMKIT_ASSIGN_OR_RETURN(sample[i], QuantizeTensor(sample[i], type));
    }
  }
  OMKIT_ASSIGN_OR_RETURN(const auto outputs, passes::RunNode(quantized, view.node, inputs, evaluators));
  std::vector<Tensor> first;
  for (const std::vector<Tensor>& sample : outputs) first.push_back(sample[0]);
  return first;
}

int64_t MultiplyAdds(const Graph& graph, const Node& node) {
  if (node.op != OpKind::kConv && node.op != OpKind::kDense) return 0;
  const Shape& w = graph.value(node.inputs[1]).type.shape;
  return graph.value(node.outputs[0]).type.shape.elements() * (w.elements() / w.dim(0));
}

absl::StatusOr<LayerResult> MeasureLayer(const passes::LayerView& view, const Graph& quantized, const ir::EvaluatorFactory& evaluators) {
  const Node& node = quantized.node(view.node);
  LayerResult layer;
  layer.node = node.name;
  layer.op = ir::OpName(node.op);
  layer.multiply_adds = MultiplyAdds(quantized, node);
  OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> alone, RunAlone(view, quantized, evaluators));
  std::vector<std::vector<float>> after;
  for (size_t s = 0; s < view.float_output.size(); ++s) {
    after.push_back(passes::RealValues(view.quantized_output[s]));
    layer.cumulative.Add(view.float_output[s].values<float>(), after.back());
    layer.own.Add(view.float_output[s].values<float>(), passes::RealValues(alone[s]));
  }
  FillLevels(view, &layer);
  layer.channel_ratio = ChannelRatio(view.float_output, node.op);
  layer.weight_ratio = WeightRatio(quantized, node);
  FillBars(view.float_output, after, &layer);
  return layer;
}

absl::Status MeasureEffects(const Graph& graph, const passes::Recipe& recipe, const passes::QuantizePolicy& policy,
                            const std::vector<std::vector<Tensor>>& samples, const ir::EvaluatorFactory& evaluators,
                            const std::function<void(double)>& progress, std::vector<LayerResult>* layers) {
  OMKIT_ASSIGN_OR_RETURN(const auto trial, QuantizationTrial::Make(graph, policy, samples, evaluators));
  for (size_t i = 0; i < layers->size(); ++i) {
    passes::Recipe alone = recipe;
    for (const LayerResult& other : *layers) {
      if (other.node != (*layers)[i].node) alone.nodes[other.node].precision = passes::Precision::kFloat;
    }
    // Its bias correction is for the errors of the layers before it, which are not there.
    alone.nodes[(*layers)[i].node].bias.clear();
    OMKIT_ASSIGN_OR_RETURN(const TrialResult result, trial->Measure(alone));
    (*layers)[i].effect_noise = result.noise;
    progress(static_cast<double>(i + 1) / static_cast<double>(layers->size()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<LayerResult>> MeasureLayers(const Graph& graph, const passes::Recipe& recipe, const std::string& soc,
                                                       const std::vector<std::vector<Tensor>>& samples, bool effect,
                                                       const std::function<void(double)>& progress) {
  const ir::EvaluatorFactory evaluators = BackendEvaluators(runtime::HostSoc().name);
  passes::QuantizePolicy policy;
  AskBackend(soc, nullptr, &policy);
  // The graph that equalization made: its float layers are what the INT8 ones stand for.
  const std::unique_ptr<Graph> original = graph.Clone();
  OMKIT_RETURN_IF_ERROR(passes::Equalize(recipe.equalize, *original));
  original->Sweep();
  const std::unique_ptr<Graph> quantized = original->Clone();
  OMKIT_ASSIGN_OR_RETURN(const passes::QuantizationPlan plan, passes::PlanOf(recipe, *quantized, policy));
  OMKIT_RETURN_IF_ERROR(passes::Quantize(plan, recipe, *quantized));
  quantized->Sweep();
  std::vector<LayerResult> layers;
  OMKIT_RETURN_IF_ERROR(passes::RunSideBySide(*original, *quantized, samples, evaluators, [&](const passes::LayerView& view) -> absl::StatusOr<bool> {
    const Node& node = quantized->node(view.node);
    if (!IsLayer(node) || !RunsInInt8(*quantized, node) || view.float_output[0].dtype() != DType::kFloat32) return false;
    OMKIT_ASSIGN_OR_RETURN(LayerResult layer, MeasureLayer(view, *quantized, evaluators));
    layers.push_back(std::move(layer));
    return false;
  }));
  if (effect) OMKIT_RETURN_IF_ERROR(MeasureEffects(graph, recipe, policy, samples, evaluators, progress, &layers));
  return layers;
}

}  // namespace omkit::accuracy
