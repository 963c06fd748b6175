// Subgraphs of control flow: their shape inference and their interpretation. Floor 2.
//
// A body is a graph whose inputs have no fixed types: every use infers them anew. Interpretation goes node by node and infers each node from
// the tensors that are there, so shapes may depend on data and change from one iteration to the next.
#ifndef OMKIT_IR_OPS_BODY_H_
#define OMKIT_IR_OPS_BODY_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/graph.h"
#include "ir/op.h"

namespace omkit::ir {

// Types of the body's outputs. `constants` has one entry per input: nullptr, or its tensor when it is known.
absl::StatusOr<std::vector<TensorType>> InferBody(const Graph& body, absl::Span<const TensorType> inputs, absl::Span<const Tensor* const> constants);

// What is left to spend on a control node, by it and by all that its bodies run; ends loops whose condition never turns false.
struct RunBudget {
  int64_t iterations = int64_t{1} << 27;
  int64_t bytes = std::numeric_limits<int64_t>::max();  // of what iterations deliver
};

// Runs one body any number of times.
class BodyRunner {
 public:
  static absl::StatusOr<std::unique_ptr<BodyRunner>> Make(const Graph& body);
  absl::StatusOr<std::vector<Tensor>> Run(absl::Span<const Tensor> inputs, RunBudget& budget);

 private:
  std::unique_ptr<Graph> graph_;  // values of a run are its constants
  std::vector<NodeId> order_;
};

// Runs an If, Loop or Scan; inputs may be nullptr where they are optional. The shapes of the results depend on the data.
// RESOURCE_EXHAUSTED when the budget is spent.
absl::StatusOr<std::vector<Tensor>> RunControl(OpKind op, const Attrs& attrs, absl::Span<const std::shared_ptr<const Graph>> bodies,
                                               absl::Span<const Tensor* const> inputs, int num_outputs, RunBudget& budget);

// The results of a control node whose inputs are all known. Nothing when they take long to find or much memory: such a node runs with the
// model.
absl::StatusOr<std::optional<std::vector<Tensor>>> FoldControl(const Node& node, absl::Span<const Tensor* const> inputs);

inline bool IsControl(OpKind op) { return op == OpKind::kIf || op == OpKind::kLoop || op == OpKind::kScan; }

// Whether the node has the inputs and outputs that its bodies and attributes speak of.
absl::Status CheckControl(const Node& node);

// How Scan reads and writes its sequences; axes and directions have one entry per scan input and output, filled with 0 where left out.
struct ScanForm {
  int states = 0;
  int scans = 0;
  int scan_outputs = 0;
  std::vector<int64_t> input_axes, input_directions, output_axes, output_directions;
};
absl::StatusOr<ScanForm> ReadScanForm(const Attrs& attrs, int num_inputs, int num_outputs);

// `x` at position `index` of an axis, without that axis; and the inverse.
absl::StatusOr<Tensor> SliceOf(const Tensor& x, int axis, int64_t index);
absl::StatusOr<Tensor> Stack(absl::Span<const Tensor> slices, int axis);

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_BODY_H_
