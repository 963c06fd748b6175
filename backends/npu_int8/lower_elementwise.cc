#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "backends/kernels/binary_u8/binary_u8.h"
#include "backends/kernels/cast/cast.h"
#include "backends/kernels/elementwise_f32/elementwise_f32.h"
#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/quantize/quantize.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/narrow.h"
#include "base/status.h"
#include "ir/element_function.h"
#include "ir/op.h"
#include "ir/ops/requantize.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using kernels::BinaryF32;
using kernels::UnaryF32;
using kernels::View;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One row per operator: the float kernel's function and its two numbers, from attributes (name, default) or fixed.
struct UnaryRow {
  OpKind op;
  UnaryF32 kind;
  const char* alpha_name;
  float alpha;
  const char* beta_name;
  float beta;
};

constexpr UnaryRow kUnaryRows[] = {
    {OpKind::kAbs, UnaryF32::kAbs, nullptr, 0, nullptr, 0},
    {OpKind::kCeil, UnaryF32::kCeil, nullptr, 0, nullptr, 0},
    {OpKind::kElu, UnaryF32::kElu, "alpha", 1.0f, nullptr, 0},
    {OpKind::kErf, UnaryF32::kErf, nullptr, 0, nullptr, 0},
    {OpKind::kExp, UnaryF32::kExp, nullptr, 0, nullptr, 0},
    {OpKind::kFloor, UnaryF32::kFloor, nullptr, 0, nullptr, 0},
    {OpKind::kHardSigmoid, UnaryF32::kHardSigmoid, "alpha", 0.2f, "beta", 0.5f},
    {OpKind::kHardSwish, UnaryF32::kHardSwish, nullptr, 0, nullptr, 0},
    {OpKind::kLeakyRelu, UnaryF32::kLeakyRelu, "alpha", 0.01f, nullptr, 0},
    {OpKind::kLog, UnaryF32::kLog, nullptr, 0, nullptr, 0},
    {OpKind::kMish, UnaryF32::kMish, nullptr, 0, nullptr, 0},
    {OpKind::kNeg, UnaryF32::kNeg, nullptr, 0, nullptr, 0},
    {OpKind::kReciprocal, UnaryF32::kReciprocal, nullptr, 0, nullptr, 0},
    {OpKind::kRelu, UnaryF32::kRelu, nullptr, 0, nullptr, 0},
    {OpKind::kRound, UnaryF32::kRound, nullptr, 0, nullptr, 0},
    {OpKind::kSelu, UnaryF32::kSelu, "alpha", 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f},
    {OpKind::kSigmoid, UnaryF32::kSigmoid, nullptr, 0, nullptr, 0},
    {OpKind::kSign, UnaryF32::kSign, nullptr, 0, nullptr, 0},
    {OpKind::kSoftplus, UnaryF32::kSoftplus, nullptr, 0, nullptr, 0},
    {OpKind::kSoftsign, UnaryF32::kSoftsign, nullptr, 0, nullptr, 0},
    {OpKind::kSqrt, UnaryF32::kSqrt, nullptr, 0, nullptr, 0},
    {OpKind::kSwish, UnaryF32::kSwish, "alpha", 1.0f, nullptr, 0},
    {OpKind::kTanh, UnaryF32::kTanh, nullptr, 0, nullptr, 0},
};

struct UnaryFunction {
  UnaryF32 kind;
  float alpha = 0, beta = 0;
};

std::optional<float> ClipBound(const Graph& graph, const Node& node, int input, float fallback) {
  if (!HasInput(node, input)) return fallback;
  const Tensor* t = graph.ConstantInput(node, input);
  if (t == nullptr || t->elements() != 1 || t->dtype() != DType::kFloat32) return std::nullopt;
  return t->data<float>()[0];
}

std::optional<UnaryFunction> FunctionOf(const Graph& graph, const Node& node) {
  if (node.op == OpKind::kClip) {
    const std::optional<float> low = ClipBound(graph, node, 1, -kInfinity);
    const std::optional<float> high = ClipBound(graph, node, 2, kInfinity);
    if (!low || !high) return std::nullopt;
    return UnaryFunction{UnaryF32::kClip, *low, *high};
  }
  if (node.op == OpKind::kGelu) {
    return UnaryFunction{node.attrs.String("approximate", "none") == "tanh" ? UnaryF32::kGeluTanh : UnaryF32::kGelu};
  }
  for (const UnaryRow& row : kUnaryRows) {
    if (row.op != node.op) continue;
    return UnaryFunction{row.kind, row.alpha_name == nullptr ? row.alpha : node.attrs.Float(row.alpha_name, row.alpha),
                         row.beta_name == nullptr ? row.beta : node.attrs.Float(row.beta_name, row.beta)};
  }
  return std::nullopt;
}

