#include "passes/round_weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/status.h"
#include "ir/op.h"
#include "passes/side_by_side.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;

constexpr int64_t kMostWeights = 2048;    // per output channel
constexpr int64_t kMostPositions = 1536;  // of a Gram matrix

// The geometry of a layer as sums over runs of its input.
struct Geometry {
  int64_t groups = 1, outputs = 0, per_output = 0;
  int64_t in_channels = 0, height = 1, width = 1, kernel_h = 1, kernel_w = 1, out_h = 1, out_w = 1;
  int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  bool rows = false;  // Dense: the input is rows of per_output values
};

bool GeometryOf(const Graph& graph, const Node& node, Geometry* g) {
  const Shape& w = graph.value(node.inputs[1]).type.shape;
  const Shape& x = graph.value(node.inputs[0]).type.shape;
  g->outputs = w.dim(0);
  g->per_output = w.elements() / w.dim(0);
  if (g->per_output > kMostWeights) return false;
  g->rows = node.op == OpKind::kDense;
  if (g->rows) return true;
  if (x.rank() != 4 || node.attrs.String("auto_pad", "NOTSET") != "NOTSET") return false;
  const Shape& y = graph.value(node.outputs[0]).type.shape;
  const std::vector<int64_t> strides = node.attrs.Ints("strides", {1, 1}), dilations = node.attrs.Ints("dilations", {1, 1});
  const std::vector<int64_t> pads = node.attrs.Ints("pads", {0, 0, 0, 0});
  g->groups = node.attrs.Int("group", 1);
  g->in_channels = x.dim(1);
  g->height = x.dim(2), g->width = x.dim(3), g->kernel_h = w.dim(2), g->kernel_w = w.dim(3), g->out_h = y.dim(2), g->out_w = y.dim(3);
  g->stride_h = strides[0], g->stride_w = strides[1], g->dilation_h = dilations[0], g->dilation_w = dilations[1];
  g->pad_top = pads[0], g->pad_left = pads[1];
  return true;
}

// The input values that one output position of a group is made of.
void Patch(const Geometry& g, const std::vector<float>& x, int64_t group, int64_t position, std::vector<double>* patch) {
  if (g.rows) {
    for (int64_t k = 0; k < g.per_output; ++k) (*patch)[k] = x[position * g.per_output + k];
    return;
  }
  const int64_t image = position / (g.out_h * g.out_w), oy = position / g.out_w % g.out_h, ox = position % g.out_w;
  const int64_t channels = g.in_channels / g.groups;
  size_t k = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const float* plane = &x[((image * g.in_channels) + group * channels + c) * g.height * g.width];
    for (int64_t ky = 0; ky < g.kernel_h; ++ky) {
      for (int64_t kx = 0; kx < g.kernel_w; ++kx, ++k) {
        const int64_t iy = oy * g.stride_h - g.pad_top + ky * g.dilation_h, ix = ox * g.stride_w - g.pad_left + kx * g.dilation_w;
        (*patch)[k] = iy >= 0 && iy < g.height && ix >= 0 && ix < g.width ? plane[iy * g.width + ix] : 0.0f;
      }
    }
  }
}

// Evenly spread positions of all samples.
std::vector<double> Gram(const Geometry& g, const std::vector<std::vector<float>>& inputs, int64_t group) {
  const int64_t k = g.per_output;
  std::vector<double> gram(k * k, 0.0), patch(k);
  const int64_t images = g.rows ? 1 : static_cast<int64_t>(inputs[0].size()) / (g.in_channels * g.height * g.width);
  const int64_t positions = g.rows ? static_cast<int64_t>(inputs[0].size()) / k : images * g.out_h * g.out_w;
  const int64_t all = positions * static_cast<int64_t>(inputs.size());
  const int64_t step = std::max<int64_t>(1, all / kMostPositions);
  for (int64_t p = step / 2; p < all; p += step) {
    Patch(g, inputs[p / positions], group, p % positions, &patch);
    for (int64_t i = 0; i < k; ++i) {
      const double x = patch[i];
      if (x == 0) continue;
      double* row = &gram[i * k];
      for (int64_t j = 0; j <= i; ++j) row[j] += x * patch[j];
    }
  }
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < i; ++j) gram[j * k + i] = gram[i * k + j];
  }
  return gram;
}

double SquaredError(const LayerView& layer) {
  double error = 0;
  for (size_t s = 0; s < layer.float_output.size(); ++s) {
    const std::vector<float> have = RealValues(layer.quantized_output[s]);
    const float* want = layer.float_output[s].data<float>();
    for (size_t i = 0; i < have.size(); ++i) error += (static_cast<double>(want[i]) - have[i]) * (static_cast<double>(want[i]) - have[i]);
  }
  return error;
}

struct Trial {
  double error_before = 0;
  Tensor nearest;
  std::vector<int8_t> steps;
};

