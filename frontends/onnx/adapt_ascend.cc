// Adapters of AMCT deploy models. Operators on integers are taken back to reals: AscendQuant becomes QuantizeLinear and DequantizeLinear,
// and AscendDequant gives the weights and the bias of the layer before it the scales with which the layer computes reals. What comes out is
// the form of all quantized models. Sources: the definitions of AscendQuant, AscendDequant and AscendRequant in CANN's operator documents;
// the zero point is taken off before the layer, as AMCT's fake-quant model does.
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"
#include "ir/op.h"

namespace omkit::frontends::adapters {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using ir::ValueId;

std::string NameOf(const Graph& graph, ValueId v) { return absl::StrCat("'", graph.value(v).name, "'"); }

absl::Status CheckScale(float scale, const std::string& what) {
  if (std::isfinite(scale) && std::isnormal(scale) && scale > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " is ", scale, "; a finite, normal, positive number is needed"));
}

// An integer attribute that is written as a float.
absl::StatusOr<int64_t> Offset(const OnnxNode& node) {
  const float offset = node.attrs.Float("offset", 0.0f);
  if (offset == std::nearbyint(offset) && offset >= -128 && offset <= 127) return static_cast<int64_t>(offset);
  return absl::InvalidArgumentError(absl::StrCat("attribute 'offset' is ", offset, "; a whole number from -128 to 127 is needed"));
}

// The step of an int8 tensor: attribute scale, squared with sqrt_mode; AscendQuant has the reciprocal.
absl::StatusOr<float> Scale(const OnnxNode& node) {
  float scale = node.attrs.Float("scale", 0.0f);
  OMKIT_RETURN_IF_ERROR(CheckScale(scale, "attribute 'scale'"));
  if (node.attrs.Int("sqrt_mode", 0) != 0) scale *= scale;
  return scale;
}

// DequantizeLinear as the node itself.
absl::Status EmitDequantize(OnnxNode& node, ValueId integers, ValueId scale, ValueId zero) {
  node.kind = OpKind::kDequantizeLinear;
  node.attrs = {};
  node.inputs = {integers, scale, zero};
  return Direct(node);
}

absl::Status EmitFakeQuant(OnnxNode& node, ValueId x, float step, int64_t offset) {
  const ValueId scale = node.Constant("scale", Tensor::Scalar<float>(step));
  const ValueId zero = node.Constant("offset", Tensor::Scalar<int8_t>(static_cast<int8_t>(offset)));
  return EmitDequantize(node, node.EmitBefore(OpKind::kQuantizeLinear, "quantize", {x, scale, zero}), scale, zero);
}

// deq_scale and req_scale: float32, or uint64 with a float32 pattern in the low half. The upper half holds offsets, which must be 0.
absl::StatusOr<std::vector<float>> ReadScales(const OnnxNode& node) {
  const Tensor* t = node.constant(1);
  if (t == nullptr) return absl::UnimplementedError("a scale that is not constant");
  std::vector<float> scales;
  for (int64_t i = 0; i < t->elements(); ++i) {
    float scale = 0;
    if (t->dtype() == DType::kFloat32) {
      scale = t->data<float>()[i];
    } else if (t->dtype() == DType::kUInt64 || t->dtype() == DType::kInt64) {
      const auto word = static_cast<uint64_t>(t->data<int64_t>()[i]);
      const auto bits = static_cast<uint32_t>(word);
      std::memcpy(&scale, &bits, sizeof(scale));
      if (word >> 32 != 0) {
        return absl::UnimplementedError(absl::StrCat("scale ", NameOf(*node.graph, node.inputs[1]), "[", i, "] carries an offset (upper half ",
                                                     word >> 32, "); only weights with offset 0 are supported"));
      }
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("scale ", NameOf(*node.graph, node.inputs[1]), " is ", Name(t->dtype()), "; uint64 or float32 is needed"));
    }
    OMKIT_RETURN_IF_ERROR(CheckScale(scale, absl::StrCat("scale ", NameOf(*node.graph, node.inputs[1]), "[", i, "]")));
    if (node.attrs.Int("sqrt_mode", 0) != 0) scale *= scale;
    scales.push_back(scale);
  }
  if (scales.empty()) return absl::InvalidArgumentError("the scale has no elements");
  return scales;
}

