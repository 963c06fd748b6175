// The float pipeline keeps the meaning of a graph: every random network gives the same outputs before and after all fusion passes.
#include <cmath>
#include <random>

#include "backends/compile.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "tests/random_graph/random_graph.h"

namespace omkit {
namespace {

TEST(Fusion, KeepsOutputsOfRandomGraphs) {
  constexpr uint32_t kGraphs = 150;
  int nodes_before = 0, nodes_after = 0;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    SCOPED_TRACE(seed);
    std::unique_ptr<ir::Graph> graph = testing::RandomGraph(seed);
    const std::vector<Tensor> inputs = testing::RandomInputs(*graph, seed);
    const auto expected = ir::Interpret(*graph, inputs);
    ASSERT_TRUE(expected.ok()) << expected.status();
    std::vector<std::string> names;
    for (ir::ValueId v : graph->outputs()) names.push_back(graph->value(v).name);
    nodes_before += graph->CountNodes();
    const absl::Status prepared = PrepareGraph({}, *graph);
    ASSERT_TRUE(prepared.ok()) << prepared;
    nodes_after += graph->CountNodes();
    const auto actual = ir::Interpret(*graph, inputs);
    ASSERT_TRUE(actual.ok()) << actual.status();
    ASSERT_EQ(actual->size(), expected->size());
    for (size_t i = 0; i < actual->size(); ++i) {
      EXPECT_EQ(graph->value(graph->outputs()[i]).name, names[i]);
      const Tensor& a = (*actual)[i];
      const Tensor& e = (*expected)[i];
      ASSERT_EQ(a.shape(), e.shape());
      for (int64_t k = 0; k < a.elements(); ++k) {
        ASSERT_NEAR(a.data<float>()[k], e.data<float>()[k], 1e-5 + 1e-4 * std::abs(e.data<float>()[k])) << "output " << i << " element " << k;
      }
    }
  }
  EXPECT_LT(nodes_after, nodes_before);
}

// Transposed convolutions of all kinds, over one and two dimensions, those that stay as they are included: dilation, results larger than the
// kernel reaches.
TEST(Fusion, FormsConvolutionsOfTransposedOnes) {
  std::mt19937 random(5);
  const auto pick = [&](int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random); };
  const auto floats = [&](const Shape& shape) {
    Tensor t = *Tensor::Allocate(DType::kFloat32, shape);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = uniform(random);
    return t;
  };
  int formed = 0;
  for (int i = 0; i < 200; ++i) {
    SCOPED_TRACE(i);
    const int64_t groups = pick(0, 2) == 0 ? 2 : 1, stride = pick(1, 4), kh = pick(1, 5), kw = pick(1, 5);
    const bool plane = pick(0, 2) != 0;
    const auto spatial = [&](std::vector<int64_t> front, int64_t h, int64_t w) {
      if (plane) front.push_back(h);
      front.push_back(w);
      return front;
    };
    ir::Graph graph;
    const Tensor x = floats(Shape(spatial({pick(1, 2), groups * pick(1, 3)}, pick(1, 6), pick(1, 6))));
    const Tensor w = floats(Shape(spatial({x.shape().dim(1), pick(1, 3)}, kh, kw)));
    std::vector<ir::ValueId> inputs = {graph.AddInput("x", x.type()), graph.AddConstant("w", w)};
    if (pick(0, 1)) inputs.push_back(graph.AddConstant("b", floats({w.shape().dim(1) * groups})));
    ir::Attrs attrs;
    attrs.Set("group", groups);
    attrs.Set("strides", spatial({}, stride, pick(0, 9) == 0 ? pick(1, 4) : stride));
    std::vector<int64_t> pads;
    for (int side = 0; side < 2; ++side) pads = spatial(pads, pick(0, kh - 1), pick(0, kw - 1));
    attrs.Set("pads", pads);
    if (pick(0, 3) == 0) attrs.Set("output_padding", spatial({}, pick(0, stride - 1), pick(0, stride - 1)));
    if (pick(0, 9) == 0) attrs.Set("dilations", spatial({}, 2, plane ? 1 : 2));
    const ir::NodeId node = graph.AddNode(ir::OpKind::kConvTranspose, "up", inputs, attrs);
    graph.MarkOutput(graph.node(node).outputs[0]);
    if (!ir::InferGraph(graph).ok() || graph.value(graph.outputs()[0]).type.shape.elements() == 0) continue;  // pads may leave nothing
    const auto expected = ir::Interpret(graph, {x});
    ASSERT_TRUE(expected.ok()) << expected.status();
    ASSERT_TRUE(PrepareGraph({}, graph).ok());
    for (ir::NodeId id = 0; id < graph.node_limit(); ++id) formed += graph.alive(id) && graph.node(id).op == ir::OpKind::kConv;
    const auto actual = ir::Interpret(graph, {x});
    ASSERT_TRUE(actual.ok()) << actual.status();
    ASSERT_EQ((*actual)[0].shape(), (*expected)[0].shape());
    for (int64_t k = 0; k < (*actual)[0].elements(); ++k) {
      ASSERT_NEAR((*actual)[0].data<float>()[k], (*expected)[0].data<float>()[k], 1e-5) << "element " << k;
    }
  }
  EXPECT_GT(formed, 120);
}

}  // namespace
}  // namespace omkit
