// Adapters of com.microsoft's matrix products that take integers and give floats: dequantized operands through the float operator, which
// is the same function up to float rounding. frontends/qdq makes them INT8 where their parameters are constant.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {
namespace {

using ir::OpKind;
using ir::ValueId;

ir::Attrs With(const char* name, ir::Attr value) {
  ir::Attrs attrs;
  attrs.Set(name, std::move(value));
  return attrs;
}

ValueId Input(const OnnxNode& node, int i) { return node.has_input(i) ? node.inputs[i] : ir::kNoValue; }

ValueId Dequantize(OnnxNode& node, absl::string_view suffix, ValueId value, ValueId scale, ValueId zero_point, int64_t axis) {
  return node.EmitBefore(OpKind::kDequantizeLinear, suffix, {value, scale, zero_point}, With("axis", axis));
}

// a times b plus an optional bias, into the node's own output.
absl::Status EmitProduct(OnnxNode& node, ValueId a, ValueId b, ValueId bias) {
  node.inputs = {a, b};
  if (bias == ir::kNoValue) return Direct(node);
  const ValueId product = node.EmitBefore(OpKind::kMatMul, "product", {a, b});
  node.kind = OpKind::kAdd;
  node.inputs = {product, bias};
  return Direct(node);
}

// The float tensor rounded to the 8 bits of its own extremes.
absl::StatusOr<ValueId> DynamicallyQuantized(OnnxNode& node, ValueId x) {
  OnnxNode quantize;
  quantize.name = absl::StrCat(node.name, "/dynamic");
  quantize.kind = OpKind::kQuantizeLinear;
  quantize.opset = node.opset;
  quantize.graph = node.graph;
  quantize.inputs = {x};
  for (const char* output : {"integers", "scale", "zero"}) {
    quantize.outputs.push_back(node.graph->AddValue(absl::StrCat(quantize.name, "/", output)));
    quantize.output_used.push_back(true);
  }
  const std::vector<ValueId> made = quantize.outputs;
  OMKIT_RETURN_IF_ERROR(DynamicQuantizeLinear(quantize));
  return Dequantize(node, "a", made[0], made[1], made[2], 1);
}

// Weights [directions, K, N] of a quantized LSTM in the layout of ONNX: float [directions, N, K].
ValueId LstmWeights(OnnxNode& node, const char* name, ValueId w, ValueId scale, ValueId zero) {
  const auto named = [&](const char* what) { return absl::StrCat(name, "_", what); };
  // Per direction [D] or per direction and column [D, N]: both broadcast as [D, 1, 1 or N].
  const auto spread = [&](ValueId v, const char* what) {
    const bool columns = node.graph->value(v).type.shape.rank() == 2;
    const std::vector<int64_t> axes = columns ? std::vector<int64_t>{1} : std::vector<int64_t>{1, 2};
    return node.EmitBefore(OpKind::kUnsqueeze, named(what), {v, node.Constant(absl::StrCat(named(what), "_axes"), axes)});
  };
  const auto real = static_cast<int64_t>(DType::kFloat32);
  ValueId x = node.EmitBefore(OpKind::kCast, named("real"), {w}, With("to", real));
  const ValueId z = node.EmitBefore(OpKind::kCast, named("zero_real"), {spread(zero, "zero")}, With("to", real));
  x = node.EmitBefore(OpKind::kSub, named("centered"), {x, z});
  x = node.EmitBefore(OpKind::kMul, named("scaled"), {x, spread(scale, "scale")});
  return node.EmitBefore(OpKind::kTranspose, named("turned"), {x}, With("perm", std::vector<int64_t>{0, 2, 1}));
}

}  // namespace

absl::Status MatMulIntegerToFloat(OnnxNode& node) {
  const std::vector<ValueId> in = node.inputs;
  const ValueId bias = Input(node, 6);
  const ValueId a = Dequantize(node, "a", in[0], in[2], Input(node, 4), -2);
  return EmitProduct(node, a, Dequantize(node, "b", in[1], in[3], Input(node, 5), -1), bias);
}

absl::Status DynamicQuantizeMatMul(OnnxNode& node) {
  const std::vector<ValueId> in = node.inputs;
  const ValueId bias = Input(node, 4);
  const ValueId b = Dequantize(node, "b", in[1], in[2], Input(node, 3), -1);
  OMKIT_ASSIGN_OR_RETURN(const ValueId a, DynamicallyQuantized(node, in[0]));
  return EmitProduct(node, a, b, bias);
}

absl::Status DynamicQuantizeLSTM(OnnxNode& node) {
  const std::vector<ValueId> in = node.inputs;
  for (int i : {8, 9, 10, 11}) {
    if (node.constant(i) == nullptr) return absl::UnimplementedError(absl::StrCat("input ", i, " (a scale or zero point) that is not constant"));
  }
  node.inputs.resize(8);
  node.inputs[1] = LstmWeights(node, "w", in[1], in[8], in[9]);
  node.inputs[2] = LstmWeights(node, "r", in[2], in[10], in[11]);
  return Direct(node);
}

