#include "passes/constants.h"

#include <cmath>

namespace omkit::passes {

using ir::OpKind;

std::optional<double> ScalarConstant(const ir::Graph& graph, ir::ValueId value) {
  if (value == ir::kNoValue || !graph.IsConstant(value)) return std::nullopt;
  const Tensor& t = graph.value(value).constant;
  if (t.elements() != 1 || t.type().quantized()) return std::nullopt;
  return RealAt(t, 0);
}

std::optional<ScalarOperand> SplitScalar(const ir::Graph& graph, ir::ValueId value, OpKind op) {
  const ir::Node* node = graph.Producer(value);
  if (node == nullptr || node->op != op || node->inputs.size() != 2 || node->attrs.Has("act_min") || node->attrs.Has("act_max")) return std::nullopt;
  if (const auto right = ScalarConstant(graph, node->inputs[1])) return ScalarOperand{node->inputs[0], *right};
  if (op != OpKind::kAdd && op != OpKind::kMul) return std::nullopt;
  const auto left = ScalarConstant(graph, node->inputs[0]);
  return left ? std::optional(ScalarOperand{node->inputs[1], *left}) : std::nullopt;
}

bool Near(double value, double expected) { return std::abs(value - expected) <= 1e-5 * std::abs(expected) + 1e-9; }

ir::ValueId OperandBesides(const ir::Graph& graph, ir::ValueId value, OpKind op, double constant) {
  const auto split = SplitScalar(graph, value, op);
  return split && Near(split->constant, constant) ? split->value : ir::kNoValue;
}

std::optional<std::vector<float>> ChannelConstant(const ir::Graph& graph, ir::ValueId value, int rank, int axis, int64_t channels) {
  if (value == ir::kNoValue || !graph.IsConstant(value)) return std::nullopt;
  const Tensor& t = graph.value(value).constant;
  if (t.dtype() != DType::kFloat32 || t.shape().rank() > rank || channels < 0) return std::nullopt;
  if (t.elements() == 1) return std::vector<float>(channels, t.data<float>()[0]);
  const int own_axis = axis - (rank - t.shape().rank());
  if (own_axis < 0 || t.elements() != channels || t.shape().dim(own_axis) != channels) return std::nullopt;
  return FloatValues(t);
}

std::vector<float> FloatValues(const Tensor& tensor) { return {tensor.values<float>().begin(), tensor.values<float>().end()}; }

ir::ValueId AddFloats(ir::Graph& graph, absl::string_view name, Shape shape, const std::vector<float>& values) {
  return graph.AddConstant(name, Tensor::Of<float>(std::move(shape), values));
}

int OtherInput(const ir::Node& node, ir::ValueId value) {
  if (node.inputs.size() != 2) return -1;
  if (node.inputs[0] == value) return node.inputs[1] == value ? -1 : 1;
  return 0;
}

}  // namespace omkit::passes
