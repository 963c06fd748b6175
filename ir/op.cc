#include "ir/op.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/narrow.h"
#include "base/status.h"

namespace omkit::ir {

#define OMKIT_OP(name, ...)                    \
  absl::Status Infer##name(InferContext& ctx); \
  absl::Status Eval##name(const EvalContext& ctx);
#include "ir/ops/ops.inc"
#undef OMKIT_OP

namespace {

constexpr OpDef kOps[] = {
#define OMKIT_OP(name, min_in, max_in, min_out, max_out, traits) {#name, min_in, max_in, min_out, max_out, traits, Infer##name, Eval##name},
#include "ir/ops/ops.inc"
#undef OMKIT_OP
};

// The generic rule: dequantize, compute in float, quantize.
absl::Status EvalThroughFloat(const OpDef& def, const EvalContext& ctx) {
  std::vector<Tensor> float_inputs(ctx.inputs.size());
  std::vector<const Tensor*> inputs(ctx.inputs.begin(), ctx.inputs.end());
  for (size_t i = 0; i < ctx.inputs.size(); ++i) {
    const Tensor* t = ctx.inputs[i];
    if (t == nullptr || !t->type().quantized()) continue;
    OMKIT_ASSIGN_OR_RETURN(float_inputs[i], Tensor::Allocate(DType::kFloat32, t->shape()));
    if (!t->type().quant.per_tensor()) return absl::UnimplementedError("per-channel activations have no meaning here");
    const QuantParams& q = t->type().quant;
    for (int64_t k = 0; k < t->elements(); ++k) {
      float_inputs[i].mutable_data<float>()[k] = DequantizeValue(static_cast<int32_t>(IntegerAt(*t, k)), q.scale[0], q.zero_point[0]);
    }
    inputs[i] = &float_inputs[i];
  }
  std::vector<Tensor> float_outputs(ctx.outputs.size());
  std::vector<Tensor*> outputs(ctx.outputs.begin(), ctx.outputs.end());
  for (size_t i = 0; i < ctx.outputs.size(); ++i) {
    if (ctx.outputs[i] == nullptr || !ctx.outputs[i]->type().quantized()) continue;
    if (!ctx.outputs[i]->type().quant.per_tensor()) return absl::UnimplementedError("per-channel activations have no meaning here");
    OMKIT_ASSIGN_OR_RETURN(float_outputs[i], Tensor::Allocate(DType::kFloat32, ctx.outputs[i]->shape()));
    outputs[i] = &float_outputs[i];
  }
  OMKIT_RETURN_IF_ERROR(def.eval({ctx.attrs, inputs, outputs, ctx.bodies}));
  for (size_t i = 0; i < ctx.outputs.size(); ++i) {
    if (outputs[i] != &float_outputs[i]) continue;
    Tensor& out = *ctx.outputs[i];
    const QuantParams& q = out.type().quant;
    const QuantRange range = RangeOf(out.dtype());
    for (int64_t k = 0; k < out.elements(); ++k) {
      const int32_t v = QuantizeValue(float_outputs[i].data<float>()[k], q.scale[0], q.zero_point[0], range.min, range.max);
      if (out.dtype() == DType::kUInt8) out.mutable_data<uint8_t>()[k] = static_cast<uint8_t>(v);
      else if (out.dtype() == DType::kInt8) out.mutable_data<int8_t>()[k] = static_cast<int8_t>(v);
      else return absl::UnimplementedError(absl::StrCat("quantized ", Name(out.dtype()), " outputs"));
    }
  }
  return absl::OkStatus();
}

bool AnyQuantized(const EvalContext& ctx) {
  for (const Tensor* t : ctx.inputs) {
    if (t != nullptr && t->type().quantized()) return true;
  }
  for (const Tensor* t : ctx.outputs) {
    if (t != nullptr && t->type().quantized()) return true;
  }
  return false;
}

// Bytes can be moved as they are when every quantized operand has the same parameters.
bool SameParams(const EvalContext& ctx) {
  const QuantParams& first = ctx.input(0).type().quant;
  for (const Tensor* t : ctx.inputs) {
    if (t != nullptr && IsInteger(t->dtype()) && SizeOf(t->dtype()) == 1 && t->type().quant != first) return false;
  }
  for (const Tensor* t : ctx.outputs) {
    if (t != nullptr && t->type().quant != first) return false;
  }
  return true;
}

}  // namespace

const OpDef& Def(OpKind op) { return kOps[static_cast<size_t>(op)]; }
absl::Span<const OpDef> AllOps() { return kOps; }
const char* OpName(OpKind op) { return Def(op).name; }

bool FindOp(absl::string_view name, OpKind* op) {
  static const auto* const by_name = [] {
    auto* map = new std::map<std::string, OpKind, std::less<>>;
    for (size_t i = 0; i < sizeof(kOps) / sizeof(kOps[0]); ++i) (*map)[kOps[i].name] = static_cast<OpKind>(i);
    return map;
  }();
  auto it = by_name->find(std::string(name));
  if (it == by_name->end()) return false;
  *op = it->second;
  return true;
}

absl::StatusOr<std::vector<int64_t>> InferContext::ConstantInts(int i) const {
  const Tensor* t = constant(i);
  if (t == nullptr) {
    return absl::UnimplementedError(absl::StrCat("input ", i, " ('", has_input(i) ? graph_.value(node_.inputs[i]).name : "",
                                                 "') must be a constant once the input shapes are bound"));
  }
  return IntegerValues(*t);
}

absl::Status InferNode(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const OpDef& def = Def(node.op);
  const int num_inputs = static_cast<int>(node.inputs.size());
  const int num_outputs = static_cast<int>(node.outputs.size());
  if (num_inputs < def.min_inputs || (def.max_inputs >= 0 && num_inputs > def.max_inputs)) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(node), " has ", num_inputs, " inputs; the operator takes ", def.min_inputs, " to ",
                                                   def.max_inputs < 0 ? std::string("any number") : absl::StrCat(def.max_inputs)));
  }
  if (num_outputs < def.min_outputs || (def.max_outputs >= 0 && num_outputs > def.max_outputs)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(node), " has ", num_outputs, " outputs; the operator gives ", def.min_outputs, " to ", def.max_outputs));
  }
  for (int i = 0; i < num_inputs; ++i) {
    if (node.inputs[i] == kNoValue) {
      if (i < def.min_inputs) return absl::InvalidArgumentError(absl::StrCat(Describe(node), " lacks its input ", i));
      continue;
    }
    const Value& value = graph.value(node.inputs[i]);
    if (value.type.dtype == DType::kUndefined) {
      return absl::InvalidArgumentError(absl::StrCat(Describe(node), ": the type of input ", i, " ('", value.name, "') is not known"));
    }
    if (IsNarrow(value.type.dtype) && !def.Is(kNarrowTypes) && !def.Is(kMovement)) {
      return absl::UnimplementedError(absl::StrCat(Describe(node), ": input ", i, " ('", value.name, "') is ", Name(value.type.dtype),
                                                   ", which only Cast, QuantizeLinear, DequantizeLinear and operators that move elements take"));
    }
  }
  InferContext ctx(graph, node);
  OMKIT_RETURN_IF_ERROR(Annotate(def.infer(ctx), Describe(node)));
  for (int i = 0; i < num_outputs; ++i) {
    if (node.outputs[i] == kNoValue) continue;
    TensorType inferred = ctx.outputs()[i];
    const TensorType& known = graph.value(node.outputs[i]).type;
    if (known.quantized()) {
      if (inferred.dtype != DType::kFloat32 && node.op != OpKind::kQuantize) {
        return absl::InvalidArgumentError(absl::StrCat(Describe(node), ": output ", i, " ('", graph.value(node.outputs[i]).name,
                                                       "') carries quantization parameters but its values are ", Name(inferred.dtype)));
      }
      inferred.dtype = known.dtype;
      inferred.quant = known.quant;
    }
    inferred.layout = known.layout;
    graph.SetType(node.outputs[i], std::move(inferred));
  }
  return absl::OkStatus();
}

absl::Status InferGraph(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) OMKIT_RETURN_IF_ERROR(InferNode(graph, id));
  return absl::OkStatus();
}

absl::Status EvalOp(OpKind op, const EvalContext& ctx) {
  const OpDef& def = Def(op);
  if (!AnyQuantized(ctx) || def.Is(kIntegerEval)) return def.eval(ctx);
  if ((def.Is(kMovement) || def.Is(kOrderPreserving)) && SameParams(ctx)) return def.eval(ctx);
  return EvalThroughFloat(def, ctx);
}

}  // namespace omkit::ir
