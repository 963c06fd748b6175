#include "backends/reference/node_codec.h"
#include "backends/reference/reference.h"
#include "base/status.h"

namespace omkit::reference {
namespace {

class Reference : public Backend {
 public:
  const char* name() const override { return "reference"; }
  bool Supports(const ir::Graph&, const ir::Node&) const override { return true; }
  bool SupportsInt8(const ir::Graph&, const ir::Node&) const override { return true; }

  absl::Status Lower(const ir::Node& node, ProgramBuilder& builder) const override {
    NodeSpec spec;
    spec.op = node.op;
    spec.attrs = node.attrs;
    spec.bodies = node.bodies;
    std::vector<BlockId> operands;
    // Places are whole blocks here: the interpreter reads from the start of its operands.
    for (ir::ValueId v : node.inputs) {
      NodeSpec::Input input;
      if (v != ir::kNoValue) {
        input = {true, builder.graph().IsConstant(v), builder.type(v)};
        OMKIT_ASSIGN_OR_RETURN(const Place place, builder.WholeBlock(v));
        operands.push_back(place.block);
      }
      spec.inputs.push_back(std::move(input));
    }
    for (ir::ValueId v : node.outputs) {
      spec.outputs.push_back(builder.type(v));
      operands.push_back(builder.NewPlain(v).block);
    }
    builder.AddStepBytes(node.name, ir::OpName(node.op), kKernel, EncodeNode(spec), std::move(operands), 0);
    return absl::OkStatus();
  }
};

}  // namespace

const Backend& ReferenceBackend() {
  static const auto* const backend = new Reference;
  return *backend;
}

}  // namespace omkit::reference
