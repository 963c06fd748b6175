// What an operator is: arity, shape inference and reference meaning, one row of ops/ops.inc each. Floor 2.
//
// Infer and Eval of an operator live together in ops/<family>.cc. Semantics are those of the newest ONNX version that omkit
// knows; importers rewrite older forms (see docs of each family for its canonical attributes).
#ifndef OMKIT_IR_OP_H_
#define OMKIT_IR_OP_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "ir/graph.h"

namespace omkit::ir {

// Properties of an operator that passes and backends may rely on.
enum OpTrait : uint32_t {
  kNoTrait = 0,
  // Output elements are input 0's elements, moved or repeated: Eval copies bytes of any dtype, quantized or not.
  kMovement = 1u << 0,
  // Each output element is a function of the one element at the same place of input 0 (further inputs are constants).
  kUnary = 1u << 1,
  // Numpy broadcasting over all inputs.
  kBroadcast = 1u << 2,
  // Eval itself implements the integer contract of base/quant.h when its inputs are quantized. Operators without this trait
  // are evaluated on dequantized values and their results quantized.
  kIntegerEval = 1u << 3,
  // f(x) is non-decreasing and keeps quantization parameters (MaxPool, Relu without range change): usable on raw integers.
  kOrderPreserving = 1u << 4,
  // Takes the narrow types of base/narrow.h although it is no kMovement. InferNode refuses them for all other operators.
  kNarrowTypes = 1u << 5,
};

// What shape inference sees of a node. Input types have a dtype; dims may be kUnknownDim.
class InferContext {
 public:
  InferContext(const Graph& graph, const Node& node) : graph_(graph), node_(node), outputs_(node.outputs.size()) {}
  const Node& node() const { return node_; }
  const Attrs& attrs() const { return node_.attrs; }
  int num_inputs() const { return static_cast<int>(node_.inputs.size()); }
  int num_outputs() const { return static_cast<int>(node_.outputs.size()); }
  bool has_input(int i) const { return i < num_inputs() && node_.inputs[i] != kNoValue; }
  const TensorType& input(int i) const { return graph_.value(node_.inputs[i]).type; }
  const Shape& shape(int i) const { return input(i).shape; }
  DType dtype(int i) const { return input(i).dtype; }
  // nullptr when the input is absent or not a constant.
  const Tensor* constant(int i) const { return graph_.ConstantInput(node_, i); }
  // What the graph knows of output `i` before inference: its quantization parameters, when a pass has set them.
  const TensorType& known_output(int i) const { return graph_.value(node_.outputs[i]).type; }
  // Elements of a constant integer input; an error that names the input when it is not constant.
  absl::StatusOr<std::vector<int64_t>> ConstantInts(int i) const;

  void SetOutput(int i, DType dtype, Shape shape) { outputs_[i] = TensorType{dtype, std::move(shape), {}, Layout::kPlain}; }
  const std::vector<TensorType>& outputs() const { return outputs_; }

 private:
  const Graph& graph_;
  const Node& node_;
  std::vector<TensorType> outputs_;
};

// What an evaluation sees: input tensors (nullptr when absent) and outputs that are allocated with their final types.
struct EvalContext {
  const Attrs& attrs;
  absl::Span<const Tensor* const> inputs;
  absl::Span<Tensor* const> outputs;
  absl::Span<const std::shared_ptr<const Graph>> bodies = {};  // Node::bodies

  bool has_input(int i) const { return i < static_cast<int>(inputs.size()) && inputs[i] != nullptr; }
  const Tensor& input(int i) const { return *inputs[i]; }
  Tensor& output(int i) const { return *outputs[i]; }
  int num_inputs() const { return static_cast<int>(inputs.size()); }
  int num_outputs() const { return static_cast<int>(outputs.size()); }
};

struct OpDef {
  const char* name;
  int min_inputs, max_inputs;  // max -1: any number
  int min_outputs, max_outputs;
  uint32_t traits;
  // Sets every output type from input types, attributes and constant inputs; checks everything Eval relies on.
  absl::Status (*infer)(InferContext&);
  // Computes the outputs. Types have passed infer.
  absl::Status (*eval)(const EvalContext&);

  bool Is(OpTrait trait) const { return (traits & trait) != 0; }
};

const OpDef& Def(OpKind op);
absl::Span<const OpDef> AllOps();

// Infers the outputs of one node, given the types of its inputs, and stores them in the graph. An output that already carries
// quantization keeps its dtype, parameters and layout; its shape must agree. Errors name the node.
absl::Status InferNode(Graph& graph, NodeId id);
// InferNode for every node in topological order.
absl::Status InferGraph(Graph& graph);

// Runs the reference meaning of one operator on tensors. Applies the generic rule for quantized tensors when the operator has no
// integer meaning of its own. Output tensors must be allocated with their types.
absl::Status EvalOp(OpKind op, const EvalContext& context);

}  // namespace omkit::ir

#endif  // OMKIT_IR_OP_H_
