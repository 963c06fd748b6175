// Dequantize -> operator -> clamp -> Quantize becomes the operator on quantized operands, for operators whose integer form ir/ops defines:
// Add, Sub, Mul of two tensors, functions of one element (tables later), average pools. A constant with one element is an exact quantized
// tensor whatever its value; Div by one is Mul. ReduceMean over an image is GlobalAveragePool.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/status/status.h"
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

bool IsArithmetic(OpKind op) { return op == OpKind::kAdd || op == OpKind::kSub || op == OpKind::kMul; }

// Inputs that must be quantized; 0 for operators without an integer form.
int Operands(OpKind op) {
  if (IsArithmetic(op)) return 2;
  const bool pool = op == OpKind::kAveragePool || op == OpKind::kGlobalAveragePool;
  return pool || ir::Def(op).Is(ir::kUnary) ? 1 : 0;
}

// The float32 value of a constant with one element.
std::optional<float> ScalarOf(const Graph& graph, ValueId v) {
  if (!graph.IsConstant(v)) return std::nullopt;
  const Tensor& t = graph.value(v).constant;
  if (t.dtype() != DType::kFloat32 || t.elements() != 1 || !std::isfinite(t.data<float>()[0])) return std::nullopt;
  return t.data<float>()[0];
}

// c as one step of scale |c|: q - zero point is 1, 0 or -1.
absl::StatusOr<ValueId> ExactScalar(Graph& graph, const std::string& name, const Shape& shape, float c) {
  const bool tiny = std::abs(c) < std::numeric_limits<float>::min();
  TensorType type{DType::kUInt8, shape, QuantParams::PerTensor(tiny ? 1.0f : std::abs(c), c < 0 && !tiny ? 1 : 0), Layout::kPlain};
  OMKIT_ASSIGN_OR_RETURN(Tensor t, Tensor::Allocate(type));
  t.mutable_data<uint8_t>()[0] = c > 0 && !tiny ? 1 : 0;
  return graph.AddConstant(absl::StrCat(name, ":scalar"), std::move(t));
}

// Div by a constant with one element is Mul by its inverse.
void DivToMul(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const std::optional<float> divisor = ScalarOf(graph, node.inputs[1]);
  if (!divisor || QuantizedSource(graph, node.inputs[0]) == ir::kNoValue || !std::isnormal(1.0f / *divisor)) return;
  Tensor inverse = graph.value(node.inputs[1]).constant.Clone();
  inverse.mutable_data<float>()[0] = 1.0f / *divisor;
  graph.SetInput(id, 1, graph.AddConstant(absl::StrCat(node.name, ":inverse"), std::move(inverse)));
  graph.SetOp(id, OpKind::kMul);
}

// ReduceMean over the last two of four dimensions.
bool ReducesImage(const Graph& graph, const Node& node) {
  if (graph.value(node.inputs[0]).type.shape.rank() != 4 || node.inputs.size() < 2 || graph.ConstantInput(node, 1) == nullptr) return false;
  auto axes = IntegerValues(*graph.ConstantInput(node, 1));
  if (!axes.ok() || axes->size() != 2) return false;
  for (int64_t& a : *axes) a = a < 0 ? a + 4 : a;
  return std::min((*axes)[0], (*axes)[1]) == 2 && std::max((*axes)[0], (*axes)[1]) == 3;
}

void MeanToPool(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  if (QuantizedSource(graph, node.inputs[0]) == ir::kNoValue || !ReducesImage(graph, node)) return;
  const Shape& x = graph.value(node.inputs[0]).type.shape;
  const bool keeps = node.attrs.Int("keepdims", 1) != 0;
  graph.RemoveNode(id);
  if (keeps) {
    graph.AddNodeInto(OpKind::kGlobalAveragePool, node.name, {node.inputs[0]}, {node.outputs[0]});
    return;
  }
  const std::vector<int64_t> dims = {x.dim(0), x.dim(1)};
  const ValueId shape = graph.AddConstant(absl::StrCat(node.name, ":shape"), Tensor::Of<int64_t>(Shape{2}, dims));
  const NodeId pool = graph.AddNode(OpKind::kGlobalAveragePool, node.name, {node.inputs[0]});
  graph.SetType(graph.node(pool).outputs[0], TensorType{DType::kFloat32, Shape{dims[0], dims[1], 1, 1}, {}, Layout::kPlain});
  graph.AddNodeInto(OpKind::kReshape, absl::StrCat(node.name, ":reshape"), {graph.node(pool).outputs[0], shape}, {node.outputs[0]});
}

absl::Status Absorb(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  std::vector<ValueId> inputs = node.inputs;
  const int operands = Operands(node.op);
  int tensors = 0;
  for (int i = 0; i < operands; ++i) {
    const ValueId source = QuantizedSource(graph, inputs[i]);
    if (source == ir::kNoValue && !ScalarOf(graph, inputs[i])) return absl::OkStatus();
    tensors += source != ir::kNoValue;
    if (source != ir::kNoValue) inputs[i] = source;
  }
  for (size_t i = operands; i < inputs.size(); ++i) {
    if (inputs[i] != ir::kNoValue && !graph.IsConstant(inputs[i])) return absl::OkStatus();
  }
  ir::Attrs attrs = node.attrs;
  Chain chain(graph, id);
  if (IsArithmetic(node.op)) chain.TakeClamps(&attrs);
  if (tensors == 0 || !chain.TakeQuantize()) return absl::OkStatus();
  for (int i = 0; i < operands; ++i) {
    const std::optional<float> scalar = ScalarOf(graph, inputs[i]);
    if (!scalar) continue;
    const Shape shape = graph.value(inputs[i]).type.shape;
    OMKIT_ASSIGN_OR_RETURN(inputs[i], ExactScalar(graph, node.name, shape, *scalar));
  }
  chain.Remove();
  graph.RemoveNode(id);
  graph.AddNodeInto(node.op, node.name, inputs, {chain.value()}, attrs);
  return absl::OkStatus();
}

}  // namespace

absl::Status RewritePointwise(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) {
    if (graph.node(id).op == OpKind::kDiv) DivToMul(graph, id);
    else if (graph.node(id).op == OpKind::kReduceMean) MeanToPool(graph, id);
  }
  return absl::OkStatus();
}

absl::Status AbsorbPointwise(Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
  for (NodeId id : order) {
    if (graph.alive(id) && Operands(graph.node(id).op) > 0) OMKIT_RETURN_IF_ERROR(Absorb(graph, id));
  }
  return absl::OkStatus();
}

}  // namespace omkit::frontends::qdq