std::optional<BinaryF32> BinaryKind(OpKind op) {
  switch (op) {
    case OpKind::kAdd: return BinaryF32::kAdd;
    case OpKind::kSub: return BinaryF32::kSub;
    case OpKind::kMul: return BinaryF32::kMul;
    case OpKind::kDiv: return BinaryF32::kDiv;
    case OpKind::kMax: return BinaryF32::kMax;
    case OpKind::kMin: return BinaryF32::kMin;
    case OpKind::kPow: return BinaryF32::kPow;
    case OpKind::kPRelu: return BinaryF32::kPRelu;
    default: return std::nullopt;
  }
}

absl::Status TooManyDimensions() { return absl::UnimplementedError("operands have too many separate dimensions"); }

// The node's function of every 8-bit value, computed by the operator's reference meaning.
absl::StatusOr<std::array<uint8_t, 256>> Table(const Node& node, const ProgramBuilder& builder) {
  TensorType in_type = builder.type(node.inputs[0]);
  TensorType out_type = builder.type(node.outputs[0]);
  in_type.shape = out_type.shape = Shape{256};
  OMKIT_ASSIGN_OR_RETURN(Tensor in, Tensor::Allocate(in_type));
  OMKIT_ASSIGN_OR_RETURN(Tensor out, Tensor::Allocate(out_type));
  for (int i = 0; i < 256; ++i) in.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i);
  std::vector<const Tensor*> inputs = {&in};
  for (int i = 1; i < static_cast<int>(node.inputs.size()); ++i) inputs.push_back(builder.graph().ConstantInput(node, i));
  std::vector<Tensor*> outputs = {&out};
  OMKIT_RETURN_IF_ERROR(ir::EvalOp(node.op, {node.attrs, inputs, outputs}));
  std::array<uint8_t, 256> table;
  std::copy(out.data<uint8_t>(), out.data<uint8_t>() + 256, table.begin());
  return table;
}

absl::Status AddTable(const Node& node, ir::ValueId from, ir::ValueId to, const std::array<uint8_t, 256>& table, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(from));
  const Place out = builder.NewLike(to, in);
  kernels::LutU8Params params{in.view, out.view};
  if (!CollapseViews({&params.in, &params.out})) return TooManyDimensions();
  builder.AddStep(node, kernels::LutU8Kernel(builder.isa()), params, {in.block, builder.AddWeights(table.data(), table.size()), out.block});
  return absl::OkStatus();
}

absl::Status LowerTable(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const auto table, Table(node, builder));
  return AddTable(node, node.inputs[0], node.outputs[0], table, builder);
}

// All nodes of a chain at once.
absl::Status LowerChain(const ir::ElementChain& chain, ProgramBuilder& builder) {
  const Graph& graph = builder.graph();
  OMKIT_ASSIGN_OR_RETURN(const auto table, ir::TableOf(graph, chain));
  for (const ir::NodeId id : chain.functions) builder.Absorb(id);
  builder.Absorb(chain.quantize);
  // The step is the function's, and so is the tier.
  builder.BeginLayer(graph.node(chain.functions.front()));
  return AddTable(graph.node(chain.functions.front()), graph.node(chain.dequantize).inputs[0], graph.node(chain.quantize).outputs[0], table, builder);
}

}  // namespace

bool SupportsUnary(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  const TensorType& y = OutputType(graph, node);
  if (!FitsView(x)) return false;
  for (int i = 1; i < static_cast<int>(node.inputs.size()); ++i) {
    if (HasInput(node, i) && graph.ConstantInput(node, i) == nullptr) return false;
  }
  if (IsU8(x)) return IsU8(y);
  return IsF32(x) && IsF32(y) && FunctionOf(graph, node).has_value();
}

