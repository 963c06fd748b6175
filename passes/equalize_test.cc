#include "passes/equalize.h"

#include <cmath>

#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::OpKind;
using ir::ValueId;

constexpr int64_t kChannels = 6;

Tensor Weights(Shape shape, float (*value)(int64_t output, int64_t input)) {
  Tensor w = *Tensor::Allocate(DType::kFloat32, shape);
  for (int64_t i = 0; i < w.elements(); ++i) w.mutable_data<float>()[i] = value(i / shape.dim(1), i % shape.dim(1));
  return w;
}

// x -> a (1x1) -> b (1x1): channel c of the tensor between them is 4^c wide, and its weights in b are 2^-c.
std::unique_ptr<Graph> TwoLayers() {
  auto graph = std::make_unique<Graph>();
  const ValueId x = graph->AddInput("x", {DType::kFloat32, {1, 2, 3, 3}, {}, Layout::kPlain});
  const ValueId wa =
      graph->AddConstant("wa", Weights({kChannels, 2, 1, 1}, [](int64_t o, int64_t i) { return std::ldexp(i == 0 ? 1.0f : -0.5f, 2 * o); }));
  const ValueId a = graph->node(graph->AddNode(OpKind::kConv, "a", {x, wa})).outputs[0];
  graph->SetName(a, "between");
  const ValueId wb =
      graph->AddConstant("wb", Weights({3, kChannels, 1, 1}, [](int64_t o, int64_t i) { return std::ldexp(o == 1 ? 1.0f : -0.75f, -i); }));
  graph->MarkOutput(graph->node(graph->AddNode(OpKind::kConv, "b", {a, wb})).outputs[0]);
  EXPECT_TRUE(ir::InferGraph(*graph).ok());
  return graph;
}

std::vector<Tensor> Sample(int i) {
  Tensor x = *Tensor::Allocate(DType::kFloat32, {1, 2, 3, 3});
  for (int64_t k = 0; k < x.elements(); ++k) x.mutable_data<float>()[k] = std::sin(static_cast<float>(k * 7 + i * 3));
  return {x};
}

TEST(MigrateDifficulty, FollowsAmctsRule) {
  const std::unique_ptr<Graph> graph = TwoLayers();
  QuantizePolicy policy;
  policy.supported = [](const Graph&, const ir::Node& node) { return node.op == OpKind::kConv; };
  const auto plan = PlanQuantization(*graph, policy);
  ASSERT_TRUE(plan.ok()) << plan.status();
  Statistics statistics;
  const CalibrationSource source{8, [](int i) -> absl::StatusOr<std::vector<Tensor>> { return Sample(i); }};
  ASSERT_TRUE(Collect(*graph, plan->values, source, ir::MakeInterpreter, {}, &statistics).ok());
  const Recipe recipe = MakeRecipe(*graph, *plan, policy, statistics, RangeMethod::kMinMax);
  EXPECT_TRUE(MigrateDifficulty(*graph, *plan, policy, statistics, recipe).empty()) << "nobody asked for it";

  for (const float strength : {0.2f, 0.5f, 0.8f}) {
    policy.by_node["b"].migration = strength;
    const auto factors = MigrateDifficulty(*graph, *plan, policy, statistics, recipe);
    ASSERT_EQ(factors.size(), 1u);
    const std::vector<float>& s = factors.at("between");
    ASSERT_EQ(s.size(), static_cast<size_t>(kChannels));
    // a_c = 4^c a_0 and w_c = 2^-c: each factor is 4^m 2^(1 - m) times the one before.
    for (size_t c = 1; c < s.size(); ++c) EXPECT_NEAR(s[c] / s[c - 1], std::pow(2.0, 1 + strength), 1e-4);
    EXPECT_NEAR(s.back(), 1.0, 1e-5) << "the widest channel keeps the tensor's range";
    const std::unique_ptr<Graph> equalized = graph->Clone();
    ASSERT_TRUE(Equalize(factors, *equalized).ok());
    const auto before = ir::Interpret(*graph, Sample(3)), after = ir::Interpret(*equalized, Sample(3));
    ASSERT_TRUE(before.ok() && after.ok());
    for (int64_t k = 0; k < (*before)[0].elements(); ++k) {
      EXPECT_NEAR((*after)[0].data<float>()[k], (*before)[0].data<float>()[k], 1e-4) << "the network computes what it did";
    }
  }
}

}  // namespace
}  // namespace omkit::passes
