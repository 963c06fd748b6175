// Quantize and Dequantize commute with operators that only move elements, and with maxima, because dequantization never decreases. So a
// Dequantize sinks below them and a Quantize rises above them, which leaves the movement to bytes; where the two meet they cancel, or
// become one change of parameters.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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

// Pads with real zero only: any other value may lie between two steps.
bool PadsWithZero(const Graph& graph, const Node& node) {
  if (node.inputs.size() < 3 || node.inputs[2] == ir::kNoValue) return true;
  const Tensor* value = graph.ConstantInput(node, 2);
  return value != nullptr && (value->elements() == 0 || (value->elements() == 1 && RealAt(*value, 0) == 0.0));
}

bool Moves(const Graph& graph, const Node& node) {
  for (ValueId v : node.outputs) {
    if (v == ir::kNoValue) return false;
  }
  if (node.outputs.empty() || graph.value(node.outputs[0]).type.dtype != DType::kFloat32) return false;
  switch (node.op) {
    case OpKind::kMaxPool: return node.outputs.size() == 1;
    case OpKind::kGlobalMaxPool: return true;
    case OpKind::kResize:
      return node.attrs.String("mode", "nearest") == "nearest" &&
             node.attrs.String("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize";
    case OpKind::kPad: return PadsWithZero(graph, node);
    default: return ir::Def(node.op).Is(ir::kMovement);
  }
}

size_t MovedInputs(const Node& node) { return node.op == OpKind::kConcat ? node.inputs.size() : 1; }

// The axis of the scales behind a node that moves a constant; -1 stays -1. Empty when the scales do not follow one axis any more.
std::optional<int> MovedAxis(const Graph& graph, const Node& node, int axis) {
  if (axis < 0) return axis;
  const Shape& in = graph.value(node.inputs[0]).type.shape;
  const Shape& out = graph.value(node.outputs[0]).type.shape;
  if (node.op == OpKind::kTranspose) {
    const std::vector<int64_t> perm = node.attrs.Ints("perm");
    if (perm.empty()) return in.rank() - 1 - axis;
    return static_cast<int>(std::find(perm.begin(), perm.end(), axis) - perm.begin());
  }
  const bool reshapes = node.op == OpKind::kReshape || node.op == OpKind::kFlatten || node.op == OpKind::kSqueeze || node.op == OpKind::kUnsqueeze;
  if (!reshapes) return std::nullopt;
  int64_t before = 1, moved_before = 1;
  for (int d = 0; d < axis; ++d) before *= in.dim(d);
  for (int d = 0; d < out.rank(); moved_before *= out.dim(d++)) {
    if (moved_before == before && out.dim(d) == in.dim(axis)) return d;
  }
  return std::nullopt;
}

// M(Dequantize(constant)) -> Dequantize(moved constant), so that weights behind a Transpose or Reshape stay integers.
absl::StatusOr<bool> MoveConstant(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  if (!Moves(graph, node) || MovedInputs(node) != 1 || node.outputs.size() != 1 || graph.IsOutput(node.outputs[0])) return false;
  const Tensor* constant = QuantizedConstant(graph, node.inputs[0]);
  const TensorType& result = graph.value(node.outputs[0]).type;
  // Weights are turned, not multiplied: Expand and Tile stay.
  if (constant == nullptr || node.op == OpKind::kPad || !result.shape.IsStatic() || result.shape.elements() > constant->elements()) return false;
  const std::optional<int> axis = MovedAxis(graph, node, constant->type().quant.axis);
  if (!axis) return false;
  std::vector<const Tensor*> inputs = {constant};
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    inputs.push_back(graph.ConstantInput(node, static_cast<int>(i)));
    if (node.inputs[i] != ir::kNoValue && inputs.back() == nullptr) return false;
  }
  TensorType plain{constant->dtype(), constant->shape(), {}, Layout::kPlain};
  const Tensor integers = constant->WithType(plain);
  inputs[0] = &integers;
  OMKIT_ASSIGN_OR_RETURN(Tensor moved, Tensor::Allocate(constant->dtype(), result.shape));
  Tensor* outputs[] = {&moved};
  OMKIT_RETURN_IF_ERROR(Annotate(ir::EvalOp(node.op, {node.attrs, inputs, outputs}), Describe(node)));
  TensorType type = moved.type();
  type.quant = constant->type().quant;
  type.quant.axis = *axis;
  const ValueId value = graph.AddConstant(absl::StrCat(node.name, ":constant"), moved.WithType(type));
  graph.RemoveNode(id);
  graph.AddNodeInto(OpKind::kDequantize, node.name, {value}, {node.outputs[0]});
  return true;
}

