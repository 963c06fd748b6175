#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/body.h"
#include "passes/control_flow.h"
#include "passes/shape_values.h"
#include "passes/shapes.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::ValueId;

// A fold may not make a model much larger than its file: a chain of Concat or Expand over a small constant can.
constexpr int64_t kMaxFoldedBytes = int64_t{256} << 20;

bool DescribesStaticShape(const Graph& graph, const Node& node) {
  return (node.op == ir::OpKind::kShape || node.op == ir::OpKind::kSize) && graph.value(node.inputs[0]).type.shape.IsStatic();
}

bool IsQuantized(const Graph& graph, ValueId v) { return v != ir::kNoValue && graph.value(v).type.quantized(); }

bool AllInputsConstant(const Graph& graph, const Node& node) {
  // The integers of a quantized constant are wanted by frontends/qdq.
  if (node.op == ir::OpKind::kDequantizeLinear) return false;
  // In a network that is quantized already, only what computes shapes is folded.
  for (const std::vector<ValueId>* values : {&node.inputs, &node.outputs}) {
    if (std::any_of(values->begin(), values->end(), [&](ValueId v) { return IsQuantized(graph, v); })) return false;
  }
  for (ValueId v : node.inputs) {
    if (v != ir::kNoValue && !graph.IsConstant(v)) return false;
  }
  return !node.inputs.empty();
}

// False for control flow that runs too long to be folded.
absl::StatusOr<bool> Fold(const Node& node, int64_t* folded_bytes, Graph& graph) {
  std::vector<Tensor> shape_only(node.inputs.size());
  std::vector<const Tensor*> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    if (v != ir::kNoValue && !graph.IsConstant(v)) {
      // Shape and Size read the type only.
      static uint8_t no_bytes = 0;
      shape_only[i] = Tensor::View(graph.value(v).type, &no_bytes);
      inputs.push_back(&shape_only[i]);
    } else {
      inputs.push_back(v == ir::kNoValue ? nullptr : &graph.value(v).constant);
    }
  }
  std::vector<Tensor> results(node.outputs.size());
  std::vector<Tensor*> outputs;
  if (ir::IsControl(node.op)) {
    OMKIT_ASSIGN_OR_RETURN(std::optional<std::vector<Tensor>> folded, ir::FoldControl(node, inputs));
    if (!folded) return false;
    results = *std::move(folded);
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const TensorType& type = results[i].defined() ? results[i].type() : graph.value(node.outputs[i]).type;
    OMKIT_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(type.shape.dims()));
    *folded_bytes += elements * static_cast<int64_t>(SizeOf(type.dtype));
    if (*folded_bytes > kMaxFoldedBytes) {
      return absl::ResourceExhaustedError(absl::StrCat("constant subgraphs expand to more than ", kMaxFoldedBytes >> 20, " MiB"));
    }
    if (results[i].defined()) continue;
    OMKIT_ASSIGN_OR_RETURN(results[i], Tensor::Allocate(type));
    outputs.push_back(&results[i]);
  }
  if (!ir::IsControl(node.op)) OMKIT_RETURN_IF_ERROR(ir::EvalOp(node.op, {node.attrs, inputs, outputs, node.bodies}));
  const std::vector<ValueId> values = node.outputs;
  graph.RemoveNode(node.id);
  for (size_t i = 0; i < values.size(); ++i) graph.SetConstant(values[i], std::move(results[i]));
  return true;
}

// Infers and folds until a control node turns out to be decided: true, then the graph has changed.
absl::StatusOr<bool> InferRound(OpenDims open, Graph& graph, int64_t* folded_bytes) {
  ShapeValues known(graph);
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph.TopologicalOrder());
  for (ir::NodeId id : order) {
    if (ir::IsControl(graph.node(id).op)) {
      const std::string who = Describe(graph.node(id));
      absl::StatusOr<bool> expanded = ExpandControl(graph, id);
      if (!expanded.ok()) return Annotate(expanded.status(), who);
      if (*expanded) return true;
    }
    if (open == OpenDims::kKeep) known.FixReshape(id, graph);
    OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, id));
    const Node& node = graph.node(id);
    if (open == OpenDims::kKeep) known.Visit(node);
    const std::string who = Describe(node);
    if (AllInputsConstant(graph, node) || DescribesStaticShape(graph, node)) {
      const absl::StatusOr<bool> folded = Fold(node, folded_bytes, graph);
      if (!folded.ok()) return Annotate(folded.status(), who);
      if (*folded) continue;
    }
    for (ValueId v : node.outputs) {
      const TensorType& type = graph.value(v).type;
      if (!type.shape.IsStatic()) {
        if (open == OpenDims::kKeep) continue;
        return absl::UnimplementedError(
            absl::StrCat(who, ": the shape of output '", graph.value(v).name, "' is ", type.shape.ToString(),
                         " and depends on data; only static shapes are compiled",
                         node.op == ir::OpKind::kImageDecoder ? ". Declare the size of the pictures in the model, as the shape of this output" : ""));
      }
      OMKIT_RETURN_IF_ERROR(Annotate(CheckedElements(type.shape.dims()).status(), who));
    }
  }
  return false;
}

}  // namespace

Pass InferShapes(OpenDims open) {
  return {"infer_shapes", [open](Graph& graph) -> absl::Status {
            int64_t folded_bytes = 0;
            // Nodes that replace a decided If or a short Loop are inferred in a round of their own.
            for (bool expanded = true; expanded;) {
              OMKIT_ASSIGN_OR_RETURN(expanded, InferRound(open, graph, &folded_bytes));
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