absl::Status QAttention(OnnxNode& node) {
  const int64_t heads = node.attrs.Int("num_heads", 0);
  const Tensor* weights = node.constant(1);
  if (weights == nullptr || weights->shape().rank() != 2 || heads < 1 || weights->shape().dim(1) % (3 * heads) != 0) {
    return absl::UnimplementedError("weights that are not a constant [input size, 3 * hidden size], or no num_heads that divides the hidden size");
  }
  if (node.has_input(8)) return absl::UnimplementedError("input past");
  if (node.has_input(5) && node.rank(5) != 2) return absl::UnimplementedError("a mask_index that is not [batch, sequence]");
  for (const char* flag : {"unidirectional", "do_rotary", "past_present_share_buffer"}) {
    if (node.attrs.Int(flag, 0) != 0) return absl::UnimplementedError(absl::StrCat(flag, "=1"));
  }
  OMKIT_RETURN_IF_ERROR(node.KeepOutputs(1));
  const int64_t hidden = weights->shape().dim(1) / 3, head = hidden / heads;
  const std::vector<ValueId> in = node.inputs;
  const ValueId x = Dequantize(node, "input", in[0], in[3], Input(node, 6), -2);
  const ValueId w = Dequantize(node, "weight", in[1], in[4], Input(node, 7), -1);
  const ValueId projected = node.EmitBefore(OpKind::kAdd, "projected", {node.EmitBefore(OpKind::kMatMul, "product", {x, w}), in[2]});
  const int64_t heads_shape[] = {0, 0, heads, head};
  const ValueId shape = node.Constant("heads_shape", heads_shape);
  // Query, key or value [batch, sequence, heads, head size], its axes in the given order.
  const auto part = [&](int64_t i, const char* name, std::vector<int64_t> perm) {
    const int64_t starts[] = {i * hidden}, ends[] = {(i + 1) * hidden}, axes[] = {2};
    const auto named = [&](const char* what) { return absl::StrCat(name, "_", what); };
    const ValueId slice =
        node.EmitBefore(OpKind::kSlice, named("slice"),
                        {projected, node.Constant(named("starts"), starts), node.Constant(named("ends"), ends), node.Constant(named("axes"), axes)});
    const ValueId split = node.EmitBefore(OpKind::kReshape, named("heads"), {slice, shape});
    return node.EmitBefore(OpKind::kTranspose, name, {split}, With("perm", std::move(perm)));
  };
  const ValueId query = part(0, "query", {0, 2, 1, 3}), key = part(1, "key", {0, 2, 3, 1}), value = part(2, "value", {0, 2, 1, 3});
  const float scale = node.attrs.Float("scale", 0.0f);
  const ValueId factor = node.Constant("factor", Tensor::Scalar<float>(scale != 0 ? scale : 1.0f / std::sqrt(static_cast<float>(head))));
  ValueId scores = node.EmitBefore(OpKind::kMul, "scores", {node.EmitBefore(OpKind::kMatMul, "query_key", {query, key}), factor});
  if (node.has_input(5)) {
    const int64_t axes[] = {1, 2};
    const ValueId kept = node.EmitBefore(OpKind::kCast, "kept", {in[5]}, With("to", static_cast<int64_t>(DType::kFloat32)));
    const ValueId hidden_keys = node.EmitBefore(OpKind::kSub, "hidden", {node.Constant("one", Tensor::Scalar<float>(1)), kept});
    const ValueId filter = node.Constant("filter", Tensor::Scalar<float>(node.attrs.Float("mask_filter_value", -10000.0f)));
    const ValueId mask = node.EmitBefore(OpKind::kMul, "mask", {hidden_keys, filter});
    const ValueId rows = node.EmitBefore(OpKind::kUnsqueeze, "mask_rows", {mask, node.Constant("mask_axes", axes)});
    scores = node.EmitBefore(OpKind::kAdd, "masked", {scores, rows});
  }
  const ValueId shares = node.EmitBefore(OpKind::kSoftmax, "shares", {scores}, With("axis", int64_t{-1}));
  const ValueId mixed = node.EmitBefore(OpKind::kMatMul, "mixed", {shares, value});
  const ValueId turned = node.EmitBefore(OpKind::kTranspose, "turned", {mixed}, With("perm", std::vector<int64_t>{0, 2, 1, 3}));
  const int64_t out_shape[] = {0, 0, hidden};
  node.kind = OpKind::kReshape;
  node.attrs = {};
  node.inputs = {turned, node.Constant("shape", out_shape)};
  return Direct(node);
}

}  // namespace omkit::frontends::adapters
