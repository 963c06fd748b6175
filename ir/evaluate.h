// The interpreter: runs a graph with the reference meaning of its operators. Floor 2.
//
// Calibration and accuracy reports need to run graphs too; they take an Evaluator so that a backend's fast kernels can stand in.
#ifndef OMKIT_IR_EVALUATE_H_
#define OMKIT_IR_EVALUATE_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/graph.h"

namespace omkit::ir {

// Called once per watched value and run; the tensor is valid during the call only.
using ObserveFn = std::function<void(ValueId, const Tensor&)>;

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  // Runs the graph on tensors for graph.inputs() in order. Values to watch are fixed when the evaluator is made.
  virtual absl::Status Run(absl::Span<const Tensor> inputs, const ObserveFn& observe) = 0;
};

// Makes an evaluator for a graph with static shapes; graph outputs are always watched too. The graph must outlive it.
using EvaluatorFactory = std::function<absl::StatusOr<std::unique_ptr<Evaluator>>(const Graph& graph, absl::Span<const ValueId> watched)>;

absl::StatusOr<std::unique_ptr<Evaluator>> MakeInterpreter(const Graph& graph, absl::Span<const ValueId> watched);

// One run of the interpreter: the graph outputs for the given inputs.
absl::StatusOr<std::vector<Tensor>> Interpret(const Graph& graph, absl::Span<const Tensor> inputs);

}  // namespace omkit::ir

#endif  // OMKIT_IR_EVALUATE_H_
