// One operator as bytes: what a reference step carries as its parameters. Lower writes them, the run side reads them back; both
// are in backends/reference. Floor 4.
#ifndef OMKIT_BACKENDS_REFERENCE_NODE_CODEC_H_
#define OMKIT_BACKENDS_REFERENCE_NODE_CODEC_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/graph.h"

namespace omkit::reference {

// The node with the types of its inputs and outputs. Constants are operands of the step, not part of the bytes.
struct NodeSpec {
  ir::OpKind op = ir::OpKind::kIdentity;
  ir::Attrs attrs;
  struct Input {
    bool present = false;
    bool constant = false;
    TensorType type;
  };
  std::vector<Input> inputs;
  std::vector<TensorType> outputs;
  std::vector<std::shared_ptr<const ir::Graph>> bodies;
};

std::string EncodeNode(const NodeSpec& spec);
// Reads bytes that may be hostile: errors on truncation, trailing bytes, unknown operators and counts beyond the bytes left.
absl::StatusOr<NodeSpec> DecodeNode(absl::string_view bytes);

}  // namespace omkit::reference

#endif  // OMKIT_BACKENDS_REFERENCE_NODE_CODEC_H_
