// Conv, Gemm and MatMul on a quantized activation and constant quantized weights become Conv and Dense in integer form. What follows them
// and has no other meaning than per-channel arithmetic, residual and clamp is taken over:
//   layer -> Mul, Div, Add, Sub, BatchNormalization with per-channel constants   into weight scales and bias (torch's unfolded ConvBn)
//         -> Add of a dequantized tensor that is not rounded in between          the residual operand
//         -> Relu, Clip                                                          the clamp act_min, act_max
//         -> Quantize                                                            the parameters of the result; without it: float32
// On an activation in float the weights stay int8 all the same (W8A16), and per-channel arithmetic and clamp are taken over.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "frontends/qdq/layer_weights.h"
#include "frontends/qdq/rewrite.h"
#include "ir/ops/requantize.h"

namespace omkit::frontends::qdq {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

bool HasInput(const Node& node, int i) { return i < static_cast<int>(node.inputs.size()) && node.inputs[i] != ir::kNoValue; }

// The reals of a float32 constant or of a dequantized one.
std::optional<std::vector<double>> ConstantReals(const Graph& graph, ValueId value) {
  const Tensor* t = graph.IsConstant(value) ? &graph.value(value).constant : QuantizedConstant(graph, value);
  if (t == nullptr || (t->dtype() != DType::kFloat32 && !t->type().quantized())) return std::nullopt;
  const QuantParams& q = t->type().quant;
  int64_t inner = 1;
  for (int d = q.axis + 1; q.axis >= 0 && d < t->shape().rank(); ++d) inner *= t->shape().dim(d);
  std::vector<double> reals(t->elements());
  for (int64_t i = 0; i < t->elements(); ++i) {
    if (!q.quantized()) {
      reals[i] = t->data<float>()[i];
      continue;
    }
    const size_t s = q.axis < 0 ? 0 : static_cast<size_t>(i / inner) % q.scale.size();
    reals[i] = static_cast<double>(IntegerAt(*t, i) - q.zero_point[s]) * q.scale[s];
  }
  return reals;
}

// A constant that varies along `axis` of a tensor of `rank` dimensions only: its value per channel, a scalar repeated.
std::optional<std::vector<double>> ChannelReals(const Graph& graph, ValueId value, int rank, int axis, int64_t channels) {
  if (value == ir::kNoValue) return std::nullopt;
  std::optional<std::vector<double>> reals = ConstantReals(graph, value);
  if (!reals) return std::nullopt;
  if (reals->size() == 1) return std::vector<double>(channels, reals->front());
  const Shape& shape = graph.value(value).type.shape;
  const int own_axis = axis - (rank - shape.rank());
  if (static_cast<int64_t>(reals->size()) != channels || own_axis < 0 || own_axis >= shape.rank() || shape.dim(own_axis) != channels)
    return std::nullopt;
  return reals;
}

class LayerAbsorber {
 public:
  LayerAbsorber(Graph& graph, NodeId id, WeightFit* fit) : graph_(graph), node_(graph.node(id)), chain_(graph, id), fit_(fit) {}

  // False when the node keeps its float form.
  absl::StatusOr<bool> Run() {
    x_ = QuantizedSource(graph_, node_.inputs[0]);
    if (x_ == ir::kNoValue || graph_.IsConstant(x_) || !ReadOperands()) return false;
    while (TakeAffine()) continue;
    ir::Attrs attrs = node_.op == OpKind::kConv ? node_.attrs : ir::Attrs();
    TakeResidual();
    chain_.TakeClamps(&attrs);
    const QuantParams& x = graph_.value(x_).type.quant;
    absl::StatusOr<QuantizedLayer> layer = MakeQuantizedLayer(weights_, x, fit_);
    if (absl::IsResourceExhausted(layer.status())) {
      Log(LogLevel::kWarning, absl::StrCat("qdq: ", Describe(node_), " stays in float: ", layer.status().message()));
      return false;
    }
    OMKIT_RETURN_IF_ERROR(layer.status());
    chain_.TakeQuantize();
    Build(*std::move(layer), attrs);
    return true;
  }

