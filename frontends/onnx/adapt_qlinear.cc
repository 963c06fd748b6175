// Adapters of the operators on quantized tensors (QOperator models): each becomes the float operator between DequantizeLinear and
// QuantizeLinear, the form that frontends/qdq takes back to integers. Operators of com.microsoft are those of ONNX Runtime's contrib
// operator documentation (docs/ContribOperators.md).
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {
namespace {

using ir::ValueId;

ValueId Input(const OnnxNode& node, int i) { return node.has_input(i) ? node.inputs[i] : ir::kNoValue; }

ValueId Dequantize(OnnxNode& node, absl::string_view suffix, ValueId value, ValueId scale, ValueId zero_point, int64_t axis) {
  ir::Attrs attrs;
  attrs.Set("axis", axis);
  return node.EmitBefore(ir::OpKind::kDequantizeLinear, suffix, {value, scale, zero_point}, attrs);
}

// Dequantizes the tensor at input `i`, whose scale and zero point stand behind it.
ValueId Operand(OnnxNode& node, int i) {
  return Dequantize(node, absl::StrCat("operand", i), node.inputs[i], Input(node, i + 1), Input(node, i + 2), 1);
}

// The last step: `emit` computes a fresh value named after the node, which is quantized into the node's own output.
absl::Status EmitQuantized(OnnxNode& node, ValueId scale, ValueId zero_point, Adapter emit = Direct) {
  const std::vector<ValueId> outputs = node.outputs;
  node.outputs = {node.graph->AddValue(absl::StrCat(node.name, "/real"))};
  const ValueId real = node.outputs[0];
  OMKIT_RETURN_IF_ERROR(emit(node));
  TryInfer(*node.graph,
           node.graph->AddNodeInto(ir::OpKind::kQuantizeLinear, absl::StrCat(node.name, "/quantize"), {real, scale, zero_point}, outputs));
  return absl::OkStatus();
}

// The zero point at input `i`. A missing one is 0 in the type of tensor `like`, where QuantizeLinear would take uint8.
ValueId ZeroPoint(OnnxNode& node, int i, int like) {
  if (node.has_input(i)) return node.inputs[i];
  if (node.dtype(like) != DType::kInt8) return ir::kNoValue;
  return node.Constant("zero_point", Tensor::Scalar<int8_t>(0));
}

// x_scale * w_scale * factor as a constant of w_scale's shape: the scale of an int32 bias.
absl::StatusOr<Tensor> BiasScale(const OnnxNode& node, float factor) {
  const Tensor* x_scale = node.constant(1);
  const Tensor* w_scale = node.constant(4);
  if (x_scale == nullptr || w_scale == nullptr) return absl::UnimplementedError("a bias with scales that are not constant");
  if (x_scale->dtype() != DType::kFloat32 || w_scale->dtype() != DType::kFloat32 || x_scale->elements() != 1) {
    return absl::InvalidArgumentError("x_scale must be one float32 and w_scale float32");
  }
  Tensor scale = w_scale->Clone();
  for (int64_t i = 0; i < scale.elements(); ++i) scale.mutable_data<float>()[i] *= x_scale->data<float>()[0] * factor;
  return scale;
}

absl::Status Require(const OnnxNode& node, std::initializer_list<int> inputs) {
  for (int i : inputs) {
    if (!node.has_input(i)) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is required but left out"));
  }
  return absl::OkStatus();
}

// Scale and zero point of the result of an operator of one tensor.
absl::Status EmitUnary(OnnxNode& node, Adapter emit = Direct) {
  OMKIT_RETURN_IF_ERROR(Require(node, {0, 1, 3}));
  const ValueId scale = node.inputs[3], zero = ZeroPoint(node, 4, 0);
  node.inputs = {Operand(node, 0)};
  return EmitQuantized(node, scale, zero, emit);
}

absl::Status RefuseChannelsLast(OnnxNode& node) {
  if (node.attrs.Int("channels_last", 0) != 0) return absl::UnimplementedError("channels_last=1; quantize the network without layout optimization");
  node.attrs.Erase("channels_last");
  return absl::OkStatus();
}

}  // namespace

absl::Status QLinearConv(OnnxNode& node) {
  const std::vector<ValueId> in = node.inputs;
  std::vector<ValueId> inputs = {Dequantize(node, "x", in[0], in[1], in[2], 1), Dequantize(node, "w", in[3], in[4], in[5], 0)};
  if (node.has_input(8)) {
    OMKIT_ASSIGN_OR_RETURN(Tensor scale, BiasScale(node, 1));
    inputs.push_back(Dequantize(node, "bias", in[8], node.Constant("bias_scale", std::move(scale)), ir::kNoValue, 0));
  }
  node.inputs = std::move(inputs);
  return EmitQuantized(node, in[6], in[7]);
}

absl::Status QLinearMatMul(OnnxNode& node) {
  const std::vector<ValueId> in = node.inputs;
  node.inputs = {Dequantize(node, "a", in[0], in[1], in[2], -2), Dequantize(node, "b", in[3], in[4], in[5], -1)};
  return EmitQuantized(node, in[6], in[7]);
}

absl::Status QGemm(OnnxNode& node) {
  const std::vector<ValueId> in = node.inputs;
  const ValueId y_scale = Input(node, 7), y_zero = ZeroPoint(node, 8, 0);
  std::vector<ValueId> inputs = {Operand(node, 0), Dequantize(node, "b", in[3], in[4], Input(node, 5), node.attrs.Int("transB", 0) != 0 ? 0 : 1)};
  if (node.has_input(6)) {
    OMKIT_ASSIGN_OR_RETURN(Tensor scale, BiasScale(node, node.attrs.Float("alpha", 1.0f)));
    inputs.push_back(Dequantize(node, "c", in[6], node.Constant("c_scale", std::move(scale)), ir::kNoValue, -1));
  }
  node.inputs = std::move(inputs);
  return y_scale == ir::kNoValue ? Direct(node) : EmitQuantized(node, y_scale, y_zero);
}

absl::Status QLinearBinary(OnnxNode& node) {
  OMKIT_RETURN_IF_ERROR(Require(node, {0, 1, 3, 4, 6}));
  const ValueId scale = node.inputs[6], zero = ZeroPoint(node, 7, 0);
  node.inputs = {Operand(node, 0), Operand(node, 3)};
  return EmitQuantized(node, scale, zero);
}

absl::Status QLinearUnary(OnnxNode& node) { return EmitUnary(node); }

absl::Status QLinearPool(OnnxNode& node) {
  OMKIT_RETURN_IF_ERROR(RefuseChannelsLast(node));
  return EmitUnary(node);
}

absl::Status QLinearConcat(OnnxNode& node) {
  if (node.inputs.size() % 3 != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", node.inputs.size(), " inputs; scale and zero point of the result and three per tensor are needed"));
  }
  for (size_t i = 0; i < node.inputs.size(); ++i) OMKIT_RETURN_IF_ERROR(Require(node, {static_cast<int>(i)}));
  const ValueId scale = node.inputs[0], zero = node.inputs[1];
  std::vector<ValueId> tensors;
  for (size_t i = 2; i < node.inputs.size(); i += 3) tensors.push_back(Operand(node, static_cast<int>(i)));
  node.inputs = std::move(tensors);
  return EmitQuantized(node, scale, zero);
}

absl::Status QLinearReduceMean(OnnxNode& node) {
  node.opset = 17;  // the last with axes as an attribute, whatever the model's opset
  return EmitUnary(node, AxesToInput);
}

absl::Status QLinearSoftmax(OnnxNode& node) {
  node.opset = node.attrs.Int("opset", 13);
  node.attrs.Erase("opset");
  return EmitUnary(node, Softmax);
}

absl::Status QLinearWhere(OnnxNode& node) {
  const std::vector<ValueId> in = node.inputs;
  node.inputs = {in[0], Operand(node, 1), Operand(node, 4)};
  return EmitQuantized(node, in[7], in[8]);
}

}  // namespace omkit::frontends::adapters
