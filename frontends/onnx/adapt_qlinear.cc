// Adapters of the operators on quantized tensors (QOperator models): each becomes the float operator between DequantizeLinear and
// QuantizeLinear, the form that frontends/qdq takes back to integers.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {
namespace {

ir::ValueId Dequantize(OnnxNode& node, absl::string_view suffix, ir::ValueId value, ir::ValueId scale, ir::ValueId zero_point, int64_t axis) {
  ir::Attrs attrs;
  attrs.Set("axis", axis);
  return node.EmitBefore(ir::OpKind::kDequantizeLinear, suffix, {value, scale, zero_point}, attrs);
}

// The last step: `node` computes a fresh value named after it, which is quantized into the node's own output.
void EmitQuantized(OnnxNode& node, ir::ValueId scale, ir::ValueId zero_point) {
  const std::vector<ir::ValueId> outputs = node.outputs;
  node.outputs = {node.graph->AddValue(absl::StrCat(node.name, "/real"))};
  node.Emit();
  TryInfer(*node.graph,
           node.graph->AddNodeInto(ir::OpKind::kQuantizeLinear, absl::StrCat(node.name, "/quantize"), {node.outputs[0], scale, zero_point}, outputs));
}

// x_scale * w_scale as a constant of w_scale's shape: the scale of an int32 bias.
absl::StatusOr<Tensor> BiasScale(const OnnxNode& node) {
  const Tensor* x_scale = node.constant(1);
  const Tensor* w_scale = node.constant(4);
  if (x_scale == nullptr || w_scale == nullptr) return absl::UnimplementedError("a bias with scales that are not constant");
  if (x_scale->dtype() != DType::kFloat32 || w_scale->dtype() != DType::kFloat32 || x_scale->elements() != 1) {
    return absl::InvalidArgumentError("x_scale must be one float32 and w_scale float32");
  }
  Tensor scale = w_scale->Clone();
  for (int64_t i = 0; i < scale.elements(); ++i) scale.mutable_data<float>()[i] *= x_scale->data<float>()[0];
  return scale;
}

}  // namespace

absl::Status QLinearConv(OnnxNode& node) {
  const std::vector<ir::ValueId> in = node.inputs;
  std::vector<ir::ValueId> inputs = {Dequantize(node, "x", in[0], in[1], in[2], 1), Dequantize(node, "w", in[3], in[4], in[5], 0)};
  if (node.has_input(8)) {
    OMKIT_ASSIGN_OR_RETURN(Tensor scale, BiasScale(node));
    inputs.push_back(Dequantize(node, "bias", in[8], node.Constant("bias_scale", std::move(scale)), ir::kNoValue, 0));
  }
  node.inputs = std::move(inputs);
  EmitQuantized(node, in[6], in[7]);
  return absl::OkStatus();
}

absl::Status QLinearMatMul(OnnxNode& node) {
  const std::vector<ir::ValueId> in = node.inputs;
  node.inputs = {Dequantize(node, "a", in[0], in[1], in[2], -2), Dequantize(node, "b", in[3], in[4], in[5], -1)};
  EmitQuantized(node, in[6], in[7]);
  return absl::OkStatus();
}

}  // namespace omkit::frontends::adapters
