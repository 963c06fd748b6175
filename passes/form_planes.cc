#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

bool IsOneDimensional(const Graph& graph, const Node& node) {
  if (node.op != OpKind::kConv && node.op != OpKind::kMaxPool && node.op != OpKind::kAveragePool) return false;
  if (node.outputs.size() != 1 || graph.value(node.inputs[0]).type.shape.rank() != 3 || graph.value(node.outputs[0]).type.shape.rank() != 3)
    return false;
  // In float, or in integers: not between them.
  const TensorType& x = graph.value(node.inputs[0]).type;
  if (x.dtype != (x.quantized() ? DType::kUInt8 : DType::kFloat32) || (!x.quantized() && graph.value(node.outputs[0]).type.quantized())) return false;
  const Tensor* weights = node.op == OpKind::kConv ? graph.ConstantInput(node, 1) : nullptr;
  if (node.op != OpKind::kConv) return true;
  if (weights == nullptr) return false;
  return x.quantized() ? weights->dtype() == DType::kInt8 || weights->dtype() == DType::kInt16 : weights->dtype() == DType::kFloat32;
}

TensorType TypeOfPlane(TensorType type, bool lift) {
  std::vector<int64_t> dims = type.shape.vec();
  if (lift) dims.insert(dims.begin() + 2, 1);
  else dims.erase(dims.begin() + 2);
  type.shape = Shape(std::move(dims));
  return type;
}

// `value` as [N, C, 1, L], or back as [N, C, L].
ValueId Reshaped(Graph& graph, const std::string& name, ValueId value, bool lift) {
  std::vector<int64_t> dims = TypeOfPlane(graph.value(value).type, lift).shape.vec();
  // At most the last dimension may be found by Reshape; those in front are copied.
  for (int d = 0; d < 2; ++d) dims[d] = dims[d] == kUnknownDim ? 0 : dims[d];
  const ValueId shape = graph.AddConstant(absl::StrCat(name, ":shape"), Tensor::Of<int64_t>({static_cast<int64_t>(dims.size())}, dims));
  const ValueId result = graph.node(graph.AddNode(OpKind::kReshape, name, {value, shape})).outputs[0];
  if (graph.value(value).type.quantized()) graph.SetType(result, TypeOfPlane(graph.value(value).type, lift));
  return result;
}

// Puts an entry for the height in front of each half (begin, end) of an attribute.
void Widen(ir::Attrs& attrs, const char* name, int64_t entry) {
  const std::vector<int64_t> given = attrs.Ints(name);
  if (given.size() == 1) attrs.Set(name, std::vector<int64_t>{entry, given[0]});
  if (given.size() == 2) attrs.Set(name, std::vector<int64_t>{entry, given[0], entry, given[1]});
}

absl::Status Lift(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = Reshaped(graph, absl::StrCat(node.name, ":rows"), inputs[0], true);
  if (node.op == OpKind::kConv) {
    const Tensor& w = *graph.ConstantInput(node, 1);
    inputs[1] = graph.AddConstant(graph.value(inputs[1]).name, w.WithType(TypeOfPlane(w.type(), true)));
    if (inputs.size() > 3 && inputs[3] != kNoValue) inputs[3] = Reshaped(graph, absl::StrCat(node.name, ":residual"), inputs[3], true);
  }
  ir::Attrs attrs = node.attrs;
  for (const char* name : {"kernel_shape", "strides", "dilations"}) Widen(attrs, name, 1);
  Widen(attrs, "pads", 0);
  const TensorType result = graph.value(node.outputs[0]).type;
  graph.RemoveNode(id);
  const NodeId lifted = graph.AddNode(node.op, node.name, inputs, attrs);
  OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, graph.Producer(inputs[0])->id));
  if (inputs.size() > 3 && inputs[3] != kNoValue) OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, graph.Producer(inputs[3])->id));
  if (result.quantized()) graph.SetType(graph.node(lifted).outputs[0], TypeOfPlane(result, true));
  OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, lifted));
  const ValueId back = Reshaped(graph, absl::StrCat(node.name, ":row"), graph.node(lifted).outputs[0], false);
  const Node reshape = *graph.Producer(back);
  graph.RemoveNode(reshape.id);
  graph.AddNodeInto(OpKind::kReshape, reshape.name, reshape.inputs, {node.outputs[0]});
  return absl::OkStatus();
}

}  // namespace

Pass FormPlanes() {
  return {"form_planes", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
            for (NodeId id : order) {
              if (!graph.alive(id) || !IsOneDimensional(graph, graph.node(id))) continue;
              const std::string name = graph.node(id).name;
              OMKIT_RETURN_IF_ERROR(Annotate(Lift(graph, id), name));
            }
            graph.Sweep();
            return ir::InferGraph(graph);
          }};
}

}  // namespace omkit::passes
