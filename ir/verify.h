// Checks that a graph keeps the rules every stage relies on; the pass manager calls it after each pass. Floor 2.
#ifndef OMKIT_IR_VERIFY_H_
#define OMKIT_IR_VERIFY_H_

#include "absl/status/status.h"
#include "ir/graph.h"

namespace omkit::ir {

enum class VerifyTypes {
  kMayBeUnknown,  // before shape inference a value may have no dtype
  kKnown,         // every value that a live node reads or writes has a dtype
  kStatic,        // ... and no dimension is kUnknownDim
};

// Structure: value ids exist, every value has at most one producer and both ends of that link agree, arity is within the operator's
// row, no cycles, graph inputs have no producer, every value that is read is produced, an input or a constant.
// Types: constants have their value's type, quantization parameters are valid for dtype and shape, sizes are in range.
// INTERNAL, naming the node and the value: a broken graph is a fault of the stage that made it.
absl::Status Verify(const Graph& graph, VerifyTypes types = VerifyTypes::kMayBeUnknown);

}  // namespace omkit::ir

#endif  // OMKIT_IR_VERIFY_H_