  // For an activation in float.
  bool KeepWeights() {
    x_ = node_.inputs[0];
    const TensorType& x = graph_.value(x_).type;
    const Shape& w = graph_.value(node_.inputs[1]).type.shape;
    const bool image =
        !dense() && x.shape.rank() == 4 && w.rank() == 4 && (w.dim(1) > 1 || node_.attrs.Int("group", 1) == 1);  // depthwise kernels read floats
    if (x.dtype != DType::kFloat32 || graph_.IsConstant(x_) || (!dense() && !image) || !ReadOperands()) return false;
    const auto fits = [](int16_t v) { return v >= std::numeric_limits<int8_t>::min() && v <= std::numeric_limits<int8_t>::max(); };
    if (!std::all_of(weights_.values.begin(), weights_.values.end(), fits)) return false;
    while (TakeAffine()) continue;
    TensorType type{DType::kInt8, weights_.shape, {}, Layout::kPlain};
    for (const double scale : weights_.scale) type.quant.scale.push_back(static_cast<float>(scale));
    type.quant.zero_point.assign(weights_.scale.size(), 0);
    type.quant.axis = 0;
    QuantizedLayer layer;
    auto q = Tensor::Allocate(type);
    if (!q.ok() || !ValidateQuantParams(type.quant, type.dtype).ok()) return false;
    layer.weights = *std::move(q);
    std::copy(weights_.values.begin(), weights_.values.end(), layer.weights.mutable_data<int8_t>());
    if (!weights_.bias.empty()) {
      layer.bias = Tensor::Of<float>({weights_.channels()}, std::vector<float>(weights_.bias.begin(), weights_.bias.end()));
    }
    ir::Attrs attrs = dense() ? ir::Attrs() : node_.attrs;
    chain_.TakeClamps(&attrs);
    Build(std::move(layer), attrs);
    return true;
  }

 private:
  bool dense() const { return node_.op != OpKind::kConv; }

  // Weights and bias of a layer that reads x_.
  bool ReadOperands() {
    const Tensor* w = QuantizedConstant(graph_, node_.inputs[1]);
    if (w == nullptr || node_.attrs.Int("transA", 0) != 0) return false;
    if (node_.op == OpKind::kMatMul && graph_.value(x_).type.shape.rank() < 2) return false;
    const std::optional<LayerWeights> weights = dense() ? MatrixWeights(*w, node_.attrs.Int("transB", 0) != 0) : ConvWeights(*w);
    if (!weights) return false;
    weights_ = *weights;
    for (double& s : weights_.scale) s *= node_.attrs.Float("alpha", 1.0f);
    return !HasInput(node_, 2) || ReadBias();
  }

  bool ReadBias() {
    const std::optional<std::vector<double>> bias =
        dense() ? ChannelReals(graph_, node_.inputs[2], 2, 1, weights_.channels()) : ChannelReals(graph_, node_.inputs[2], 1, 0, weights_.channels());
    if (!bias) return false;
    weights_.bias = *bias;
    KeepExactBias();
    for (double& b : weights_.bias) b *= node_.attrs.Float("beta", 1.0f);
    return true;
  }

  // An int32 bias whose scale is scale_x * scale_w but for float rounding keeps its integers, however large they are.
  void KeepExactBias() {
    const Tensor* t = QuantizedConstant(graph_, node_.inputs[2]);
    if (t == nullptr || t->elements() != weights_.channels() || !graph_.value(x_).type.quantized()) return;
    const QuantParams& q = t->type().quant;
    for (int64_t c = 0; c < weights_.channels(); ++c) {
      const size_t s = q.scale.size() == 1 ? 0 : static_cast<size_t>(c);
      const double unit = static_cast<double>(graph_.value(x_).type.quant.scale[0]) * weights_.scale[c];
      if (std::abs(unit - q.scale[s]) <= 1e-6 * std::abs(unit)) weights_.bias[c] = static_cast<double>(IntegerAt(*t, c) - q.zero_point[s]) * unit;
    }
  }

  // y = scale * x + shift per channel of the reader, when it has that meaning.
  bool TakeAffine() {
    const Node* reader = chain_.next();
    if (reader == nullptr || graph_.value(reader->outputs[0]).type.shape != graph_.value(chain_.value()).type.shape) return false;
    std::vector<double> scale(weights_.channels(), 1.0), shift(weights_.channels(), 0.0);
    const bool known = reader->op == OpKind::kBatchNormalization ? BatchNorm(*reader, &scale, &shift) : Arithmetic(*reader, &scale, &shift);
    if (!known) return false;
    weights_.bias.resize(weights_.channels(), 0.0);
    for (int64_t c = 0; c < weights_.channels(); ++c) {
      weights_.scale[c] *= scale[c];
      weights_.bias[c] = weights_.bias[c] * scale[c] + shift[c];
    }
    chain_.Take();
    return true;
  }

  bool BatchNorm(const Node& reader, std::vector<double>* scale, std::vector<double>* shift) const {
    if (dense() && graph_.value(chain_.value()).type.shape.rank() != 2) return false;
    std::optional<std::vector<double>> p[4];
    for (int i = 0; i < 4; ++i) {
      p[i] = ChannelReals(graph_, reader.inputs[i + 1], 1, 0, weights_.channels());
      if (!p[i]) return false;
    }
    const double epsilon = reader.attrs.Float("epsilon", 1e-5f);
    for (int64_t c = 0; c < weights_.channels(); ++c) {
      (*scale)[c] = (*p[0])[c] / std::sqrt((*p[3])[c] + epsilon);
      (*shift)[c] = (*p[1])[c] - (*p[2])[c] * (*scale)[c];
    }
    return true;
  }

