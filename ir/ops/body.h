// Subgraphs of control flow: their shape inference and their interpretation. Floor 2.
//
// A body is a graph whose inputs have no fixed types: every use infers them anew. Interpretation goes node by node and infers each node from
// the tensors that are there, so shapes may depend on data and change from one iteration to the next.
#ifndef OMKIT_IR_OPS_BODY_H_
#define OMKIT_IR_OPS_BODY_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/graph.h"
#include "ir/op.h"

namespace omkit::ir {

// Types of the body's outputs. `constants` has one entry per input: nullptr, or its tensor when it is known.
absl::StatusOr<std::vector<TensorType>> InferBody(const Graph& body, absl::Span<const TensorType> inputs, absl::Span<const Tensor* const> constants);

// Runs one body any number of times.
class BodyRunner {
 public:
  static absl::StatusOr<std::unique_ptr<BodyRunner>> Make(const Graph& body);
  absl::StatusOr<std::vector<Tensor>> Run(absl::Span<const Tensor> inputs);

 private:
  std::unique_ptr<Graph> graph_;  // values of a run are its constants
  std::vector<NodeId> order_;
};

// Runs an If, Loop or Scan; inputs may be nullptr where they are optional. The shapes of the results depend on the data.
absl::StatusOr<std::vector<Tensor>> RunControl(OpKind op, const Attrs& attrs, absl::Span<const std::shared_ptr<const Graph>> bodies,
                                               absl::Span<const Tensor* const> inputs, int num_outputs);

inline bool IsControl(OpKind op) { return op == OpKind::kIf || op == OpKind::kLoop || op == OpKind::kScan; }

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
