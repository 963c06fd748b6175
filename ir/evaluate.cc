#include "ir/evaluate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"

namespace omkit::ir {
namespace {

class Interpreter : public Evaluator {
 public:
  Interpreter(const Graph& graph, std::vector<NodeId> order, absl::Span<const ValueId> watched)
      : graph_(graph), order_(std::move(order)), watched_(graph.num_values(), false) {
    for (ValueId v : watched) watched_[v] = true;
    for (ValueId v : graph.outputs()) watched_[v] = true;
    CountReaders();
  }

  absl::Status Run(absl::Span<const Tensor> inputs, const ObserveFn& observe) override {
    if (inputs.size() != graph_.inputs().size()) {
      return absl::InvalidArgumentError(absl::StrCat("the graph has ", graph_.inputs().size(), " inputs, ", inputs.size(), " were given"));
    }
    std::vector<Tensor> values(graph_.num_values());
    std::vector<int> readers = readers_;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Value& declared = graph_.value(graph_.inputs()[i]);
      if (inputs[i].dtype() != declared.type.dtype || inputs[i].shape() != declared.type.shape) {
        return absl::InvalidArgumentError(
            absl::StrCat("input '", declared.name, "' is ", declared.type.ToString(), ", got ", inputs[i].type().ToString()));
      }
      values[graph_.inputs()[i]] = inputs[i].WithType(declared.type);
      if (watched_[graph_.inputs()[i]]) observe(graph_.inputs()[i], values[graph_.inputs()[i]]);
    }
    for (NodeId id : order_) OMKIT_RETURN_IF_ERROR(RunNode(graph_.node(id), values, readers, observe));
    for (ValueId v : graph_.outputs()) {
      if (graph_.IsConstant(v)) observe(v, graph_.value(v).constant);
    }
    return absl::OkStatus();
  }

 private:
  void CountReaders() {
    readers_.assign(graph_.num_values(), 0);
    for (NodeId id : order_) {
      for (ValueId v : graph_.node(id).inputs) {
        if (v != kNoValue) ++readers_[v];
      }
    }
  }

  absl::Status RunNode(const Node& node, std::vector<Tensor>& values, std::vector<int>& readers, const ObserveFn& observe) {
    std::vector<const Tensor*> inputs;
    for (ValueId v : node.inputs) {
      inputs.push_back(v == kNoValue ? nullptr : graph_.IsConstant(v) ? &graph_.value(v).constant : &values[v]);
    }
    std::vector<Tensor*> outputs;
    for (ValueId v : node.outputs) {
      auto allocated = Tensor::Allocate(graph_.value(v).type);
      if (!allocated.ok()) return Annotate(allocated.status(), Describe(node));
      values[v] = *std::move(allocated);
      outputs.push_back(&values[v]);
    }
    OMKIT_RETURN_IF_ERROR(Annotate(EvalOp(node.op, {node.attrs, inputs, outputs, node.bodies}), Describe(node)));
    for (ValueId v : node.outputs) {
      if (watched_[v]) observe(v, values[v]);
    }
    for (ValueId v : node.inputs) {
      if (v != kNoValue && --readers[v] == 0) values[v] = Tensor();
    }
    return absl::OkStatus();
  }

  const Graph& graph_;
  std::vector<NodeId> order_;
  std::vector<bool> watched_;
  std::vector<int> readers_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Evaluator>> MakeInterpreter(const Graph& graph, absl::Span<const ValueId> watched) {
  OMKIT_ASSIGN_OR_RETURN(std::vector<NodeId> order, graph.TopologicalOrder());
  return std::unique_ptr<Evaluator>(new Interpreter(graph, std::move(order), watched));
}

absl::StatusOr<std::vector<Tensor>> Interpret(const Graph& graph, absl::Span<const Tensor> inputs) {
  OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<Evaluator> interpreter, MakeInterpreter(graph, {}));
  std::vector<Tensor> outputs(graph.outputs().size());
  OMKIT_RETURN_IF_ERROR(interpreter->Run(inputs, [&](ValueId v, const Tensor& t) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (graph.outputs()[i] == v) outputs[i] = t.Clone();
    }
  }));
  return outputs;
}

}  // namespace omkit::ir
