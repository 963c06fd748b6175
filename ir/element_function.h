// Element functions: operators whose output elements are each a function of the one element at the same place of one variable operand, all
// else being constant: Relu, HardSwish, x * 0.5, 1 - x. Chains of them are functions too, and of 256 values a table. Floor 2.
#ifndef OMKIT_IR_ELEMENT_FUNCTION_H_
#define OMKIT_IR_ELEMENT_FUNCTION_H_

#include <array>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/graph.h"

namespace omkit::ir {

// The index of the variable operand of an element function of float32, with types inferred; -1 for other nodes.
int ElementOperand(const Graph& graph, const Node& node);

// Node, element functions, node: what lies between two quantizations.
struct ElementChain {
  NodeId dequantize = kNoNode;
  std::vector<NodeId> functions;  // in the order of execution, one or more
  NodeId quantize = kNoNode;
};

// The chain that begins at a Dequantize of uint8 per tensor, when all of its values have one reader and a Quantize to uint8 ends it. Empty
// `functions` when there is none.
ElementChain ElementChainAt(const Graph& graph, const Node& dequantize);

// What the chain makes of every 8-bit value, by the reference meaning of its nodes.
absl::StatusOr<std::array<uint8_t, 256>> TableOf(const Graph& graph, const ElementChain& chain);

}  // namespace omkit::ir

#endif  // OMKIT_IR_ELEMENT_FUNCTION_H_
