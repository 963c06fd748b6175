#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/constants.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::OpKind;
using ir::ValueId;

// w[K,N] (or w[N,K] when already transposed) times `factor` as Dense's w[N,K].
ValueId DenseWeights(Graph& graph, absl::string_view name, const Tensor& w, bool transposed, float factor) {
  const int64_t n = w.shape().dim(transposed ? 0 : 1);
  const int64_t k = w.shape().dim(transposed ? 1 : 0);
  std::vector<float> values(n * k);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < k; ++j) values[i * k + j] = factor * w.data<float>()[transposed ? i * k + j : j * n + i];
  }
  return AddFloats(graph, absl::StrCat(name, ":weight"), Shape{n, k}, values);
}

bool IsFloatMatrix(const Tensor* t) { return t != nullptr && t->dtype() == DType::kFloat32 && t->shape().rank() == 2 && t->elements() > 0; }

void GemmToDense(Graph& graph, const Node& node) {
  const Tensor* b = graph.ConstantInput(node, 1);
  if (!IsFloatMatrix(b) || node.attrs.Int("transA", 0) != 0) return;
  const bool transposed = node.attrs.Int("transB", 0) != 0;
  const int64_t n = b->shape().dim(transposed ? 0 : 1);
  ValueId bias = kNoValue;
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    std::optional<std::vector<float>> c = ChannelConstant(graph, node.inputs[2], 2, 1, n);
    if (!c) return;
    for (float& v : *c) v *= node.attrs.Float("beta", 1.0f);
    bias = AddFloats(graph, absl::StrCat(node.name, ":bias"), Shape{n}, *c);
  }
  const ValueId w = DenseWeights(graph, node.name, *b, transposed, node.attrs.Float("alpha", 1.0f));
  std::vector<ValueId> inputs = {node.inputs[0], w};
  if (bias != kNoValue) inputs.push_back(bias);
  const std::string name = node.name;
  const ValueId out = node.outputs[0];
  graph.RemoveNode(node.id);
  graph.AddNodeInto(OpKind::kDense, name, inputs, {out});
}

void MatMulToDense(Graph& graph, const Node& node) {
  const Tensor* b = graph.ConstantInput(node, 1);
  if (!IsFloatMatrix(b) || graph.value(node.inputs[0]).type.shape.rank() < 2) return;
  if (graph.value(node.inputs[0]).type.dtype != DType::kFloat32) return;
  const ValueId w = DenseWeights(graph, node.name, *b, /*transposed=*/false, 1.0f);
  const std::string name = node.name;
  const ValueId in = node.inputs[0];
  const ValueId out = node.outputs[0];
  graph.RemoveNode(node.id);
  graph.AddNodeInto(OpKind::kDense, name, {in, w}, {out});
}

}  // namespace

Pass FormDense() {
  return {"form_dense", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(std::vector<ir::NodeId> order, graph.TopologicalOrder());
            for (ir::NodeId id : order) {
              if (graph.node(id).op == OpKind::kGemm) GemmToDense(graph, Node(graph.node(id)));
              else if (graph.node(id).op == OpKind::kMatMul) MatMulToDense(graph, Node(graph.node(id)));
            }
            return ir::InferGraph(graph);
          }};
}

}  // namespace omkit::passes
