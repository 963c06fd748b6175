// The feed-forward block of a transformer whose LayerNormalization has outlier channels, quantized with default options: the outliers go into
// the weights of the layers behind it (SmoothQuant, arXiv 2211.10438), and the block survives.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "backends/compile.h"
#include "backends/evaluator.h"
#include "backends/quantization_trial.h"
#include "gtest/gtest.h"
#include "ir/op.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

using ir::Graph;
using ir::OpKind;
using ir::ValueId;

constexpr int kTokens = 12, kWidth = 32, kInner = 64;

std::vector<float> Gaussian(uint32_t seed, int count, float scale) {
  std::vector<float> values;
  uint32_t state = seed;
  for (int i = 0; i < count; ++i) {
    float sum = -6;
    for (int k = 0; k < 12; ++k) sum += static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
    values.push_back(scale * sum);
  }
  return values;
}

// x -> LayerNormalization -> Dense -> Gelu -> Dense -> + x. Two channels of the norm are 60 times as large as the others, and the weights that
// read them as much smaller, as in trained transformers.
std::unique_ptr<Graph> Block() {
  auto g = std::make_unique<Graph>();
  g->name = "feed_forward";
  const ValueId x = g->AddInput("x", {DType::kFloat32, Shape{1, kTokens, kWidth}, {}, Layout::kPlain});
  const auto constant = [&](const char* name, Shape shape, const std::vector<float>& values) {
    return g->AddConstant(name, Tensor::Of<float>(std::move(shape), values));
  };
  const auto op = [&](OpKind kind, const char* name, std::vector<ValueId> inputs, ir::Attrs attrs = {}) {
    return g->node(g->AddNode(kind, name, std::move(inputs), std::move(attrs))).outputs[0];
  };
  std::vector<float> scale(kWidth, 1.0f), up = Gaussian(1, kInner * kWidth, 0.2f);
  for (const int outlier : {5, 20}) {
    scale[outlier] = 60;
    for (int o = 0; o < kInner; ++o) up[o * kWidth + outlier] /= 60;
  }
  ir::Attrs last_axis;
  last_axis.Set("axis", int64_t{-1});
  const ValueId norm =
      op(OpKind::kLayerNormalization, "norm",
         {x, constant("norm.w", Shape{kWidth}, scale), constant("norm.b", Shape{kWidth}, std::vector<float>(kWidth, 0.1f))}, last_axis);
  g->SetName(norm, "normed");
  const ValueId a =
      op(OpKind::kDense, "up", {norm, constant("up.w", Shape{kInner, kWidth}, up), constant("up.b", Shape{kInner}, Gaussian(2, kInner, 0.1f))});
  const ValueId b = op(OpKind::kGelu, "gelu", {a});
  const ValueId c = op(OpKind::kDense, "down",
                       {b, constant("down.w", Shape{kWidth, kInner}, Gaussian(3, kInner * kWidth, 0.1f)),
                        constant("down.b", Shape{kWidth}, Gaussian(4, kWidth, 0.1f))});
  g->SetName(c, "y");
  g->MarkOutput(c);
  return g;
}

std::vector<Tensor> Tokens(int number) { return {Tensor::Of<float>(Shape{1, kTokens, kWidth}, Gaussian(100 + number, kTokens * kWidth, 1.0f))}; }

TEST(Transformer, OutliersOfANormMoveIntoTheWeights) {
  CompileOptions options;
  options.quant_type = QuantType::kInt8;
  options.quantize.calibration = [](const Graph&) -> absl::StatusOr<passes::CalibrationSource> {
    return passes::CalibrationSource{32, [](int i) -> absl::StatusOr<std::vector<Tensor>> { return Tokens(i); }};
  };
  passes::Recipe recipe;
  options.quantize.on_recipe = [&](const passes::Recipe& r) {
    recipe = r;
    return absl::OkStatus();
  };
  const auto program = Compile(Block(), options);
  ASSERT_TRUE(program.ok()) << program.status();

  ASSERT_EQ(recipe.equalize.count("normed"), 1u) << passes::SerializeRecipe(recipe, true);
  const std::vector<float>& factors = recipe.equalize.at("normed");
  ASSERT_EQ(factors.size(), static_cast<size_t>(kWidth));
  for (int c = 0; c < kWidth; ++c) {
    if (c == 5 || c == 20) continue;
    EXPECT_LT(3 * factors[c], factors[5]) << c;
  }

  // On other samples, and against the recipe without it.
  std::unique_ptr<Graph> real = Block();
  ASSERT_TRUE(PrepareGraph({}, *real).ok());
  passes::QuantizePolicy policy;
  const Backend* backend = BackendsFor(runtime::HostSoc().name).front();
  policy.supported = [&](const Graph& g, const ir::Node& node) { return backend->SupportsInt8(g, node); };
  std::vector<std::vector<Tensor>> others;
  for (int i = 0; i < 8; ++i) others.push_back(Tokens(1000 + i));
  const auto trial = QuantizationTrial::Make(*real, policy, others, BackendEvaluators(runtime::HostSoc().name));
  ASSERT_TRUE(trial.ok()) << trial.status();
  for (const auto& [name, node] : recipe.nodes) EXPECT_TRUE(node.precision == passes::Precision::kInt8) << name;
  passes::Recipe plain = recipe;
  plain.equalize.clear();
  for (auto& [name, node] : plain.nodes) node.rounding.clear(), node.bias.clear();
  const auto smooth = (*trial)->Measure(recipe), rough = (*trial)->Measure(plain);
  ASSERT_TRUE(smooth.ok() && rough.ok());
  EXPECT_GT(smooth->cosine, 0.999);
  EXPECT_LT(4 * smooth->noise, rough->noise);
}

}  // namespace
}  // namespace omkit
