#include <algorithm>

#include "base/status.h"
#include "ir/op.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using ir::ValueId;

std::vector<int64_t> Permutation(const Graph& graph, const Node& node) {
  const int rank = graph.value(node.inputs[0]).type.shape.rank();
  std::vector<int64_t> reversed(rank);
  for (int i = 0; i < rank; ++i) reversed[i] = rank - 1 - i;
  return node.attrs.Ints("perm", reversed);
}

bool IsReshapeLike(OpKind op) { return op == OpKind::kReshape || op == OpKind::kFlatten || op == OpKind::kSqueeze || op == OpKind::kUnsqueeze; }

// Equal elements in equal order, whatever the open dimensions turn out to be: with two of them equal shapes may be two reshapes.
bool SameShape(const Shape& in, const Shape& out) { return in == out && std::count(in.vec().begin(), in.vec().end(), kUnknownDim) <= 1; }

bool AllConstant(const Graph& graph, const Node& node) {
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](ValueId v) { return v == ir::kNoValue || graph.IsConstant(v); });
}

// Pads, slices and tiles keep the shape only when they keep every element in place.
bool KeepsElementsInPlace(const Graph& graph, const Node& node) {
  const Shape& in = graph.value(node.inputs[0]).type.shape;
  const Shape& out = graph.value(node.outputs[0]).type.shape;
  switch (node.op) {
    case OpKind::kIdentity: return true;
    case OpKind::kCast: return graph.value(node.inputs[0]).type.dtype == graph.value(node.outputs[0]).type.dtype;
    case OpKind::kTranspose: {
      // Moving dimensions of size 1 around leaves the others in order.
      if (in != out) return false;
      int64_t last = -1;
      for (int64_t axis : Permutation(graph, node)) {
        if (in.dim(static_cast<int>(axis)) == 1) continue;
        if (axis < last) return false;
        last = axis;
      }
      return true;
    }
    case OpKind::kReshape:
    case OpKind::kFlatten:
    case OpKind::kSqueeze:
    case OpKind::kUnsqueeze: return SameShape(in, out);
    case OpKind::kExpand:
    case OpKind::kTile: return in == out && in.IsStatic();
    case OpKind::kConcat: return node.inputs.size() == 1;
    case OpKind::kPad: {
      if (!AllConstant(graph, node)) return false;
      auto pads = IntegerValues(graph.value(node.inputs[1]).constant);
      if (!pads.ok()) return false;
      for (int64_t p : *pads) {
        if (p != 0) return false;
      }
      return true;
    }
    case OpKind::kSlice: {
      if (in != out || !in.IsStatic() || !AllConstant(graph, node)) return false;
      if (node.inputs.size() < 5 || node.inputs[4] == ir::kNoValue) return true;
      auto steps = IntegerValues(graph.value(node.inputs[4]).constant);
      if (!steps.ok()) return false;
      for (int64_t s : *steps) {
        if (s < 0) return false;
      }
      return true;
    }
    default: return false;
  }
}

// Transpose(Transpose(x)) -> Transpose(x), Reshape-like(Reshape-like(x)) -> Reshape(x).
bool MergeWithProducer(Graph& graph, ir::NodeId id) {
  const Node node = graph.node(id);
  const Node* before = node.inputs.empty() ? nullptr : graph.Producer(node.inputs[0]);
  if (before == nullptr) return false;
  if (node.op == OpKind::kTranspose && before->op == OpKind::kTranspose) {
    const std::vector<int64_t> first = Permutation(graph, *before);
    std::vector<int64_t> merged;
    for (int64_t axis : Permutation(graph, node)) merged.push_back(first[axis]);
    graph.SetInput(id, 0, before->inputs[0]);
    graph.SetAttr(id, "perm", merged);
    return true;
  }
  if (IsReshapeLike(node.op) && IsReshapeLike(before->op)) {
    const std::vector<int64_t> dims = graph.value(node.outputs[0]).type.shape.vec();
    if (std::count(dims.begin(), dims.end(), 0) > 0 || std::count(dims.begin(), dims.end(), kUnknownDim) > 1) return false;
    const ValueId source = before->inputs[0];
    const ValueId shape = graph.AddConstant(node.name + ":shape", Tensor::Of<int64_t>(Shape{static_cast<int64_t>(dims.size())}, dims));
    const ValueId out = node.outputs[0];
    const std::string name = node.name;
    graph.RemoveNode(id);
    graph.AddNodeInto(OpKind::kReshape, name, {source, shape}, {out});
    return true;
  }
  return false;
}

}  // namespace

Pass Simplify() {
  return {"simplify", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(std::vector<ir::NodeId> order, graph.TopologicalOrder());
            for (ir::NodeId id : order) {
              if (!graph.alive(id) || graph.node(id).inputs.empty()) continue;
              const ValueId out = graph.node(id).outputs[0];
              MergeWithProducer(graph, id);
              const Node* node = graph.Producer(out);  // itself, or what it was merged into
              if (node == nullptr || !KeepsElementsInPlace(graph, *node)) continue;
              const ValueId in = node->inputs[0];
              // A model output must stay a value of its own when it would become an input, a constant or a second name of one value.
              if (graph.IsOutput(out) && (graph.IsInput(in) || graph.IsConstant(in) || graph.IsOutput(in))) continue;
              graph.ReplaceUses(out, in);
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
