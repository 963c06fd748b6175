#include "ir/ops/body.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::ir {
namespace {

// Folding while a body is inferred serves shapes; larger tensors are data.
constexpr int64_t kMaxFoldedElements = 65536;

bool CanFold(const Graph& graph, const Node& node) {
  const bool reads_shape = node.op == OpKind::kShape || node.op == OpKind::kSize;
  if (reads_shape) return graph.value(node.inputs[0]).type.shape.IsStatic();
  for (ValueId v : node.inputs) {
    if (v != kNoValue && !graph.IsConstant(v)) return false;
  }
  for (ValueId v : node.outputs) {
    const Shape& shape = graph.value(v).type.shape;
    if (!shape.IsStatic() || !CheckedElements(shape.dims()).ok() || shape.elements() > kMaxFoldedElements) return false;
  }
  return true;
}

// Nothing for control flow that is not worth folding.
absl::StatusOr<std::optional<std::vector<Tensor>>> Evaluate(const Graph& graph, const Node& node) {
  std::vector<Tensor> shape_only(node.inputs.size());
  std::vector<const Tensor*> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    if (v != kNoValue && !graph.IsConstant(v)) {
      static uint8_t no_bytes = 0;
      shape_only[i] = Tensor::View(graph.value(v).type, &no_bytes);
      inputs.push_back(&shape_only[i]);
    } else {
      inputs.push_back(v == kNoValue ? nullptr : &graph.value(v).constant);
    }
  }
  if (IsControl(node.op)) return FoldControl(node, inputs);
  std::vector<Tensor> results(node.outputs.size());
  std::vector<Tensor*> outputs;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(results[i], Tensor::Allocate(graph.value(node.outputs[i]).type));
    outputs.push_back(&results[i]);
  }
  OMKIT_RETURN_IF_ERROR(EvalOp(node.op, {node.attrs, inputs, outputs, node.bodies}));
  return results;
}

absl::Status InferAndFold(Graph& graph, NodeId id) {
  OMKIT_RETURN_IF_ERROR(InferNode(graph, id));
  const Node& node = graph.node(id);
  if (!CanFold(graph, node)) return absl::OkStatus();
  absl::StatusOr<std::optional<std::vector<Tensor>>> results = Evaluate(graph, node);
  if (!results.ok()) return Annotate(results.status(), Describe(node));
  if (!*results) return absl::OkStatus();
  const std::vector<ValueId> outputs = node.outputs;
  for (size_t i = 0; i < outputs.size(); ++i) graph.SetConstant(outputs[i], std::move((**results)[i]));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TensorType>> InferBody(const Graph& body, absl::Span<const TensorType> inputs, absl::Span<const Tensor* const> constants) {
  if (inputs.size() != body.inputs().size()) {
    return absl::InvalidArgumentError(absl::StrCat("the body has ", body.inputs().size(), " inputs, ", inputs.size(), " are given"));
  }
  std::unique_ptr<Graph> graph = body.Clone();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (constants[i] != nullptr) graph->SetConstant(graph->inputs()[i], *constants[i]);
    else graph->SetType(graph->inputs()[i], inputs[i]);
  }
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph->TopologicalOrder());
  for (NodeId id : order) OMKIT_RETURN_IF_ERROR(InferAndFold(*graph, id));
  std::vector<TensorType> outputs;
  for (ValueId v : graph->outputs()) outputs.push_back(graph->value(v).type);
  return outputs;
}

absl::StatusOr<std::unique_ptr<BodyRunner>> BodyRunner::Make(const Graph& body) {
  auto runner = std::make_unique<BodyRunner>();
  runner->graph_ = body.Clone();
  OMKIT_ASSIGN_OR_RETURN(runner->order_, runner->graph_->TopologicalOrder());
  return runner;
}

