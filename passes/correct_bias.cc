#include "passes/correct_bias.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/side_by_side.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;

bool IsInt8Layer(const Graph& graph, const Node& node) {
  if (node.op != OpKind::kConv && node.op != OpKind::kDense) return false;
  const Tensor* w = graph.ConstantInput(node, 1);
  return w != nullptr && w->dtype() == DType::kInt8 && graph.value(node.inputs[0]).type.quant.per_tensor();
}

// A model's own integer layers are not approximations of float ones: they stay as they are.
bool BecameInt8(const Graph& original, const Graph& quantized, ir::NodeId id) {
  return IsInt8Layer(quantized, quantized.node(id)) && !IsInt8Layer(original, original.node(id));
}

// What a layer's output is off by: the part of each channel's mean error that other samples can be expected to share, and in all.
struct OutputError {
  std::vector<double> shift;
  double squared = 0;
};

OutputError Compare(const LayerView& layer, OpKind op, int64_t channels) {
  OutputError error;
  const double samples = static_cast<double>(layer.float_output.size());
  std::vector<double> sum(channels, 0.0), squares(channels, 0.0);  // over samples, of the sample's mean error
  for (size_t s = 0; s < layer.float_output.size(); ++s) {
    const Tensor& want = layer.float_output[s];
    const std::vector<float> have = RealValues(layer.quantized_output[s]);
    const float* expected = want.data<float>();
    const Shape& shape = want.shape();
    int64_t inner = 1;
    for (int d = (op == OpKind::kConv ? 1 : shape.rank() - 1) + 1; d < shape.rank(); ++d) inner *= shape.dim(d);
    std::vector<double> mean(channels, 0.0);
    for (int64_t i = 0; i < want.elements(); i += inner) {
      double off = 0;
      for (int64_t k = i; k < i + inner; ++k) {
        const double d = static_cast<double>(expected[k]) - have[k];
        off += d;
        error.squared += d * d;
      }
      mean[i / inner % channels] += off * static_cast<double>(channels) / static_cast<double>(want.elements());
    }
    for (int64_t c = 0; c < channels; ++c) {
      sum[c] += mean[c];
      squares[c] += mean[c] * mean[c];
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    // Shrunk by the mean's own uncertainty: m * m^2 / (m^2 + Var(m)).
    const double mean = sum[c] / samples;
    const double variance = std::max(0.0, squares[c] / samples - mean * mean) / std::max(1.0, samples - 1);
    error.shift.push_back(mean == 0 ? 0 : mean * mean * mean / (mean * mean + variance));
  }
  return error;
}

// Moves the int32 bias by `shift` real units per channel; false when it would leave int32.
absl::StatusOr<bool> ShiftBias(const std::vector<double>& shift, ir::NodeId id, Graph& graph) {
  const Node& node = graph.node(id);
  const QuantParams& w = graph.ConstantInput(node, 1)->type().quant;
  const double x_scale = graph.value(node.inputs[0]).type.quant.scale[0];
  const Tensor* old = graph.ConstantInput(node, 2);
  OMKIT_ASSIGN_OR_RETURN(Tensor bias, Tensor::Allocate(DType::kInt32, Shape{static_cast<int64_t>(shift.size())}));
  for (size_t c = 0; c < shift.size(); ++c) {
    const double before = old == nullptr ? 0.0 : old->data<int32_t>()[c];
    const double after = before + std::nearbyint(shift[c] / (x_scale * static_cast<double>(w.scale[c])));
    // Half of int32 is left to the accumulator; Quantize gives every channel a scale with room for its own bias.
    if (std::abs(after) > 1073741824.0 && std::abs(after) > std::abs(before)) return false;
    bias.mutable_data<int32_t>()[c] = static_cast<int32_t>(after);
  }
  graph.SetInput(id, 2, graph.AddConstant(absl::StrCat(node.name, ":bias"), std::move(bias)));
  return true;
}

// The correction under trial at one layer.
struct Trial {
  double error_before = 0;
  std::vector<double> shift;
};

}  // namespace

absl::Status CorrectBias(const Graph& original, Graph& quantized, const std::vector<std::vector<Tensor>>& samples,
                         const ir::EvaluatorFactory& evaluators, Recipe* recipe) {
  std::map<ir::NodeId, Trial> trials;
  return RunSideBySide(original, quantized, samples, evaluators, [&](const LayerView& layer) -> absl::StatusOr<bool> {
    const Node& node = quantized.node(layer.node);
    if (!BecameInt8(original, quantized, layer.node)) return false;
    const int64_t channels = quantized.ConstantInput(node, 1)->shape().dim(0);
    const OutputError error = Compare(layer, node.op, channels);
    const auto [entry, first] = trials.try_emplace(layer.node);
    Trial& trial = entry->second;
    if (first) {
      trial = {error.squared, error.shift};
      return ShiftBias(trial.shift, layer.node, quantized);
    }
    if (trial.shift.empty()) return false;
    if (error.squared < trial.error_before) {
      std::vector<float>& bias = recipe->nodes[node.name].bias;
      bias.resize(channels, 0.0f);
      for (int64_t c = 0; c < channels; ++c) bias[c] += static_cast<float>(trial.shift[c]);
      return false;
    }
    for (double& shift : trial.shift) shift = -shift;
    const absl::StatusOr<bool> back = ShiftBias(trial.shift, layer.node, quantized);
    trial.shift.clear();
    return back;
  });
}

absl::Status CorrectBiasAnalytically(const Graph& original, const Graph& quantized, const Statistics& statistics, Recipe* recipe) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, original.TopologicalOrder());
  for (const ir::NodeId id : order) {
    const Node& node = original.node(id);
    if (!quantized.alive(id) || !BecameInt8(original, quantized, id)) continue;
    const std::string& input = original.value(node.inputs[0]).name;
    const auto seen = statistics.tensors.find(input);
    if (seen == statistics.tensors.end()) continue;
    const Tensor& w = *original.ConstantInput(node, 1);
    const Tensor& q = *quantized.ConstantInput(quantized.node(id), 1);
    const int64_t outputs = w.shape().dim(0), per_output = w.elements() / outputs, taps = per_output / w.shape().dim(1);
    const int64_t groups = node.op == OpKind::kConv ? node.attrs.Int("group", 1) : 1;
    const int64_t channels = static_cast<int64_t>(seen->second.channels.size());
    if (channels != w.shape().dim(1) * groups) continue;
    const auto equalized = recipe->equalize.find(input);
    std::vector<float>& bias = recipe->nodes[node.name].bias;
    bias.resize(outputs, 0.0f);
    for (int64_t o = 0; o < outputs; ++o) {
      double shift = 0;
      for (int64_t k = 0; k < per_output; ++k) {
        const int64_t c = o / (outputs / groups) * (channels / groups) + k / taps;
        const int64_t i = o * per_output + k;
        const double error = static_cast<double>(q.data<int8_t>()[i]) * q.type().quant.scale[o] - w.data<float>()[i];
        shift -= error * seen->second.mean(c) / (equalized == recipe->equalize.end() ? 1.0 : equalized->second[c]);
      }
      bias[o] += static_cast<float>(shift);
    }
  }
  return absl::OkStatus();
}

}  // namespace omkit::passes