TensorType Quantized(const Graph& graph, ValueId v, const TensorType& like) {
  return TensorType{like.dtype, graph.value(v).type.shape, like.quant, Layout::kPlain};
}

// M(Dequantize(a)) -> Dequantize(M(a)) when all moved inputs have the same parameters.
bool Sink(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  if (!Moves(graph, node)) return false;
  std::vector<ValueId> sources;
  for (size_t i = 0; i < MovedInputs(node); ++i) {
    const ValueId source = QuantizedSource(graph, node.inputs[i]);
    if (source == ir::kNoValue || graph.IsConstant(source)) return false;
    const TensorType& type = graph.value(source).type;
    const TensorType& first = graph.value(sources.empty() ? source : sources[0]).type;
    if (type.dtype != first.dtype || type.quant != first.quant) return false;
    sources.push_back(source);
  }
  for (size_t i = 0; i < sources.size(); ++i) graph.SetInput(id, static_cast<int>(i), sources[i]);
  if (node.op == OpKind::kPad && node.inputs.size() > 2) graph.SetInput(id, 2, ir::kNoValue);
  const TensorType like = graph.value(sources[0]).type;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId real = node.outputs[i];
    const std::string name = graph.value(real).name;
    const ValueId moved = graph.DetachOutput(id, static_cast<int>(i), absl::StrCat(name, ":quantized"));
    graph.SetType(moved, Quantized(graph, real, like));
    graph.AddNodeInto(OpKind::kDequantize, absl::StrCat(name, ":dequantize"), {moved}, {real});
  }
  return true;
}

absl::StatusOr<ValueId> QuantizedCopy(Graph& graph, ValueId v, const TensorType& like, const std::string& name) {
  const TensorType type = Quantized(graph, v, like);
  if (graph.IsConstant(v)) {
    const Tensor constant = graph.value(v).constant;
    OMKIT_ASSIGN_OR_RETURN(Tensor q, Tensor::Allocate(type));
    const Tensor* in[] = {&constant};
    Tensor* out[] = {&q};
    OMKIT_RETURN_IF_ERROR(ir::EvalOp(OpKind::kQuantize, {{}, in, out}));
    return graph.AddConstant(name, std::move(q));
  }
  const NodeId quantize = graph.AddNode(OpKind::kQuantize, name, {v});
  const ValueId q = graph.node(quantize).outputs[0];
  graph.SetType(q, type);
  return q;
}

// Quantize(M(x)) -> M(Quantize(x)) when nothing else reads M's result; appends the new Quantize nodes to `risen`.
absl::StatusOr<bool> RiseOnce(Graph& graph, NodeId id, std::vector<NodeId>* risen) {
  const Node quantize = graph.node(id);
  const Node* producer = graph.Producer(quantize.inputs[0]);
  if (producer == nullptr || !Moves(graph, *producer) || producer->outputs.size() != 1) return false;
  if (graph.OnlyUser(quantize.inputs[0]) == nullptr) return false;
  const Node mover = *producer;
  // Fewer elements to quantize behind these.
  const bool selects = mover.op == OpKind::kSlice || mover.op == OpKind::kGather;
  if (selects && graph.Producer(mover.inputs[0]) == nullptr) return false;
  const TensorType like = graph.value(quantize.outputs[0]).type;
  std::vector<ValueId> inputs = mover.inputs;
  for (size_t i = 0; i < MovedInputs(mover); ++i) {
    const std::string name = i == 0 ? quantize.name : absl::StrCat(quantize.name, ":", i);
    OMKIT_ASSIGN_OR_RETURN(inputs[i], QuantizedCopy(graph, inputs[i], like, name));
    if (!graph.IsConstant(inputs[i])) risen->push_back(graph.Producer(inputs[i])->id);
  }
  if (mover.op == OpKind::kPad && inputs.size() > 2) inputs[2] = ir::kNoValue;
  graph.RemoveNode(id);
  graph.RemoveNode(mover.id);
  graph.AddNodeInto(mover.op, mover.name, inputs, quantize.outputs, mover.attrs);
  return true;
}