absl::StatusOr<std::vector<Tensor>> BodyRunner::Run(absl::Span<const Tensor> inputs, RunBudget& budget) {
  Graph& graph = *graph_;
  if (inputs.size() != graph.inputs().size()) {
    return absl::InvalidArgumentError(absl::StrCat("the body has ", graph.inputs().size(), " inputs, ", inputs.size(), " are given"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) graph.SetConstant(graph.inputs()[i], inputs[i]);
  for (NodeId id : order_) {
    const Node& node = graph.node(id);
    std::vector<Tensor> results;
    if (IsControl(node.op)) {
      std::vector<const Tensor*> from;
      for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) from.push_back(graph.ConstantInput(node, i));
      auto done = RunControl(node.op, node.attrs, node.bodies, from, static_cast<int>(node.outputs.size()), budget);
      if (!done.ok()) return Annotate(done.status(), Describe(node));
      results = *std::move(done);
    } else {
      OMKIT_RETURN_IF_ERROR(InferNode(graph, id));
      auto done = Evaluate(graph, node);
      if (!done.ok()) return Annotate(done.status(), Describe(node));
      results = **std::move(done);
    }
    for (size_t i = 0; i < results.size(); ++i) graph.SetConstant(node.outputs[i], std::move(results[i]));
  }
  std::vector<Tensor> outputs;
  for (ValueId v : graph.outputs()) outputs.push_back(graph.value(v).constant);
  return outputs;
}

absl::StatusOr<std::optional<std::vector<Tensor>>> FoldControl(const Node& node, absl::Span<const Tensor* const> inputs) {
  RunBudget budget{4096, int64_t{64} << 20};
  absl::StatusOr<std::vector<Tensor>> results =
      RunControl(node.op, node.attrs, node.bodies, inputs, static_cast<int>(node.outputs.size()), budget);
  if (absl::IsResourceExhausted(results.status())) return std::nullopt;
  return results;
}

absl::StatusOr<Tensor> SliceOf(const Tensor& x, int axis, int64_t index) {
  std::vector<int64_t> dims = x.shape().vec();
  int64_t outer = 1, inner = static_cast<int64_t>(SizeOf(x.dtype()));
  for (int d = 0; d < axis; ++d) outer *= dims[d];
  for (size_t d = axis + 1; d < dims.size(); ++d) inner *= dims[d];
  const int64_t size = dims[axis];
  dims.erase(dims.begin() + axis);
  OMKIT_ASSIGN_OR_RETURN(Tensor slice, Tensor::Allocate(x.dtype(), Shape(std::move(dims))));
  for (int64_t o = 0; o < outer; ++o) {
    std::memcpy(static_cast<uint8_t*>(slice.mutable_raw()) + o * inner, static_cast<const uint8_t*>(x.raw()) + (o * size + index) * inner,
                static_cast<size_t>(inner));
  }
  return slice;
}

absl::StatusOr<Tensor> Stack(absl::Span<const Tensor> slices, int axis) {
  std::vector<int64_t> dims = slices[0].shape().vec();
  int64_t outer = 1, inner = static_cast<int64_t>(SizeOf(slices[0].dtype()));
  for (int d = 0; d < axis; ++d) outer *= dims[d];
  for (size_t d = axis; d < dims.size(); ++d) inner *= dims[d];
  const auto count = static_cast<int64_t>(slices.size());
  dims.insert(dims.begin() + axis, count);
  OMKIT_ASSIGN_OR_RETURN(Tensor stacked, Tensor::Allocate(slices[0].dtype(), Shape(std::move(dims))));
  for (int64_t k = 0; k < count; ++k) {
    if (slices[k].dtype() != slices[0].dtype() || slices[k].shape() != slices[0].shape()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a scan output is ", slices[k].type().ToString(), " in iteration ", k, " and ", slices[0].type().ToString(), " in the first"));
    }
    for (int64_t o = 0; o < outer; ++o) {
      std::memcpy(static_cast<uint8_t*>(stacked.mutable_raw()) + (o * count + k) * inner, static_cast<const uint8_t*>(slices[k].raw()) + o * inner,
                  static_cast<size_t>(inner));
    }
  }
  return stacked;
}

}  // namespace omkit::ir
