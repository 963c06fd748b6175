#include "frontends/qdq/absorb.h"

#include "base/status.h"
#include "frontends/qdq/rewrite.h"
#include "ir/op.h"

namespace omkit::frontends {

using ir::OpKind;

bool CarriesQuantization(const ir::Graph& graph) {
  const auto order = graph.TopologicalOrder();
  if (!order.ok()) return false;
  for (ir::NodeId id : *order) {
    const OpKind op = graph.node(id).op;
    if (op == OpKind::kQuantizeLinear || op == OpKind::kDequantizeLinear) return true;
  }
  return false;
}

absl::Status AbsorbFused(ir::Graph& graph) {
  OMKIT_RETURN_IF_ERROR(qdq::RewritePointwise(graph));
  OMKIT_RETURN_IF_ERROR(qdq::MoveBorders(graph));
  OMKIT_RETURN_IF_ERROR(qdq::AbsorbProducts(graph));
  OMKIT_RETURN_IF_ERROR(qdq::AbsorbPointwise(graph));
  graph.Sweep();
  return ir::InferGraph(graph);
}

absl::StatusOr<bool> AbsorbQdq(ir::Graph& graph, WeightOnlyLayers weight_only) {
  if (!CarriesQuantization(graph)) return false;
  OMKIT_RETURN_IF_ERROR(qdq::LiftLinearNodes(graph));
  OMKIT_RETURN_IF_ERROR(ir::InferGraph(graph));
  OMKIT_RETURN_IF_ERROR(qdq::MoveBorders(graph));
  OMKIT_RETURN_IF_ERROR(qdq::AbsorbLayers(graph, weight_only == WeightOnlyLayers::kKeepInt8Weights));
  OMKIT_RETURN_IF_ERROR(AbsorbFused(graph));
  OMKIT_RETURN_IF_ERROR(qdq::FoldConstantBorders(graph));
  graph.Sweep();
  OMKIT_RETURN_IF_ERROR(ir::InferGraph(graph));
  return true;
}

}  // namespace omkit::frontends
