#include "passes/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/constants.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

// Ranges further apart than this do not share parameters (box coordinates and scores behind one Concat).
constexpr float kMaxRangeRatio = 8.0f;

ValueRange Union(ValueRange a, ValueRange b) { return {std::min(a.min, b.min), std::max(a.max, b.max)}; }
float Width(ValueRange r) { return std::max(r.max, 0.0f) - std::min(r.min, 0.0f); }

class Quantizer {
 public:
  Quantizer(const QuantizationPlan& plan, const Recipe& recipe, Graph& graph) : plan_(plan), recipe_(recipe), graph_(graph) {}

  absl::Status Run() {
    OMKIT_ASSIGN_OR_RETURN(order_, graph_.TopologicalOrder());
    OMKIT_RETURN_IF_ERROR(CollectGroupRanges());
    UnifyConcats();
    OMKIT_RETURN_IF_ERROR(InsertBorders());
    for (NodeId id : order_) {
      if (Int8(id)) OMKIT_RETURN_IF_ERROR(Annotate(QuantizeConstants(id), Describe(graph_.node(id))));
      if (WeightOnly(id)) OMKIT_RETURN_IF_ERROR(Annotate(QuantizeWeightsOnly(graph_.node(id)), Describe(graph_.node(id))));
    }
    OMKIT_RETURN_IF_ERROR(ir::InferGraph(graph_));
    return absl::OkStatus();
  }

 private:
  // Nodes of a chain compute on reals between a Dequantize and a Quantize.
  bool Int8(NodeId id) const { return id < static_cast<NodeId>(plan_.int8_node.size()) && plan_.int8_node[id] && !InChain(id); }
  bool WeightOnly(NodeId id) const { return id < static_cast<NodeId>(plan_.w8a16_node.size()) && plan_.w8a16_node[id]; }
  bool InChain(NodeId id) const { return id < static_cast<NodeId>(plan_.chain.size()) && plan_.chain[id] != ir::kNoNode; }

  absl::Status CollectGroupRanges() {
    for (ValueId v : plan_.values) {
      const auto tensor = recipe_.tensors.find(graph_.value(v).name);
      if (tensor == recipe_.tensors.end()) {
        return absl::InvalidArgumentError(absl::StrCat("the recipe has no range for tensor '", graph_.value(v).name, "'"));
      }
      const ValueRange range = tensor->second.range;
      auto [entry, fresh] = group_range_.try_emplace(plan_.group[v], range);
      if (!fresh) entry->second = Union(entry->second, range);
      leader_[plan_.group[v]] = plan_.group[v];
    }
    return absl::OkStatus();
  }

  int Leader(ValueId v) {
    int g = plan_.group[v];
    while (leader_[g] != g) g = leader_[g];
    return g;
  }

  void UnifyConcats() {
    for (NodeId id : order_) {
      const Node& node = graph_.node(id);
      if (!Int8(id) || node.op != OpKind::kConcat) continue;
      ValueRange all = group_range_[Leader(node.outputs[0])];
      for (ValueId v : node.inputs) {
        if (!graph_.IsConstant(v)) all = Union(all, group_range_[Leader(v)]);
      }
      const int target = Leader(node.outputs[0]);
      for (ValueId v : node.inputs) {
        if (graph_.IsConstant(v) || Leader(v) == target || Width(group_range_[Leader(v)]) * kMaxRangeRatio < Width(all)) continue;
        leader_[Leader(v)] = target;
      }
      group_range_[target] = all;
    }
  }

  QuantParams ParamsOf(ValueId v) {
    const ValueRange r = group_range_[Leader(v)];
    return ChooseAsymmetricU8(r.min, r.max);
  }

  TensorType QuantizedType(ValueId v, const QuantParams& params) const {
    TensorType type = graph_.value(v).type;
    type.dtype = DType::kUInt8;
    type.quant = params;
    return type;
  }

  bool ReadsQuantized(const ir::Use& use) const {
    const Node& node = graph_.node(use.node);
    if (!Int8(use.node)) return false;
    const bool residual = (node.op == OpKind::kConv || node.op == OpKind::kDense) && use.input == 3;
    return use.input < DataInputs(node) || residual;
  }