// The step of a value that AscendQuant or AscendRequant made, maybe behind operators that only move elements or choose the largest.
absl::StatusOr<float> StepOf(const Graph& graph, ValueId v) {
  for (const Node* node = graph.Producer(v); node != nullptr; node = graph.Producer(v)) {
    if (node->op == OpKind::kDequantizeLinear) {
      const Tensor* scale = graph.ConstantInput(*node, 1);
      if (scale != nullptr && scale->elements() == 1 && scale->dtype() == DType::kFloat32) return scale->data<float>()[0];
      break;
    }
    if (!ir::Def(node->op).Is(ir::kMovement) && node->op != OpKind::kMaxPool) break;
    v = node->inputs[0];
  }
  return absl::InvalidArgumentError(absl::StrCat(NameOf(graph, v), " is not quantized by an AscendQuant node"));
}

bool IsInt8Constant(const Graph& graph, ValueId v) { return graph.IsConstant(v) && graph.value(v).type.dtype == DType::kInt8; }

// The axis of the output channels in the weights.
absl::StatusOr<int64_t> ChannelAxis(const Node& layer) {
  switch (layer.op) {
    case OpKind::kConv: return 0;
    case OpKind::kConvTranspose:
      if (layer.attrs.Int("group", 1) != 1) return absl::UnimplementedError("a ConvTranspose with groups");
      return 1;
    case OpKind::kGemm: return layer.attrs.Int("transB", 0) != 0 ? 0 : 1;
    case OpKind::kMatMul: return -1;
    default: return absl::UnimplementedError(absl::StrCat("the result of ", ir::OpName(layer.op), " as integers"));
  }
}

// Puts a DequantizeLinear before input `i` of the layer.
void DequantizeInput(OnnxNode& node, const Node& layer, int i, const char* what, const std::vector<float>& scales, int64_t axis) {
  const bool one = scales.size() == 1;
  const Shape shape = one ? Shape{} : Shape{static_cast<int64_t>(scales.size())};
  ir::Attrs attrs;
  attrs.Set("axis", axis);
  const ValueId scale = node.Constant(absl::StrCat(what, "_scale"), Tensor::Of<float>(shape, scales));
  const ValueId integers = layer.inputs[i];
  node.graph->SetInput(layer.id, i, node.EmitBefore(OpKind::kDequantizeLinear, what, {integers, scale, ir::kNoValue}, attrs));
}

// Makes the layer before `node` compute reals: accumulator times `scales`.
absl::Status ScaleLayer(OnnxNode& node, const std::vector<float>& scales) {
  Graph& graph = *node.graph;
  const Node* producer = graph.Producer(node.inputs[0]);
  if (producer == nullptr) return absl::InvalidArgumentError("reads no result of a layer");
  const Node layer = *producer;
  if (graph.Uses(node.inputs[0]).size() > 1) {
    return absl::UnimplementedError(absl::StrCat("another node already reads the integers of ", ir::Describe(layer)));
  }
  OMKIT_ASSIGN_OR_RETURN(const float step, StepOf(graph, layer.inputs[0]));
  if (layer.op == OpKind::kAveragePool || layer.op == OpKind::kGlobalAveragePool) return absl::OkStatus();  // a mean of reals already
  if (layer.inputs.size() < 2) return absl::UnimplementedError(absl::StrCat("the result of ", ir::Describe(layer), " as integers"));
  OMKIT_ASSIGN_OR_RETURN(const int64_t axis, ChannelAxis(layer));
  if (!IsInt8Constant(graph, layer.inputs[1])) {
    // A product of two activations, both real by now.
    OMKIT_ASSIGN_OR_RETURN(const float other, StepOf(graph, layer.inputs[1]));
    if (scales.size() == 1 && std::abs(scales[0] / (step * other) - 1.0f) < 1e-5f) return absl::OkStatus();
    return absl::UnimplementedError(absl::StrCat(ir::Describe(layer), " has neither int8 weights nor the scale of its two operands"));
  }
  std::vector<float> weight_scales = scales;
  for (float& s : weight_scales) {
    s /= step;
    OMKIT_RETURN_IF_ERROR(CheckScale(s, absl::StrCat("the weight scale of ", ir::Describe(layer))));
  }
  DequantizeInput(node, layer, 1, "weights", weight_scales, axis);
  if (layer.inputs.size() > 2 && layer.inputs[2] != ir::kNoValue) DequantizeInput(node, layer, 2, "bias", scales, -1);
  TryInfer(graph, layer.id);
  return absl::OkStatus();
}

}  // namespace