void SetWeights(const Tensor& weights, ir::NodeId id, Graph& graph) {
  graph.SetInput(id, 1, graph.AddConstant(graph.value(graph.node(id).inputs[1]).name, weights));
}

// Steps for all weights of a layer; empty when none is worth moving.
std::vector<int8_t> StepsOf(const Geometry& g, const Tensor& w, const Tensor& q, const LayerView& layer) {
  std::vector<std::vector<float>> inputs;
  for (const std::vector<Tensor>& sample : layer.quantized_inputs) inputs.push_back(RealValues(sample[0]));
  std::vector<int8_t> steps(q.elements(), 0);
  bool any = false;
  for (int64_t group = 0; group < g.groups; ++group) {
    const std::vector<double> gram = Gram(g, inputs, group);
    const int64_t per_group = g.outputs / g.groups;
    for (int64_t o = group * per_group; o < (group + 1) * per_group; ++o) {
      const double scale = q.type().quant.scale[o];
      std::vector<double> weights(g.per_output);
      for (int64_t k = 0; k < g.per_output; ++k) weights[k] = w.data<float>()[o * g.per_output + k] / scale;
      const std::vector<int8_t> channel = RoundByGram(weights, gram);
      for (int64_t k = 0; k < g.per_output; ++k) {
        const int moved = q.data<int8_t>()[o * g.per_output + k] + channel[k];
        if (channel[k] == 0 || moved > 127 || moved < -127) continue;
        steps[o * g.per_output + k] = channel[k];
        any = true;
      }
    }
  }
  return any ? steps : std::vector<int8_t>();
}

}  // namespace

std::vector<int8_t> RoundByGram(const std::vector<double>& weights, const std::vector<double>& gram) {
  constexpr int kMostSweeps = 8;
  const size_t count = weights.size();
  std::vector<int8_t> steps(count, 0);
  std::vector<double> error(count), slope(count, 0.0);
  for (size_t k = 0; k < count; ++k) error[k] = std::nearbyint(weights[k]) - weights[k];
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < count; ++j) slope[i] += gram[i * count + j] * error[j];
  }
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool moved = false;
    for (size_t k = 0; k < count; ++k) {
      // Towards the other neighbour of the weight, or back.
      const int direction = steps[k] != 0 ? -steps[k] : error[k] > 0 ? -1 : 1;
      if (2 * direction * slope[k] + gram[k * count + k] >= -1e-12 * gram[k * count + k]) continue;
      steps[k] = static_cast<int8_t>(steps[k] + direction);
      error[k] += direction;
      for (size_t j = 0; j < count; ++j) slope[j] += direction * gram[k * count + j];
      moved = true;
    }
    if (!moved) break;
  }
  return steps;
}

double RoundingOperations(const Graph& graph, const Node& node) {
  Geometry g;
  if ((node.op != OpKind::kConv && node.op != OpKind::kDense) || graph.ConstantInput(node, 1) == nullptr || !GeometryOf(graph, node, &g)) return 0;
  const double k = static_cast<double>(g.per_output);
  return k * k * (static_cast<double>(g.groups * kMostPositions) / 2 + 2 * static_cast<double>(g.outputs));
}

absl::Status RoundWeights(const Graph& original, Graph& quantized, const std::vector<std::vector<Tensor>>& samples,
                          const ir::EvaluatorFactory& evaluators, Recipe* recipe) {
  std::map<ir::NodeId, Trial> trials;
  return RunSideBySide(original, quantized, samples, evaluators, [&](const LayerView& layer) -> absl::StatusOr<bool> {
    const Node& node = quantized.node(layer.node);
    const bool compute = node.op == OpKind::kConv || node.op == OpKind::kDense;
    const Tensor* q = compute ? quantized.ConstantInput(node, 1) : nullptr;
    Geometry geometry;
    if (q == nullptr || q->dtype() != DType::kInt8 || !GeometryOf(quantized, node, &geometry)) return false;
    const Tensor& w = *original.ConstantInput(original.node(layer.node), 1);
    if (w.dtype() != DType::kFloat32) return false;  // the model's own integers
    const auto [entry, first] = trials.try_emplace(layer.node);
    Trial& trial = entry->second;
    if (first) {
      trial = {SquaredError(layer), *q, StepsOf(geometry, w, *q, layer)};
      if (trial.steps.empty()) return false;
      Tensor moved = q->Clone();
      for (size_t i = 0; i < trial.steps.size(); ++i) moved.mutable_data<int8_t>()[i] = static_cast<int8_t>(moved.data<int8_t>()[i] + trial.steps[i]);
      SetWeights(moved, layer.node, quantized);
      return true;
    }
    if (trial.steps.empty()) return false;
    if (SquaredError(layer) < trial.error_before) {
      recipe->nodes[node.name].rounding = std::move(trial.steps);
      trial.steps.clear();
      return false;
    }
    trial.steps.clear();
    SetWeights(trial.nearest, layer.node, quantized);
    return true;
  });
}

}  // namespace omkit::passes
