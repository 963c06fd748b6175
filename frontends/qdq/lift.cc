// QuantizeLinear and DequantizeLinear become Quantize and Dequantize: parameters move from inputs into tensor types. A missing zero point
// is 0, a scale of shape [1] is per tensor. Signed activations become unsigned: q + 128 with zero point + 128 stands for the same reals.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "frontends/qdq/rewrite.h"
#include "ir/op.h"

namespace omkit::frontends::qdq {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

bool Is8Bit(DType dtype) { return dtype == DType::kUInt8 || dtype == DType::kInt8; }

bool HasInput(const Node& node, int i) { return i < static_cast<int>(node.inputs.size()) && node.inputs[i] != ir::kNoValue; }

// Statuses of this file, besides the usual INVALID_ARGUMENT for a broken model:
//   FAILED_PRECONDITION  the node has no integer form and stays an operator on floats
//   UNIMPLEMENTED        the same, but the model counts on it: an error when a convolution or matrix product reads the value
absl::Status StaysOperator(absl::string_view why) { return absl::FailedPreconditionError(why); }

std::string NameOf(const Graph& graph, const Node& node, int input) { return absl::StrCat("'", graph.value(node.inputs[input]).name, "'"); }

// Scale and zero point of a linear node whose integer side has type `integer`.
absl::StatusOr<QuantParams> ReadParams(const Graph& graph, const Node& node, DType integer) {
  const Tensor* scale = graph.ConstantInput(node, 1);
  const Tensor* zero = graph.ConstantInput(node, 2);
  if (scale == nullptr || (HasInput(node, 2) && zero == nullptr)) {
    return StaysOperator("scale and zero point are computed while the network runs (dynamic quantization)");
  }
  if (!IsFloat(scale->dtype())) {
    return absl::UnimplementedError(
        absl::StrCat("the scale ", NameOf(graph, node, 1), " is ", Name(scale->dtype()), "; export the model in float32"));
  }
  if (node.attrs.Int("block_size", 0) != 0 || (scale->shape().rank() > 1 && scale->elements() > 1)) {
    return absl::UnimplementedError(absl::StrCat("the scale ", NameOf(graph, node, 1), " of shape ", scale->shape().ToString(),
                                                 " means blocked quantization, which has no INT8 form; quantize per tensor or per channel"));
  }
  QuantParams params;
  for (int64_t i = 0; i < scale->elements(); ++i) {
    params.scale.push_back(static_cast<float>(RealAt(*scale, i)));
    params.zero_point.push_back(zero == nullptr ? 0 : static_cast<int32_t>(IntegerAt(*zero, i)));
  }
  if (scale->elements() != 1) {
    OMKIT_ASSIGN_OR_RETURN(params.axis, NormalizeAxis(node.attrs.Int("axis", 1), graph.value(node.inputs[0]).type.shape.rank()));
  }
  const std::string zero_name = zero == nullptr ? "" : absl::StrCat(", zero point ", NameOf(graph, node, 2));
  OMKIT_RETURN_IF_ERROR(Annotate(ValidateQuantParams(params, integer), absl::StrCat("scale ", NameOf(graph, node, 1), zero_name)));
  return params;
}

absl::StatusOr<QuantParams> ReadActivationParams(const Graph& graph, const Node& node, DType integer) {
  if (integer == DType::kUInt16 || integer == DType::kInt16 || integer == DType::kInt32) {
    return StaysOperator(absl::StrCat("activations of type ", Name(integer), " are computed in float"));
  }
  if (!Is8Bit(integer)) {
    return absl::UnimplementedError(absl::StrCat("activations of type ", Name(integer), " have no INT8 form; quantize them to uint8 or int8"));
  }
  OMKIT_ASSIGN_OR_RETURN(QuantParams params, ReadParams(graph, node, integer));
  if (params.per_tensor()) return params;
  return absl::UnimplementedError(
      absl::StrCat("an activation has ", params.scale.size(), " scales along axis ", params.axis, "; quantize activations per tensor"));
}

bool MovesIntegers(const Graph& graph, const ir::Use& use) {
  const Node& node = graph.node(use.node);
  if (use.input != 0 || node.op == OpKind::kConcat) return false;
  for (ValueId v : node.outputs) {
    if (v == ir::kNoValue) return false;
  }
  if (node.op == OpKind::kMaxPool) return node.outputs.size() == 1;
  return node.op == OpKind::kPad ? !HasInput(node, 2) : ir::Def(node.op).Is(ir::kMovement);
}

// Integer values that one quantizer (or one integer model input) feeds, up to the DequantizeLinear nodes that end them.
class Region {
 public:
  Region(Graph& graph, QuantParams params, DType dtype) : graph_(graph), params_(std::move(params)), dtype_(dtype) {}

