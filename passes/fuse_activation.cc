#include <cmath>
#include <limits>

#include "base/status.h"
#include "ir/op.h"
#include "passes/constants.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

struct Clamp {
  float low;
  float high;
};

std::optional<float> Bound(const Graph& graph, const Node& clip, size_t input, float fallback) {
  if (clip.inputs.size() <= input || clip.inputs[input] == kNoValue) return fallback;
  const std::optional<double> value = ScalarConstant(graph, clip.inputs[input]);
  if (!value || std::isnan(*value)) return std::nullopt;
  return static_cast<float>(*value);
}

std::optional<Clamp> ClampOf(const Graph& graph, const Node& node) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (node.op == OpKind::kRelu) return Clamp{0.0f, kInfinity};
  if (node.op != OpKind::kClip) return std::nullopt;
  const std::optional<float> low = Bound(graph, node, 1, -kInfinity);
  const std::optional<float> high = Bound(graph, node, 2, kInfinity);
  if (!low || !high || *low > *high) return std::nullopt;
  return Clamp{*low, *high};
}

bool TakesClamp(const Graph& graph, const Node& node) {
  switch (node.op) {
    case OpKind::kConv:
    case OpKind::kDense:
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul: return graph.value(node.outputs[0]).type.dtype == DType::kFloat32;
    default: return false;
  }
}

}  // namespace

Pass FuseActivation() {
  return {"fuse_activation", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(std::vector<NodeId> order, graph.TopologicalOrder());
            for (NodeId id : order) {
              const Node& act = graph.node(id);
              const std::optional<Clamp> clamp = ClampOf(graph, act);
              if (!clamp) continue;
              const Node* before = graph.Producer(act.inputs[0]);
              if (before == nullptr || !TakesClamp(graph, *before) || graph.OnlyUser(act.inputs[0]) == nullptr) continue;
              const float low = std::max(clamp->low, before->attrs.Float("act_min", clamp->low));
              const float high = std::min(clamp->high, before->attrs.Float("act_max", clamp->high));
              if (low > high) continue;
              const NodeId target = before->id;
              if (std::isfinite(low)) graph.SetAttr(target, "act_min", low);
              if (std::isfinite(high)) graph.SetAttr(target, "act_max", high);
              const ValueId from = act.outputs[0];
              const ValueId to = act.inputs[0];
              graph.RemoveNode(id);
              graph.ReplaceUses(from, to);
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