absl::StatusOr<std::optional<TableBehind>> TakeTableBehind(ir::ValueId value, ProgramBuilder& builder) {
  const Graph& graph = builder.graph();
  const Node* user = graph.OnlyUser(value);
  if (user == nullptr || graph.IsOutput(value) || user->inputs[0] != value || user->outputs.size() != 1) return std::optional<TableBehind>();
  if (user->op == OpKind::kDequantize) {
    const ir::ElementChain chain = ir::ElementChainAt(graph, *user);
    if (chain.functions.empty() || !IsU8(OutputType(graph, graph.node(chain.quantize)))) return std::optional<TableBehind>();
    OMKIT_ASSIGN_OR_RETURN(const auto table, ir::TableOf(graph, chain));
    builder.Absorb(chain.dequantize);
    for (const ir::NodeId id : chain.functions) builder.Absorb(id);
    builder.Absorb(chain.quantize);
    const ir::ValueId result = graph.node(chain.quantize).outputs[0];
    builder.Makes(result);
    return TableBehind{table, result};
  }
  if (!FunctionOf(graph, *user) || !SupportsUnary(graph, *user) || !IsU8(OutputType(graph, *user))) return std::optional<TableBehind>();
  OMKIT_ASSIGN_OR_RETURN(const auto table, Table(*user, builder));
  builder.Absorb(user->id);
  builder.Makes(user->outputs[0]);
  return TableBehind{table, user->outputs[0]};
}

absl::Status LowerUnary(const Node& node, ProgramBuilder& builder) {
  if (IsU8(builder.type(node.inputs[0]))) return LowerTable(node, builder);
  const UnaryFunction function = *FunctionOf(builder.graph(), node);
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  const Place out = builder.NewLike(node.outputs[0], in);
  kernels::UnaryF32Params params{in.view, out.view, function.kind, function.alpha, function.beta, -kInfinity, kInfinity};
  if (!CollapseViews({&params.in, &params.out})) return TooManyDimensions();
  builder.AddStep(node, kernels::UnaryF32Kernel(builder.isa()), params, {in.block, out.block});
  return absl::OkStatus();
}

bool SupportsBinary(const Graph& graph, const Node& node) {
  if (node.inputs.size() != 2 || !BinaryKind(node.op)) return false;
  const TensorType& a = InputType(graph, node, 0);
  const TensorType& b = InputType(graph, node, 1);
  const TensorType& y = OutputType(graph, node);
  if (!FitsView(a) || !FitsView(b) || !FitsView(y)) return false;
  if (IsF32(a) && IsF32(b) && IsF32(y)) return true;
  const bool integer = node.op == OpKind::kAdd || node.op == OpKind::kSub || node.op == OpKind::kMul;
  return integer && IsU8(a) && IsU8(b) && IsU8(y);
}

absl::Status LowerBinary(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place a, builder.At(node.inputs[0]));
  OMKIT_ASSIGN_OR_RETURN(const Place b, builder.At(node.inputs[1]));
  const TensorType& y = builder.type(node.outputs[0]);
  const bool a_is_whole = builder.type(node.inputs[0]).shape == y.shape;
  const Place out = builder.NewLike(node.outputs[0], a_is_whole ? a : b);
  View va = BroadcastView(a, y.shape), vb = BroadcastView(b, y.shape), vy = out.view;
  if (!CollapseViews({&va, &vb, &vy})) return TooManyDimensions();
  if (IsF32(y)) {
    const ir::RealRange real = ir::ClampRealRange(node.attrs);
    const kernels::BinaryF32Params params{va, vb, vy, *BinaryKind(node.op), real.min, real.max};
    builder.AddStep(node, kernels::BinaryF32Kernel(builder.isa()), params, {a.block, b.block, out.block});
    return absl::OkStatus();
  }
  const QuantParams& qa = builder.type(node.inputs[0]).quant;
  const QuantParams& qb = builder.type(node.inputs[1]).quant;
  const QuantRange clamp = ir::ClampRange(node.attrs, y.quant, y.dtype);
  kernels::BinaryU8Params params{};
  params.a = va;
  params.b = vb;
  params.out = vy;
  params.op = node.op == OpKind::kAdd ? kernels::BinaryU8Op::kAdd : node.op == OpKind::kSub ? kernels::BinaryU8Op::kSub : kernels::BinaryU8Op::kMul;
  params.a_zero = qa.zero_point[0];
  params.b_zero = qb.zero_point[0];
  params.out_zero = y.quant.zero_point[0];
  const bool product = node.op == OpKind::kMul;
  params.a_multiplier = Multiplier(qa.scale[0], product ? qb.scale[0] : 1.0f, y.quant.scale[0]);
  params.b_multiplier = product ? 0.0f : Multiplier(qb.scale[0], 1.0f, y.quant.scale[0]);
  params.clamp_min = clamp.min;
  params.clamp_max = clamp.max;
  builder.AddStep(node, kernels::BinaryU8Kernel(builder.isa()), params, {a.block, b.block, out.block});
  return absl::OkStatus();
}