  bool Arithmetic(const Node& reader, std::vector<double>* scale, std::vector<double>* shift) const {
    if (reader.inputs.size() != 2 || reader.inputs[0] == reader.inputs[1]) return false;
    const int other = reader.inputs[0] == chain_.value() ? 1 : 0;
    const int rank = graph_.value(chain_.value()).type.shape.rank();
    const auto constant = ChannelReals(graph_, reader.inputs[other], rank, dense() ? rank - 1 : 1, weights_.channels());
    if (!constant) return false;
    for (int64_t c = 0; c < weights_.channels(); ++c) {
      const double k = (*constant)[c];
      switch (reader.op) {
        case OpKind::kMul: (*scale)[c] = k; break;
        case OpKind::kDiv:
          if (other == 0 || k == 0) return false;
          (*scale)[c] = 1.0 / k;
          break;
        case OpKind::kAdd: (*shift)[c] = k; break;
        case OpKind::kSub:
          (*shift)[c] = other == 1 ? -k : k;
          (*scale)[c] = other == 1 ? 1.0 : -1.0;
          break;
        default: return false;
      }
    }
    return true;
  }

  void TakeResidual() {
    const Node* add = chain_.next();
    if (add == nullptr || add->op != OpKind::kAdd || add->inputs[0] == add->inputs[1] || node_.attrs.Int("group", 1) != 1) return;
    const ValueId side = QuantizedSource(graph_, add->inputs[add->inputs[0] == chain_.value() ? 1 : 0]);
    if (side == ir::kNoValue || graph_.IsConstant(side) || graph_.value(side).type.dtype != DType::kUInt8) return;
    if (graph_.value(side).type.shape != graph_.value(chain_.value()).type.shape) return;
    if (graph_.value(add->outputs[0]).type.shape != graph_.value(side).type.shape) return;
    residual_ = side;
    chain_.Take();
  }

  void Build(QuantizedLayer layer, const ir::Attrs& attrs) {
    std::vector<ValueId> inputs = {x_, graph_.AddConstant(absl::StrCat(node_.name, ":weight"), std::move(layer.weights))};
    if (layer.bias.defined()) inputs.push_back(graph_.AddConstant(absl::StrCat(node_.name, ":bias"), std::move(layer.bias)));
    if (residual_ != ir::kNoValue) {
      inputs.resize(3, ir::kNoValue);
      inputs.push_back(residual_);
    }
    chain_.Remove();
    graph_.RemoveNode(node_.id);
    graph_.AddNodeInto(dense() ? OpKind::kDense : OpKind::kConv, node_.name, inputs, {chain_.value()}, attrs);
  }

  Graph& graph_;
  const Node node_;
  Chain chain_;
  WeightFit* fit_;
  ValueId x_ = ir::kNoValue;
  ValueId residual_ = ir::kNoValue;
  LayerWeights weights_;
};

bool IsLayer(OpKind op) { return op == OpKind::kConv || op == OpKind::kGemm || op == OpKind::kMatMul; }

}  // namespace

absl::Status AbsorbLayers(Graph& graph, bool keep_weights) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  int layers = 0, absorbed = 0, weights_only = 0, rescaled = 0;
  WeightFit all;
  for (NodeId id : order) {
    if (!graph.alive(id) || !IsLayer(graph.node(id).op)) continue;
    const std::string who = Describe(graph.node(id));
    WeightFit fit;
    const absl::StatusOr<bool> done = LayerAbsorber(graph, id, &fit).Run();
    if (!done.ok()) return Annotate(done.status(), who);
    ++layers;
    absorbed += *done;
    rescaled += fit.rescaled_channels > 0;
    all.wide_channels += fit.wide_channels;
    all.rescaled_channels += fit.rescaled_channels;
    all.worst_error = std::max(all.worst_error, fit.worst_error);
    if (!*done && keep_weights && LayerAbsorber(graph, id, &fit).KeepWeights()) {
      ++weights_only;
      Log(LogLevel::kInfo, absl::StrCat("qdq: ", who, " computes in float on int8 weights: its activation is not quantized"));
    } else if (!*done)
      Log(LogLevel::kInfo, absl::StrCat("qdq: ", who, " stays in float: activation or weights are not quantized in a form that has integer kernels"));
  }
  Log(LogLevel::kInfo, absl::StrCat("qdq: ", absorbed, " of ", layers, " layers run in INT8 with the model's own parameters"));
  if (all.wide_channels > 0) {
    Log(LogLevel::kInfo,
        absl::StrCat("qdq: ", all.wide_channels,
                     " output channels have weights beyond 127 steps of their zero point; these are exact, as sums of int8 weights"));
  }
  if (all.rescaled_channels > 0) {
    Log(LogLevel::kWarning, absl::StrCat("qdq: the sums of ", all.rescaled_channels, " output channels in ", rescaled,
                                         " layers may leave int32; their weights were requantized in a larger scale, largest relative error of "
                                         "a channel ",
                                         all.worst_error));
  }
  return absl::OkStatus();
}

}  // namespace omkit::frontends::qdq