  absl::Status InsertBorders() {
    for (ValueId v : plan_.values) {
      const std::vector<ir::Use> uses = graph_.Uses(v);
      const Node* producer = graph_.Producer(v);
      const QuantParams params = ParamsOf(v);
      if (producer == nullptr || !Int8(producer->id)) {
        const NodeId quantize = graph_.AddNode(OpKind::kQuantize, absl::StrCat(graph_.value(v).name, ":quantize"), {v});
        const ValueId q = graph_.node(quantize).outputs[0];
        graph_.SetType(q, QuantizedType(v, params));
        for (const ir::Use& use : uses) {
          if (ReadsQuantized(use)) graph_.SetInput(use.node, use.input, q);
        }
      } else {
        graph_.SetType(v, QuantizedType(v, params));
        AddDequantize(v, uses);
      }
    }
    RequantizeConcatInputs();
    return absl::OkStatus();
  }

  void AddDequantize(ValueId v, const std::vector<ir::Use>& uses) {
    const bool output = graph_.IsOutput(v);
    const bool read_as_float = std::any_of(uses.begin(), uses.end(), [&](const ir::Use& use) { return !ReadsQuantized(use); });
    if (!output && !read_as_float) return;
    const std::string name = graph_.value(v).name;
    const NodeId dequantize = graph_.AddNode(OpKind::kDequantize, absl::StrCat(name, ":dequantize"), {v});
    const ValueId f = graph_.node(dequantize).outputs[0];
    TensorType type = graph_.value(v).type;
    type.dtype = DType::kFloat32;
    type.quant = {};
    graph_.SetType(f, type);
    for (const ir::Use& use : uses) {
      if (ReadsQuantized(use)) continue;
      ValueId real = f;
      if (InChain(use.node) && (output || uses.size() > 1)) {
        // A chain of its own, whoever else reads the value.
        real = graph_.node(graph_.AddNode(OpKind::kDequantize, absl::StrCat(graph_.node(use.node).name, ":dequantize"), {v})).outputs[0];
        graph_.SetType(real, type);
      }
      graph_.SetInput(use.node, use.input, real);
    }
    if (!output) return;
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      if (graph_.outputs()[i] == v) graph_.SetOutput(static_cast<int>(i), f);
    }
    graph_.SetName(f, name);
    graph_.SetName(v, absl::StrCat(name, ":quantized"));
  }

  void RequantizeConcatInputs() {
    for (NodeId id : order_) {
      const Node node = graph_.node(id);
      if (!Int8(id) || node.op != OpKind::kConcat) continue;
      const QuantParams params = graph_.value(node.outputs[0]).type.quant;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId v = node.inputs[i];
        if (graph_.IsConstant(v) || graph_.value(v).type.quant == params) continue;
        const NodeId requantize = graph_.AddNode(OpKind::kQuantize, absl::StrCat(node.name, ":requantize", i), {v});
        const ValueId q = graph_.node(requantize).outputs[0];
        graph_.SetType(q, QuantizedType(v, params));
        graph_.SetInput(id, static_cast<int>(i), q);
      }
    }
  }

  absl::Status QuantizeConstants(NodeId id) {
    const Node node = graph_.node(id);
    if (node.op == OpKind::kConv || node.op == OpKind::kDense) return QuantizeWeights(node);
    for (int i = 0; i < DataInputs(node); ++i) {
      const Tensor* t = graph_.ConstantInput(node, i);
      if (t == nullptr || t->dtype() != DType::kFloat32) continue;
      QuantParams params;
      if (KeepsQuantization(node.op)) {
        params = graph_.value(node.outputs[0]).type.quant;
      } else {
        ValueRange range;
        OMKIT_RETURN_IF_ERROR(FiniteRange(*t, "constant operand", &range));
        params = ChooseAsymmetricU8(range.min, range.max);
      }
      TensorType type = t->type();
      type.dtype = DType::kUInt8;
      type.quant = params;
      OMKIT_ASSIGN_OR_RETURN(Tensor q, Tensor::Allocate(type));
      for (int64_t k = 0; k < t->elements(); ++k) {
        q.mutable_data<uint8_t>()[k] = static_cast<uint8_t>(QuantizeValue(t->data<float>()[k], params.scale[0], params.zero_point[0], 0, 255));
      }
      graph_.SetInput(id, i, graph_.AddConstant(absl::StrCat(node.name, ":operand", i), std::move(q)));
    }
    return absl::OkStatus();
  }

  static absl::Status FiniteRange(const Tensor& t, absl::string_view what, ValueRange* range) {
    *range = {0, 0};
    for (float x : t.values<float>()) {
      if (!std::isfinite(x)) return absl::InvalidArgumentError(absl::StrCat(what, " holds ", x, "; quantization needs finite numbers"));
      *range = Union(*range, {x, x});
    }
    return absl::OkStatus();
  }

  // Smallest scale with which channel weights and bias stay inside int32 accumulation.
  static float GuardedScale(const float* w, int64_t count, float bias, float x_scale) {
    const double accumulator = static_cast<double>(count) * 255.0 * 127.0;
    const double room = std::numeric_limits<int32_t>::max() - accumulator - 1;
    const double for_bias = std::abs(static_cast<double>(bias)) / (static_cast<double>(x_scale) * room);
    return std::max(ChooseSymmetricS8(Largest(w, count)), static_cast<float>(for_bias * 1.0001));
  }

  absl::Status QuantizeWeights(const Node& node) {
    const Tensor& w = *graph_.ConstantInput(node, 1);
    const TensorType& x = graph_.value(node.inputs[0]).type;
    const int64_t channels = w.shape().dim(0);
    const int64_t count = w.elements() / channels;
    constexpr int64_t kLongestReduction = 66000;
    if (count > kLongestReduction) {
      return absl::UnimplementedError(
          absl::StrCat("a sum of ", count, " products may overflow int32 (limit ", kLongestReduction, "); keep this node in float"));
    }
    ValueRange range;
    OMKIT_RETURN_IF_ERROR(FiniteRange(w, "weight", &range));
    const Tensor* bias = graph_.ConstantInput(node, 2);
    if (bias != nullptr) OMKIT_RETURN_IF_ERROR(FiniteRange(*bias, "bias", &range));

    OMKIT_ASSIGN_OR_RETURN(const std::vector<float> biases, Biases(node, bias, channels));

    std::vector<float> scales;
    for (int64_t c = 0; c < channels; ++c) {
      scales.push_back(GuardedScale(w.data<float>() + c * count, count, biases.empty() ? 0.0f : biases[c], x.quant.scale[0]));
    }
    OMKIT_ASSIGN_OR_RETURN(Tensor q, Int8Weights(w, std::move(scales), EntryOf(node)));
    if (!biases.empty()) {
      OMKIT_ASSIGN_OR_RETURN(Tensor b, Tensor::Allocate(DType::kInt32, Shape{channels}));
      for (int64_t c = 0; c < channels; ++c) {
        const double unit = static_cast<double>(x.quant.scale[0]) * q.type().quant.scale[c];
        b.mutable_data<int32_t>()[c] = static_cast<int32_t>(std::nearbyint(biases[c] / unit));
      }
      const std::string name = bias != nullptr ? graph_.value(node.inputs[2]).name : absl::StrCat(node.name, ":bias");
      graph_.SetInput(node.id, 2, graph_.AddConstant(name, std::move(b)));
    }
    graph_.SetInput(node.id, 1, graph_.AddConstant(graph_.value(node.inputs[1]).name, std::move(q)));
    return absl::OkStatus();
  }

  // W8A16: the layer stays float but for its weights.
  absl::Status QuantizeWeightsOnly(const Node& given) {
    const Node node = given;
    const Tensor& w = *graph_.ConstantInput(node, 1);
    const int64_t channels = w.shape().dim(0), count = w.elements() / channels;
    ValueRange range;
    OMKIT_RETURN_IF_ERROR(FiniteRange(w, "weight", &range));
    std::vector<float> scales;
    for (int64_t c = 0; c < channels; ++c) scales.push_back(ChooseSymmetricS8(Largest(w.data<float>() + c * count, count)));
    OMKIT_ASSIGN_OR_RETURN(Tensor q, Int8Weights(w, std::move(scales), EntryOf(node)));
    const Tensor* bias = graph_.ConstantInput(node, 2);
    if (!EntryOf(node).bias.empty()) {
      OMKIT_ASSIGN_OR_RETURN(const std::vector<float> biases, Biases(node, bias, channels));
      const std::string name = bias != nullptr ? graph_.value(node.inputs[2]).name : absl::StrCat(node.name, ":bias");
      graph_.SetInput(node.id, 2, AddFloats(graph_, name, Shape{channels}, biases));
    }
    graph_.SetInput(node.id, 1, graph_.AddConstant(graph_.value(node.inputs[1]).name, std::move(q)));
    return absl::OkStatus();
  }

  static float Largest(const float* w, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(w[i]));
    return largest;
  }

  // Symmetric, with a scale for each output channel, or the widest of them for all.
  static absl::StatusOr<Tensor> Int8Weights(const Tensor& w, std::vector<float> scales, const NodeRecipe& entry) {
    const int64_t channels = w.shape().dim(0), count = w.elements() / channels;
    if (!entry.channel_wise) scales.assign(channels, *std::max_element(scales.begin(), scales.end()));
    TensorType type{DType::kInt8, w.shape(), {}, Layout::kPlain};
    type.quant = {std::move(scales), std::vector<int32_t>(channels, 0), 0};
    OMKIT_ASSIGN_OR_RETURN(Tensor q, Tensor::Allocate(type));
    for (int64_t i = 0; i < w.elements(); ++i) {
      q.mutable_data<int8_t>()[i] = static_cast<int8_t>(QuantizeValue(w.data<float>()[i], type.quant.scale[i / count], 0, -127, 127));
    }
    OMKIT_RETURN_IF_ERROR(Round(entry.rounding, &q));
    return q;
  }

  const NodeRecipe& EntryOf(const Node& node) const {
    static const NodeRecipe* const kPlain = new NodeRecipe;
    const auto entry = recipe_.nodes.find(node.name);
    return entry == recipe_.nodes.end() ? *kPlain : entry->second;
  }

  // The layer's own bias plus the recipe's; empty when there is neither.
  absl::StatusOr<std::vector<float>> Biases(const Node& node, const Tensor* bias, int64_t channels) const {
    std::vector<float> sum = EntryOf(node).bias;
    if (!sum.empty() && static_cast<int64_t>(sum.size()) != channels) {
      return absl::InvalidArgumentError(absl::StrCat("the recipe's bias has ", sum.size(), " values for ", channels, " output channels"));
    }
    if (bias == nullptr) return sum;
    sum.resize(channels, 0.0f);
    for (int64_t c = 0; c < channels; ++c) sum[c] += bias->data<float>()[c];
    return sum;
  }

  static absl::Status Round(const std::vector<int8_t>& steps, Tensor* q) {
    if (steps.empty()) return absl::OkStatus();
    if (static_cast<int64_t>(steps.size()) != q->elements()) {
      return absl::InvalidArgumentError(absl::StrCat("the recipe's rounding has ", steps.size(), " values for ", q->elements(), " weights"));
    }
    int8_t* weights = q->mutable_data<int8_t>();
    for (size_t i = 0; i < steps.size(); ++i) weights[i] = static_cast<int8_t>(std::min(127, std::max(-127, weights[i] + steps[i])));
    return absl::OkStatus();
  }

  const QuantizationPlan& plan_;
  const Recipe& recipe_;
  Graph& graph_;
  std::vector<NodeId> order_;
  std::map<int, ValueRange> group_range_;
  std::map<int, int> leader_;
};

}  // namespace

absl::Status Quantize(const QuantizationPlan& plan, const Recipe& recipe, Graph& graph) { return Quantizer(plan, recipe, graph).Run(); }

}  // namespace omkit::passes
