// The steps of AbsorbQdq, one file each, and the questions that they share. Floor 3, private to frontends/qdq.
//
// Between the steps quantization is written with the nodes Quantize and Dequantize, whose parameters are those of the tensor types:
//   lift      QuantizeLinear/DequantizeLinear -> Quantize/Dequantize
//   move      Dequantize sinks and Quantize rises through operators that only move elements, until they meet and cancel
//   layers    Dequantize -> Conv or matrix product -> per-channel arithmetic, residual, clamp -> Quantize becomes one node
//   products  the same for a matrix product of two activations
//   pointwise the same for Add, Sub, Mul, functions of one element and average pools
#ifndef OMKIT_FRONTENDS_QDQ_REWRITE_H_
#define OMKIT_FRONTENDS_QDQ_REWRITE_H_

#include <optional>

#include "absl/status/status.h"
#include "ir/graph.h"

namespace omkit::frontends::qdq {

absl::Status LiftLinearNodes(ir::Graph& graph);
absl::Status MoveBorders(ir::Graph& graph);
// `keep_weights`: layers on floats keep quantized weights as int8 too.
absl::Status AbsorbLayers(ir::Graph& graph, bool keep_weights);
absl::Status AbsorbProducts(ir::Graph& graph);
// Writes operators on dequantized values as ones that have an integer form: Div by a scalar, ReduceMean of images.
absl::Status RewritePointwise(ir::Graph& graph);
absl::Status AbsorbPointwise(ir::Graph& graph);
// Computes the Quantize and Dequantize nodes of constants that no layer took.
absl::Status FoldConstantBorders(ir::Graph& graph);

// What follows are questions; see chain.cc.

// The uint8 or int8 per-tensor value behind a Dequantize node that produces `value`; kNoValue for anything else.
ir::ValueId QuantizedSource(const ir::Graph& graph, ir::ValueId value);
// The integer constant behind a Dequantize node that produces `value`, or nullptr.
const Tensor* QuantizedConstant(const ir::Graph& graph, ir::ValueId value);

// Nodes that one operator takes over, from its result on. The readers are followed while the result has one reader only.
class Chain {
 public:
  Chain(ir::Graph& graph, ir::NodeId head) : graph_(graph), value_(graph.node(head).outputs[0]) {}
  // The float result so far.
  ir::ValueId value() const { return value_; }
  // The only reader of the result, or nullptr.
  const ir::Node* next() const { return graph_.OnlyUser(value_); }
  // Takes the reader over: its output 0 is the result now.
  void Take();
  // Takes Relu and Clip nodes with constant bounds and gives `attrs` their clamp as act_min and act_max.
  void TakeClamps(ir::Attrs* attrs);
  // Takes a Quantize to uint8 per tensor; false when none follows.
  bool TakeQuantize();
  // Removes the taken nodes; their last output has no producer then.
  void Remove();

 private:
  ir::Graph& graph_;
  ir::ValueId value_;
  std::vector<ir::NodeId> taken_;
};

}  // namespace omkit::frontends::qdq

#endif  // OMKIT_FRONTENDS_QDQ_REWRITE_H_