absl::StatusOr<bool> Rise(Graph& graph, NodeId id) {
  std::vector<NodeId> work = {id};
  bool changed = false;
  while (!work.empty()) {
    const NodeId next = work.back();
    work.pop_back();
    OMKIT_ASSIGN_OR_RETURN(const bool risen, RiseOnce(graph, next, &work));
    changed |= risen;
  }
  return changed;
}

// Quantize(Dequantize(a)) -> a, or Quantize(a) when the parameters differ.
bool Meet(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const ValueId source = QuantizedSource(graph, node.inputs[0]);
  if (source == ir::kNoValue) return false;
  const TensorType& from = graph.value(source).type;
  const ValueId result = node.outputs[0];
  const TensorType& to = graph.value(result).type;
  const bool interface = graph.IsOutput(result) && (graph.IsInput(source) || graph.IsConstant(source) || graph.IsOutput(source));
  if (from.quant == to.quant && from.dtype == to.dtype && !interface) {
    graph.RemoveNode(id);
    graph.ReplaceUses(result, source);
  } else {
    graph.SetInput(id, 0, source);
  }
  return true;
}

// Readers of one value that quantize it alike share one node; so do all Dequantize nodes of one value.
void Share(Graph& graph, const std::vector<NodeId>& order) {
  for (NodeId id : order) {
    if (!graph.alive(id)) continue;
    const Node& node = graph.node(id);
    if ((node.op != OpKind::kQuantize && node.op != OpKind::kDequantize) || graph.IsConstant(node.inputs[0])) continue;
    for (const ir::Use& use : graph.Uses(node.inputs[0])) {
      const Node& other = graph.node(use.node);
      if (other.id == id || other.op != node.op || graph.IsOutput(other.outputs[0])) continue;
      const TensorType& a = graph.value(node.outputs[0]).type;
      const TensorType& b = graph.value(other.outputs[0]).type;
      if (a.dtype != b.dtype || a.quant != b.quant) continue;
      const ValueId duplicate = other.outputs[0];
      graph.RemoveNode(other.id);
      graph.ReplaceUses(duplicate, node.outputs[0]);
    }
  }
}

absl::StatusOr<bool> MoveOnce(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  Share(graph, order);
  bool changed = false;
  for (NodeId id : order) {
    if (!graph.alive(id)) continue;
    if (graph.node(id).op != OpKind::kQuantize) {
      OMKIT_ASSIGN_OR_RETURN(const bool moved, MoveConstant(graph, id));
      changed |= moved || Sink(graph, id);
    } else if (Meet(graph, id)) {
      changed = true;
    } else {
      OMKIT_ASSIGN_OR_RETURN(const bool risen, Rise(graph, id));
      changed |= risen;
    }
  }
  return changed;
}

}  // namespace

absl::Status MoveBorders(Graph& graph) {
  while (true) {
    OMKIT_ASSIGN_OR_RETURN(const bool changed, MoveOnce(graph));
    graph.Sweep();
    if (!changed) return absl::OkStatus();
  }
}

absl::Status FoldConstantBorders(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) {
    const Node node = graph.node(id);
    const bool border = node.op == OpKind::kDequantize || node.op == OpKind::kQuantize;
    if (!border || !graph.IsConstant(node.inputs[0])) continue;
    const Tensor constant = graph.value(node.inputs[0]).constant;
    OMKIT_ASSIGN_OR_RETURN(Tensor result, Tensor::Allocate(graph.value(node.outputs[0]).type));
    const Tensor* in[] = {&constant};
    Tensor* out[] = {&result};
    OMKIT_RETURN_IF_ERROR(Annotate(ir::EvalOp(node.op, {{}, in, out}), Describe(node)));
    graph.RemoveNode(id);
    graph.SetConstant(node.outputs[0], std::move(result));
  }
  return absl::OkStatus();
}

}  // namespace omkit::frontends::qdq