bool SupportsQuantize(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  const TensorType& y = OutputType(graph, node);
  if (!FitsView(x)) return false;
  if (node.op == OpKind::kDequantize) return IsU8(x) && IsF32(y);
  return IsU8(y) && (IsF32(x) || IsU8(x));
}

absl::Status LowerQuantize(const Node& node, ProgramBuilder& builder) {
  // The step that makes the value may have rounded it at once.
  if (builder.Placed(node.outputs[0])) return absl::OkStatus();
  if (IsU8(builder.type(node.inputs[0]))) return LowerTable(node, builder);
  const TensorType& y = builder.type(node.outputs[0]);
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  // Layers behind it read images: the layout changes in the same pass as the type.
  const Place out =
      y.shape.rank() == 4 && !builder.graph().IsOutput(node.outputs[0]) ? builder.NewImage(node.outputs[0]) : builder.NewPlain(node.outputs[0]);
  kernels::QuantizeParams params{in.view, out.view, y.quant.scale[0], y.quant.zero_point[0]};
  if (!CollapseViews({&params.in, &params.out})) return TooManyDimensions();
  builder.AddStep(node, kernels::QuantizeKernel(builder.isa()), params, {in.block, out.block});
  return absl::OkStatus();
}

const Node* DequantizeInside(const Graph& graph, const Node& node) {
  const bool linear = node.op == OpKind::kResize && node.attrs.String("mode", "nearest") == "linear" && SupportsResize(graph, node);
  const bool argmax = (node.op == OpKind::kArgMax || node.op == OpKind::kArgMin) && SupportsArgMax(graph, node);
  const Node* producer = linear || argmax ? graph.Producer(node.inputs[0]) : nullptr;
  if (producer == nullptr || producer->op != OpKind::kDequantize || !IsU8(InputType(graph, *producer, 0))) return nullptr;
  return graph.OnlyUser(node.inputs[0]) == &node ? producer : nullptr;
}

absl::Status LowerDequantize(const Node& node, ProgramBuilder& builder) {
  const Node* user = builder.graph().OnlyUser(node.outputs[0]);
  if (user != nullptr && DequantizeInside(builder.graph(), *user) == &node) return absl::OkStatus();
  const ir::ElementChain chain = ir::ElementChainAt(builder.graph(), node);
  if (!chain.functions.empty()) return LowerChain(chain, builder);
  const QuantParams& q = builder.type(node.inputs[0]).quant;
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  const Place out = builder.NewLike(node.outputs[0], in);
  kernels::QuantizeParams params{in.view, out.view, q.scale[0], q.zero_point[0]};
  if (!CollapseViews({&params.in, &params.out})) return TooManyDimensions();
  builder.AddStep(node, kernels::DequantizeKernel(builder.isa()), params, {in.block, out.block});
  return absl::OkStatus();
}

bool SupportsCast(const Graph& graph, const Node& node) {
  const auto known = [](const TensorType& t) {
    return t.dtype != DType::kFloat64 && t.dtype != DType::kUInt64 && !IsNarrow(t.dtype) && !t.quantized() && FitsView(t);
  };
  return known(InputType(graph, node, 0)) && known(OutputType(graph, node));
}

absl::Status LowerCast(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  const Place out = builder.NewLike(node.outputs[0], in);
  kernels::CastParams params{in.view, out.view, builder.type(node.inputs[0]).dtype, builder.type(node.outputs[0]).dtype};
  if (!CollapseViews({&params.in, &params.out})) return TooManyDimensions();
  builder.AddStep(node, kernels::CastKernel(builder.isa()), params, {in.block, out.block});
  return absl::OkStatus();
}

}  // namespace omkit::npu_int8
