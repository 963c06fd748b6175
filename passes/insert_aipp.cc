#include "passes/insert_aipp.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

absl::Status CheckInput(const Graph& graph, const AippInput& stage) {
  if (stage.input < 0 || stage.input >= static_cast<int>(graph.inputs().size())) {
    return absl::InternalError(absl::StrCat("AIPP for input ", stage.input, " of ", graph.inputs().size()));
  }
  const ir::Value& x = graph.value(graph.inputs()[stage.input]);
  const aipp::Stage& s = stage.stage;
  if (x.type.shape == Shape({s.batch, s.channels, s.height, s.width}) && !x.type.quantized() &&
      (x.type.dtype == DType::kFloat32 || x.type.dtype == DType::kUInt8)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("input '", x.name, "' is ", x.type.ToString(), ", but AIPP makes float32 or uint8 of ", s.batch, "x",
                                                 s.channels, "x", s.height, "x", s.width));
}

// The readers when every one is a Quantize node with the same result type.
std::vector<NodeId> EqualQuantizers(const Graph& graph, ValueId v) {
  std::vector<NodeId> nodes;
  if (graph.IsOutput(v)) return {};
  for (const ir::Use& use : graph.Uses(v)) {
    const Node& node = graph.node(use.node);
    const TensorType& type = graph.value(node.outputs[0]).type;
    if (node.op != OpKind::kQuantize || use.input != 0 || type.dtype != DType::kUInt8 || !type.quant.per_tensor()) return {};
    if (!nodes.empty() && graph.value(graph.node(nodes[0]).outputs[0]).type.quant != type.quant) return {};
    nodes.push_back(use.node);
  }
  return nodes;
}

// The quantization in which every pixel is its own byte: possible when all channels have one positive factor and one integer mean.
bool PixelParams(const aipp::Stage& stage, QuantParams* params) {
  const aipp::Spec& s = stage.spec;
  if (stage.dynamic) return false;
  const double mean = static_cast<double>(s.mean[0]) + s.min[0];
  for (int64_t c = 0; c < stage.channels; ++c) {
    if (static_cast<double>(s.mean[c]) + s.min[c] != mean || s.var_reci[c] != s.var_reci[0]) return false;
  }
  if (mean != std::floor(mean) || mean > 255 || !(s.var_reci[0] > 1e-6f)) return false;
  *params = QuantParams::PerTensor(s.var_reci[0], static_cast<int32_t>(mean));
  return true;
}

// The bias of an INT8 convolution whose input changes its scale; undefined when it would leave the accumulator.
Tensor RescaledBias(const Tensor& w, const Tensor& bias, const QuantParams& from, const QuantParams& to) {
  Tensor rescaled = bias.Clone();
  const double factor = static_cast<double>(from.scale[0]) / to.scale[0];
  const int64_t outputs = bias.elements(), taps = w.elements() / outputs;
  for (int64_t o = 0; o < outputs; ++o) {
    int64_t sum = 0, magnitude = 0;
    for (int64_t i = 0; i < taps; ++i) {
      const int64_t v = w.data<int8_t>()[o * taps + i];
      sum += v;
      magnitude += std::abs(v);
    }
    const double value = std::nearbyint(bias.data<int32_t>()[o] * factor);
    if (std::fabs(value - static_cast<double>(to.zero_point[0] * sum)) + 255.0 * static_cast<double>(magnitude) > INT32_MAX) return Tensor();
    rescaled.mutable_data<int32_t>()[o] = static_cast<int32_t>(value);
  }
  for (float& scale : rescaled.mutable_type()->quant.scale) scale = static_cast<float>(scale / factor);
  return rescaled;
}

// Gives `pixels`, which INT8 convolutions read, the parameters in which it holds the source's pixels: its scale moves into the
// convolutions' multipliers and its zero point, the mean, into their biases, where the kernels have them anyway.
void KeepPixels(Graph& graph, const aipp::Stage& stage, ValueId pixels) {
  QuantParams params;
  if (!PixelParams(stage, &params) || graph.IsOutput(pixels)) return;
  const QuantParams before = graph.value(pixels).type.quant;
  std::vector<std::pair<NodeId, Tensor>> biases;
  for (const ir::Use& use : graph.Uses(pixels)) {
    const Node& node = graph.node(use.node);
    const Tensor* w = graph.ConstantInput(node, 1);
    if (node.op != OpKind::kConv || use.input != 0 || w == nullptr || w->dtype() != DType::kInt8 || w->shape().dim(0) == 0) return;
    if (node.inputs.size() <= 2 || node.inputs[2] == ir::kNoValue) continue;
    const Tensor* bias = graph.ConstantInput(node, 2);
    if (bias == nullptr || bias->dtype() != DType::kInt32) return;
    const Tensor rescaled = RescaledBias(*w, *bias, before, params);
    if (!rescaled.defined()) return;
    biases.emplace_back(use.node, rescaled);
  }
  for (const auto& [node, bias] : biases) graph.SetInput(node, 2, graph.AddConstant(absl::StrCat(graph.node(node).name, ":aipp_bias"), bias));
  TensorType type = graph.value(pixels).type;
  type.quant = params;
  graph.SetType(pixels, type);
}

void InsertOne(Graph& graph, const AippInput& stage, const std::string& parameters) {
  const ValueId image = graph.inputs()[stage.input];
  const TensorType network = graph.value(image).type;
  const std::string name = absl::StrCat(graph.value(image).name, ":aipp");
  graph.SetType(image, {DType::kUInt8, Shape(aipp::SourceDims(stage.stage)), {}, Layout::kPlain});
  std::vector<ValueId> inputs = {image};
  if (stage.stage.dynamic) {
    const Shape shape({static_cast<int64_t>(aipp::DynamicBytes(stage.stage.batch))});
    inputs.push_back(graph.AddInput(parameters, {DType::kUInt8, shape, {}, Layout::kPlain}));
  }
  ir::Attrs attrs;
  attrs.Set("stage", aipp::ToText(stage.stage));
  if (network.dtype == DType::kUInt8) attrs.Set("pixels", int64_t{1});
  const NodeId node = graph.AddNode(OpKind::kAipp, name, inputs, attrs);
  const ValueId pixels = graph.node(node).outputs[0];
  graph.SetType(pixels, network);
  graph.ReplaceUsesExcept(image, pixels, node);
  const std::vector<NodeId> quantizers = EqualQuantizers(graph, pixels);
  if (quantizers.empty()) return;
  graph.SetType(pixels, graph.value(graph.node(quantizers[0]).outputs[0]).type);
  for (const NodeId quantize : quantizers) {
    graph.ReplaceUses(graph.node(quantize).outputs[0], pixels);
    graph.RemoveNode(quantize);
  }
  KeepPixels(graph, stage.stage, pixels);
}

}  // namespace

Pass InsertAipp(const std::vector<AippInput>& stages) {
  return {"insert_aipp", [stages](Graph& graph) {
            const auto dynamic = std::count_if(stages.begin(), stages.end(), [](const AippInput& s) { return s.stage.dynamic; });
            int number = 0;
            for (const AippInput& stage : stages) {
              OMKIT_RETURN_IF_ERROR(CheckInput(graph, stage));
              std::string parameters = aipp::kDynamicInputName;
              if (dynamic > 1 && stage.stage.dynamic) absl::StrAppend(&parameters, "_", number++);
              InsertOne(graph, stage, parameters);
            }
            return ir::InferGraph(graph);
          }};
}

}  // namespace omkit::passes