absl::Status AscendQuant(OnnxNode& node) {
  const std::string type = node.attrs.String("dst_type", "INT8");
  if (type.compare(0, 4, "INT8") != 0) return absl::UnimplementedError(absl::StrCat("dst_type ", type, "; only INT8 is supported"));
  const std::string rounding = node.attrs.String("round_mode", "Round");
  if (rounding != "Round") return absl::UnimplementedError(absl::StrCat("round_mode ", rounding, "; only Round is supported"));
  OMKIT_ASSIGN_OR_RETURN(const float scale, Scale(node));
  OMKIT_RETURN_IF_ERROR(CheckScale(1.0f / scale, "the step (1 / scale)"));
  OMKIT_ASSIGN_OR_RETURN(const int64_t offset, Offset(node));
  return EmitFakeQuant(node, node.inputs[0], 1.0f / scale, offset);
}

absl::Status AscendAntiQuant(OnnxNode& node) {
  OMKIT_ASSIGN_OR_RETURN(const float step, Scale(node));
  OMKIT_ASSIGN_OR_RETURN(const int64_t offset, Offset(node));
  if (const auto quantized = StepOf(*node.graph, node.inputs[0]); quantized.ok()) {
    // The result of an AscendQuant is real already.
    if (std::abs(*quantized / step - 1.0f) > 1e-5f) {
      return absl::InvalidArgumentError(absl::StrCat("scale ", step, " is not the inverse of the AscendQuant before it (1/", *quantized, ")"));
    }
    node.kind = OpKind::kIdentity;
    node.attrs = {};
    return Direct(node);
  }
  const ValueId scale = node.Constant("scale", Tensor::Scalar<float>(step));
  return EmitDequantize(node, node.inputs[0], scale, node.Constant("offset", Tensor::Scalar<int8_t>(static_cast<int8_t>(offset))));
}

absl::Status AscendDequant(OnnxNode& node) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<float> scales, ReadScales(node));
  OMKIT_RETURN_IF_ERROR(ScaleLayer(node, scales));
  node.kind = node.attrs.Int("relu_flag", 0) != 0 ? OpKind::kRelu : OpKind::kIdentity;
  node.attrs = {};
  node.inputs.resize(1);
  return Direct(node);
}

// Dequantization and the quantization of the next layer in one factor. Only the products of steps and weight scales matter, so the step in
// between is taken as 1.
absl::Status AscendRequant(OnnxNode& node) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<float> scales, ReadScales(node));
  OMKIT_RETURN_IF_ERROR(ScaleLayer(node, scales));
  ValueId x = node.inputs[0];
  if (node.attrs.Int("relu_flag", 0) != 0) x = node.EmitBefore(OpKind::kRelu, "relu", {x});
  return EmitFakeQuant(node, x, 1.0f, 0);
}

}  // namespace omkit::frontends::adapters
