// The float pipeline keeps the meaning of a graph: every random network gives the same outputs before and after all fusion passes.
#include <cmath>

#include "backends/compile.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
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

}  // namespace
}  // namespace omkit