  absl::Status Collect(ValueId root) {
    pinned_ = graph_.IsInput(root);
    values_.push_back(root);
    for (size_t i = 0; i < values_.size(); ++i) {
      pinned_ = pinned_ || graph_.IsOutput(values_[i]);
      for (const ir::Use& use : graph_.Uses(values_[i])) OMKIT_RETURN_IF_ERROR(Visit(use));
    }
    return absl::OkStatus();
  }

  void Lift() {
    if (dtype_ == DType::kInt8 && !pinned_) {
      dtype_ = DType::kUInt8;
      params_.zero_point[0] += 128;
    }
    for (ValueId v : values_) graph_.SetType(v, TensorType{dtype_, graph_.value(v).type.shape, params_, Layout::kPlain});
    for (NodeId id : ends_) {
      const Node end = graph_.node(id);
      graph_.RemoveNode(id);
      graph_.AddNodeInto(OpKind::kDequantize, end.name, {Unsigned(end.inputs[0], end.name)}, {end.outputs[0]});
    }
  }

 private:
  // A signed value of the model's interface gets an unsigned copy for the network behind it.
  ValueId Unsigned(ValueId v, const std::string& reader) {
    TensorType type = graph_.value(v).type;
    if (type.dtype != DType::kInt8) return v;
    type.dtype = DType::kUInt8;
    type.quant.zero_point[0] += 128;
    const NodeId quantize = graph_.AddNode(OpKind::kQuantize, absl::StrCat(reader, ":unsigned"), {v});
    graph_.SetType(graph_.node(quantize).outputs[0], type);
    return graph_.node(quantize).outputs[0];
  }

  absl::Status Visit(const ir::Use& use) {
    const Node& node = graph_.node(use.node);
    if (MovesIntegers(graph_, use)) {
      values_.insert(values_.end(), node.outputs.begin(), node.outputs.end());
      return absl::OkStatus();
    }
    if (node.op != OpKind::kDequantizeLinear || use.input != 0) {
      return StaysOperator(absl::StrCat(Describe(node), " computes on the integers of '", graph_.value(node.inputs[use.input]).name, "'"));
    }
    auto own = ReadActivationParams(graph_, node, dtype_);
    if (!own.ok()) return Annotate(own.status(), Describe(node));
    if (*own != params_) {
      return StaysOperator(
          absl::StrCat(Describe(node), ": scale or zero point differ from those that '", graph_.value(values_[0]).name, "' was quantized with"));
    }
    ends_.push_back(node.id);
    return absl::OkStatus();
  }

