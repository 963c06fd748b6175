// A graph as text for people: dumps between passes, golden tests, error reports. Floor 2.
#ifndef OMKIT_IR_TEXT_H_
#define OMKIT_IR_TEXT_H_

#include <string>

#include "ir/graph.h"

namespace omkit::ir {

// One line per input, node and output, nodes in topological order; constants appear with their type where they are read:
//   graph 'resnet50' (resnet50.onnx, opset 17)
//   input  x: float32 1x3x224x224
//   node   'conv1' Conv(x, conv1.w [int8 64x3x7x7 64 scales on axis 0]) -> conv1: uint8 1x64x112x112 scale 0.02 zero 3 {pads=[3,3,3,3]}
//   output y
// The text depends on the graph only, never on memory addresses. A graph with a cycle is printed in node order, and says so.
std::string ToText(const Graph& graph);

// One node's line, without the newline.
std::string ToText(const Graph& graph, const Node& node);

}  // namespace omkit::ir

#endif  // OMKIT_IR_TEXT_H_
