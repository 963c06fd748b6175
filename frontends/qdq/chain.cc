#include <algorithm>
#include <cmath>
#include <limits>

#include "frontends/qdq/rewrite.h"
#include "ir/ops/requantize.h"

namespace omkit::frontends::qdq {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using ir::ValueId;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::optional<float> Bound(const Graph& graph, const Node& clip, int input, float fallback) {
  if (input >= static_cast<int>(clip.inputs.size()) || clip.inputs[input] == ir::kNoValue) return fallback;
  const Tensor* t = graph.ConstantInput(clip, input);
  if (t == nullptr || t->elements() != 1 || t->dtype() != DType::kFloat32 || std::isnan(t->data<float>()[0])) return std::nullopt;
  return t->data<float>()[0];
}

std::optional<ir::RealRange> ClampOf(const Graph& graph, const Node& node) {
  if (node.op == OpKind::kRelu) return ir::RealRange{0.0f, kInfinity};
  if (node.op != OpKind::kClip) return std::nullopt;
  const std::optional<float> low = Bound(graph, node, 1, -kInfinity);
  const std::optional<float> high = Bound(graph, node, 2, kInfinity);
  if (!low || !high) return std::nullopt;
  return ir::RealRange{*low, *high};
}

}  // namespace

ValueId QuantizedSource(const Graph& graph, ValueId value) {
  const Node* node = graph.Producer(value);
  if (node == nullptr || node->op != OpKind::kDequantize || !ir::IsInt8Activation(graph.value(node->inputs[0]).type)) return ir::kNoValue;
  return node->inputs[0];
}

const Tensor* QuantizedConstant(const Graph& graph, ValueId value) {
  const Node* node = graph.Producer(value);
  return node == nullptr || node->op != OpKind::kDequantize ? nullptr : graph.ConstantInput(*node, 0);
}

void Chain::Take() {
  const Node& reader = *next();
  taken_.push_back(reader.id);
  value_ = reader.outputs[0];
}

void Chain::TakeClamps(ir::Attrs* attrs) {
  for (const Node* node = next(); node != nullptr && node->inputs[0] == value_; node = next()) {
    const std::optional<ir::RealRange> clamp = ClampOf(graph_, *node);
    if (!clamp) return;
    const ir::RealRange so_far = ir::ClampRealRange(*attrs);
    const float low = std::max(clamp->min, so_far.min);
    const float high = std::min(clamp->max, so_far.max);
    if (low > high) return;
    if (std::isfinite(low)) attrs->Set("act_min", low);
    if (std::isfinite(high)) attrs->Set("act_max", high);
    Take();
  }
}

bool Chain::TakeQuantize() {
  const Node* node = next();
  if (node == nullptr || node->op != OpKind::kQuantize) return false;
  const TensorType& type = graph_.value(node->outputs[0]).type;
  if (type.dtype != DType::kUInt8 || !type.quant.per_tensor()) return false;
  Take();
  return true;
}

void Chain::Remove() {
  for (ir::NodeId id : taken_) graph_.RemoveNode(id);
}

}  // namespace omkit::frontends::qdq
