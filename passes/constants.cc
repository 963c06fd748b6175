#include "passes/constants.h"

namespace omkit::passes {

std::optional<double> ScalarConstant(const ir::Graph& graph, ir::ValueId value) {
  if (value == ir::kNoValue || !graph.IsConstant(value)) return std::nullopt;
  const Tensor& t = graph.value(value).constant;
  if (t.elements() != 1 || t.type().quantized()) return std::nullopt;
  return RealAt(t, 0);
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
