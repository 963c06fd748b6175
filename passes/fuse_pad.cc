#include "base/status.h"
#include "ir/op.h"
#include "passes/constants.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;

// Pads of a zero-valued constant Pad over the spatial dimensions only, in ONNX order (begins then ends); empty otherwise.
std::vector<int64_t> SpatialZeroPads(const Graph& graph, const Node& pad) {
  const int rank = graph.value(pad.inputs[0]).type.shape.rank();
  if (pad.op != OpKind::kPad || pad.attrs.String("mode", "constant") != "constant" || rank < 3) return {};
  if (pad.inputs.size() > 2 && pad.inputs[2] != ir::kNoValue && ScalarConstant(graph, pad.inputs[2]) != 0.0) return {};
  if (pad.inputs.size() > 3 && pad.inputs[3] != ir::kNoValue) return {};
  const Tensor* t = graph.ConstantInput(pad, 1);
  if (t == nullptr || t->elements() != 2 * rank) return {};
  std::vector<int64_t> spatial;
  for (int side = 0; side < 2; ++side) {
    for (int i = 0; i < rank; ++i) {
      const int64_t p = IntegerAt(*t, side * rank + i);
      if (p < 0 || (i < 2 && p != 0)) return {};
      if (i >= 2) spatial.push_back(p);
    }
  }
  return spatial;
}

bool TakesPads(const Node& node) {
  const std::string auto_pad = node.attrs.String("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return false;
  if (node.op == OpKind::kConv) return true;
  return node.op == OpKind::kAveragePool && node.attrs.Int("count_include_pad", 0) != 0 && node.attrs.Int("ceil_mode", 0) == 0;
}

}  // namespace

Pass FusePad() {
  return {"fuse_pad", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(std::vector<ir::NodeId> order, graph.TopologicalOrder());
            for (ir::NodeId id : order) {
              const Node& node = graph.node(id);
              const Node* pad = node.inputs.empty() ? nullptr : graph.Producer(node.inputs[0]);
              if (pad == nullptr || !TakesPads(node)) continue;
              const std::vector<int64_t> extra = SpatialZeroPads(graph, *pad);
              if (extra.empty()) continue;
              std::vector<int64_t> pads = node.attrs.Ints("pads", std::vector<int64_t>(extra.size(), 0));
              if (pads.size() != extra.size()) continue;
              for (size_t i = 0; i < pads.size(); ++i) pads[i] += extra[i];
              graph.SetInput(id, 0, pad->inputs[0]);
              graph.SetAttr(id, "pads", pads);
              graph.SetAttr(id, "auto_pad", std::string("NOTSET"));
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