  Graph& graph_;
  QuantParams params_;
  DType dtype_;
  bool pinned_ = false;  // the model's interface shows the integers: they stay as they are
  std::vector<ValueId> values_;
  std::vector<NodeId> ends_;
};

absl::Status LiftQuantizer(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const DType real = graph.value(node.inputs[0]).type.dtype;
  if (real != DType::kFloat32) return StaysOperator(absl::StrCat("it quantizes ", Name(real), "; export the model in float32"));
  const DType integer = graph.value(node.outputs[0]).type.dtype;
  OMKIT_ASSIGN_OR_RETURN(QuantParams params, ReadActivationParams(graph, node, integer));
  Region region(graph, std::move(params), integer);
  OMKIT_RETURN_IF_ERROR(region.Collect(node.outputs[0]));
  region.Lift();
  graph.RemoveNode(id);
  graph.AddNodeInto(OpKind::kQuantize, node.name, {node.inputs[0]}, {node.outputs[0]});
  return absl::OkStatus();
}

absl::Status LiftConstant(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const Tensor constant = *graph.ConstantInput(node, 0);
  if (!IsInteger(constant.dtype())) {
    return absl::UnimplementedError(
        absl::StrCat("weights of type ", Name(constant.dtype()), " (", NameOf(graph, node, 0), ") have no INT8 form; quantize them to int8"));
  }
  OMKIT_ASSIGN_OR_RETURN(QuantParams params, ReadParams(graph, node, constant.dtype()));
  TensorType type = constant.type();
  type.quant = std::move(params);
  Tensor quantized = constant.WithType(type);
  if (type.dtype == DType::kInt8 && type.quant.per_tensor()) {
    type.dtype = DType::kUInt8;
    type.quant.zero_point[0] += 128;
    OMKIT_ASSIGN_OR_RETURN(quantized, Tensor::Allocate(type));
    for (int64_t i = 0; i < constant.elements(); ++i) quantized.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(constant.data<int8_t>()[i] + 128);
  }
  const ValueId value = graph.AddConstant(graph.value(node.inputs[0]).name, std::move(quantized));
  graph.RemoveNode(id);
  graph.AddNodeInto(OpKind::kDequantize, node.name, {value}, {node.outputs[0]});
  return absl::OkStatus();
}

// A DequantizeLinear that no quantizer feeds starts at an integer model input.
absl::Status LiftFromInput(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  ValueId root = node.inputs[0];
  for (const Node* before = graph.Producer(root); before != nullptr; before = graph.Producer(root)) {
    if (!MovesIntegers(graph, {before->id, 0})) {
      return StaysOperator(absl::StrCat("it dequantizes the result of ", Describe(*before)));
    }
    root = before->inputs[0];
  }
  const DType integer = graph.value(root).type.dtype;
  OMKIT_ASSIGN_OR_RETURN(QuantParams params, ReadActivationParams(graph, node, integer));
  Region region(graph, std::move(params), integer);
  OMKIT_RETURN_IF_ERROR(region.Collect(root));
  region.Lift();
  return absl::OkStatus();
}

bool IsLayer(OpKind op) {
  return op == OpKind::kConv || op == OpKind::kConvTranspose || op == OpKind::kGemm || op == OpKind::kMatMul || op == OpKind::kDense;
}

// True when a layer reads the value directly or behind linear nodes and movement.
bool FeedsLayer(const Graph& graph, ValueId value) {
  std::vector<ValueId> work = {value};
  for (size_t i = 0; i < work.size(); ++i) {
    for (const ir::Use& use : graph.Uses(work[i])) {
      const Node& node = graph.node(use.node);
      if (IsLayer(node.op)) return true;
      const bool linear = node.op == OpKind::kQuantizeLinear || node.op == OpKind::kDequantizeLinear;
      if (use.input == 0 && (linear || ir::Def(node.op).Is(ir::kMovement))) work.insert(work.end(), node.outputs.begin(), node.outputs.end());
    }
  }
  return false;
}

// Lets a node that has no integer form stay as it is; returns what is an error.
absl::Status Tolerate(const Graph& graph, NodeId id, const absl::Status& status) {
  if (status.ok()) return status;
  const Node& node = graph.node(id);
  const bool stays = absl::IsFailedPrecondition(status) || (absl::IsUnimplemented(status) && !FeedsLayer(graph, node.outputs[0]));
  if (!stays) return Annotate(status, Describe(node));
  Log(LogLevel::kInfo, absl::StrCat("qdq: ", Describe(node), " stays an operator on floats: ", status.message()));
  return absl::OkStatus();
}

// Brevitas and others write fewer bits than eight as QuantizeLinear -> Clip: the clamp of the integers is one of the reals before.
void ClampReals(Graph& graph, NodeId id) {
  const Node clip = graph.node(id);
  const Node* before = graph.Producer(clip.inputs[0]);
  if (before == nullptr || before->op != OpKind::kQuantizeLinear || graph.OnlyUser(clip.inputs[0]) == nullptr) return;
  const Node quantize = *before;
  const auto params = ReadActivationParams(graph, quantize, graph.value(clip.inputs[0]).type.dtype);
  if (!params.ok() || graph.value(quantize.inputs[0]).type.dtype != DType::kFloat32) return;
  std::vector<ValueId> inputs = {quantize.inputs[0]};
  for (int i = 1; i < static_cast<int>(clip.inputs.size()); ++i) {
    const Tensor* bound = graph.ConstantInput(clip, i);
    if (bound == nullptr && HasInput(clip, i)) return;
    const bool given = bound != nullptr && bound->elements() == 1;
    const float real = given ? static_cast<float>(IntegerAt(*bound, 0) - params->zero_point[0]) * params->scale[0] : 0.0f;
    inputs.push_back(given ? graph.AddConstant(absl::StrCat(clip.name, ":bound", i), Tensor::Scalar<float>(real)) : ir::kNoValue);
  }
  const NodeId clamp = graph.AddNode(OpKind::kClip, clip.name, std::move(inputs));
  graph.SetType(graph.node(clamp).outputs[0], graph.value(quantize.inputs[0]).type);
  graph.SetInput(quantize.id, 0, graph.node(clamp).outputs[0]);
  graph.RemoveNode(id);
  graph.ReplaceUses(clip.outputs[0], clip.inputs[0]);
}

}  // namespace

absl::Status LiftLinearNodes(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) {
    if (graph.node(id).op == OpKind::kClip) ClampReals(graph, id);
  }
  for (NodeId id : order) {
    if (!graph.alive(id) || graph.node(id).op != OpKind::kQuantizeLinear) continue;
    OMKIT_RETURN_IF_ERROR(Tolerate(graph, id, LiftQuantizer(graph, id)));
  }
  for (NodeId id : order) {
    if (!graph.alive(id) || graph.node(id).op != OpKind::kDequantizeLinear) continue;
    const bool constant = graph.ConstantInput(graph.node(id), 0) != nullptr;
    OMKIT_RETURN_IF_ERROR(Tolerate(graph, id, constant ? LiftConstant(graph, id) : LiftFromInput(graph, id)));
  }
  return absl::OkStatus();
}

}  // namespace omkit::frontends::qdq
