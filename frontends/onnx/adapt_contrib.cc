// Adapters of float operators outside the default domain: ONNX Runtime's fusions (its docs/ContribOperators.md) and two of ai.onnx.ml.
//
//   FusedConv, FusedGemm    the operator, the residual Add, and the activation that attribute activation names
//   FusedMatMul             MatMul of transposed operands, times alpha
//   BiasGelu                FastGelu too, with the tanh approximation; QuickGelu: x * Sigmoid(alpha * x)
//   SkipNormalization       the normalization of input + skip (+ bias), with the sum as fourth output
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {
namespace {

using ir::OpKind;
using ir::ValueId;

ValueId InputOr(const OnnxNode& node, int i) { return node.has_input(i) ? node.inputs[i] : ir::kNoValue; }

// Emits `op` under the node's name as the producer of `outputs`.
void EmitLast(OnnxNode& node, OpKind op, absl::string_view suffix, std::vector<ValueId> inputs, std::vector<ValueId> outputs, ir::Attrs attrs = {}) {
  while (!inputs.empty() && inputs.back() == ir::kNoValue) inputs.pop_back();
  TryInfer(*node.graph, node.graph->AddNodeInto(op, absl::StrCat(node.name, "/", suffix), std::move(inputs), std::move(outputs), std::move(attrs)));
}

// The node itself on `inputs`, with a value of its own; returns that value.
ValueId EmitInner(OnnxNode& node, std::vector<ValueId> inputs) {
  node.inputs = std::move(inputs);
  node.outputs = {node.graph->AddValue(absl::StrCat(node.name, "/real"))};
  node.Emit();
  return node.outputs[0];
}

struct FusedActivation {
  const char* name;
  OpKind op;
  std::vector<const char*> parameters;  // attributes that take activation_params in order
};

// x through the named activation into the node's outputs.
absl::Status EmitActivation(OnnxNode& node, const std::string& name, const std::vector<float>& parameters, ValueId x, std::vector<ValueId> outputs) {
  static const auto* const known = new std::vector<FusedActivation>{
      {"Relu", OpKind::kRelu, {}},         {"Tanh", OpKind::kTanh, {}},
      {"Sigmoid", OpKind::kSigmoid, {}},   {"LeakyRelu", OpKind::kLeakyRelu, {"alpha"}},
      {"Clip", OpKind::kClip, {}},         {"HardSigmoid", OpKind::kHardSigmoid, {"alpha", "beta"}},
      {"Elu", OpKind::kElu, {"alpha"}},    {"HardSwish", OpKind::kHardSwish, {}},
      {"Softplus", OpKind::kSoftplus, {}},
  };
  for (const FusedActivation& activation : *known) {
    if (name != activation.name) continue;
    ir::Attrs attrs;
    for (size_t i = 0; i < activation.parameters.size() && i < parameters.size(); ++i) attrs.Set(activation.parameters[i], parameters[i]);
    std::vector<ValueId> inputs = {x};
    if (activation.op == OpKind::kClip) {
      if (parameters.size() != 2) return absl::InvalidArgumentError("activation Clip needs two activation_params");
      inputs.push_back(node.Constant("min", Tensor::Scalar<float>(parameters[0])));
      inputs.push_back(node.Constant("max", Tensor::Scalar<float>(parameters[1])));
    }
    EmitLast(node, activation.op, absl::StrCat("activation"), inputs, std::move(outputs), attrs);
    return absl::OkStatus();
  }
  return absl::UnimplementedError(absl::StrCat("activation '", name, "'"));
}

}  // namespace

absl::Status FusedConv(OnnxNode& node) {
  const std::string activation = node.attrs.String("activation", "");
  const std::vector<float> parameters = node.attrs.Floats("activation_params");
  node.attrs.Erase("activation");
  node.attrs.Erase("activation_params");
  const ValueId residual = InputOr(node, 3);
  const std::vector<ValueId> outputs = node.outputs;
  std::vector<ValueId> inputs = node.inputs;
  inputs.resize(std::min<size_t>(inputs.size(), 3));
  ValueId x = EmitInner(node, std::move(inputs));
  if (activation.empty() && residual == ir::kNoValue) EmitLast(node, OpKind::kIdentity, "out", {x}, outputs);
  else if (activation.empty()) EmitLast(node, OpKind::kAdd, "residual", {x, residual}, outputs);
  else if (residual != ir::kNoValue) x = node.EmitBefore(OpKind::kAdd, "residual", {x, residual});
  return activation.empty() ? absl::OkStatus() : EmitActivation(node, activation, parameters, x, outputs);
}

absl::Status FusedGemm(OnnxNode& node) {
  const std::string activation = node.attrs.String("activation", "");
  const std::vector<float> parameters = {node.attrs.Float("activation_alpha", 0.01f), node.attrs.Float("activation_beta", 0)};
  for (const char* name : {"activation", "activation_alpha", "activation_beta", "activation_gamma"}) node.attrs.Erase(name);
  if (activation.empty()) return Direct(node);
  const std::vector<ValueId> outputs = node.outputs;
  return EmitActivation(node, activation, parameters, EmitInner(node, node.inputs), outputs);
}

absl::Status FusedMatMul(OnnxNode& node) {
  if (node.attrs.Int("transBatchA", 0) != 0 || node.attrs.Int("transBatchB", 0) != 0) return absl::UnimplementedError("transBatchA or transBatchB");
  const float alpha = node.attrs.Float("alpha", 1);
  std::vector<ValueId> inputs = node.inputs;
  for (int i = 0; i < 2; ++i) {
    const char* name = i == 0 ? "transA" : "transB";
    if (node.attrs.Int(name, 0) == 0 || node.rank(i) == 1) continue;
    if (node.rank(i) < 0) return absl::UnimplementedError(absl::StrCat(name, " of an operand whose rank is not known"));
    std::vector<int64_t> perm;
    for (int d = 0; d < node.rank(i); ++d) perm.push_back(d);
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    ir::Attrs attrs;
    attrs.Set("perm", perm);
    inputs[i] = node.EmitBefore(OpKind::kTranspose, name, {inputs[i]}, attrs);
  }
  node.attrs = {};
  if (alpha == 1) {
    node.inputs = std::move(inputs);
    return Direct(node);
  }
  const std::vector<ValueId> outputs = node.outputs;
  EmitLast(node, OpKind::kMul, "alpha", {EmitInner(node, std::move(inputs)), node.Constant("factor", Tensor::Scalar<float>(alpha))}, outputs);
  return absl::OkStatus();
}

absl::Status BiasGelu(OnnxNode& node) {
  if (node.op_type == "FastGelu") node.attrs.Set("approximate", std::string("tanh"));
  if (node.has_input(1)) node.inputs = {node.EmitBefore(OpKind::kAdd, "biased", {node.inputs[0], node.inputs[1]})};
  return Direct(node);
}

absl::Status QuickGelu(OnnxNode& node) {
  const float alpha = node.attrs.Float("alpha", 1.702f);
  node.attrs = {};
  const ValueId x = node.inputs[0];
  const ValueId scaled = node.EmitBefore(OpKind::kMul, "scaled", {x, node.Constant("alpha", Tensor::Scalar<float>(alpha))});
  node.inputs = {x, node.EmitBefore(OpKind::kSigmoid, "gate", {scaled})};
  return Direct(node);
}

absl::Status SkipNormalization(OnnxNode& node) {
  for (size_t i = 1; i < node.outputs.size() && i < 3; ++i) {
    if (node.output_used[i]) return absl::UnimplementedError(absl::StrCat("output ", i, " (statistics of training) is used"));
  }
  const bool rms = node.kind == OpKind::kRMSNormalization;
  const ValueId bias = InputOr(node, rms ? 3 : 4);
  const ValueId gamma = node.inputs[2], beta = rms ? ir::kNoValue : InputOr(node, 3);
  const bool wants_sum = node.outputs.size() > 3 && node.output_used[3];
  std::vector<ValueId> sum_inputs = {node.inputs[0], node.inputs[1]};
  if (bias != ir::kNoValue) sum_inputs[0] = node.EmitBefore(OpKind::kAdd, "biased", {sum_inputs[0], bias});
  ValueId sum;
  if (wants_sum) {
    sum = node.outputs[3];
    EmitLast(node, OpKind::kAdd, "sum", sum_inputs, {sum});
  } else {
    sum = node.EmitBefore(OpKind::kAdd, "sum", sum_inputs);
  }
  node.attrs.Set("axis", int64_t{-1});
  node.outputs.resize(1);
  node.inputs = {sum, gamma, beta};
  return Direct(node);
}

absl::Status ArrayFeatureExtractor(OnnxNode& node) {
  node.attrs.Set("axis", int64_t{-1});
  if (node.rank(0) != 1) return Direct(node);
  // A vector counts as one row.
  const int64_t first[] = {0};
  node.inputs[0] = node.EmitBefore(OpKind::kUnsqueeze, "row", {node.inputs[0], node.Constant("axes", first)});
  return Direct(node);
}

absl::Status Binarizer(OnnxNode& node) {
  const float threshold = node.attrs.Float("threshold", 0);
  if (node.dtype(0) != DType::kFloat32) return absl::UnimplementedError("an input that is not float32");
  node.attrs = {};
  const std::vector<ValueId> outputs = node.outputs;
  ir::Attrs to;
  to.Set("to", static_cast<int64_t>(DType::kFloat32));
  EmitLast(node, OpKind::kCast, "number", {EmitInner(node, {node.inputs[0], node.Constant("threshold", Tensor::Scalar<float>(threshold))})}, outputs,
           to);
  return absl::OkStatus();
}

}  // namespace omkit::frontends::adapters
