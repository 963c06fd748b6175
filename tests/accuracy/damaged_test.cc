// Networks damaged on purpose, quantized with default options: what they compute in float must survive, or a report must say which layer
// does not. The damage is what real models bring: one output channel blown up, a depthwise layer with a dead and a huge channel, one bias
// initializer for two layers of very different scales.
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "backends/compile.h"
#include "backends/evaluator.h"
#include "backends/precision_search.h"
#include "backends/quantization_trial.h"
#include "gtest/gtest.h"
#include "ir/op.h"
#include "passes/side_by_side.h"
#include "runtime/soc.h"
#include "tools/accuracy/layers.h"

namespace omkit {
namespace {

using ir::Graph;
using ir::OpKind;
using ir::ValueId;

class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed) {}
  float Gaussian() {
    float sum = 0;
    for (int k = 0; k < 12; ++k) sum += static_cast<float>((state_ = state_ * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
    return sum - 6;
  }

 private:
  uint32_t state_;
};

struct Layer {
  std::vector<float> w, b;
};

// An image network like those of phones: convolution, depthwise and pointwise convolutions with ReLU6, a residual, a classifier.
struct Network {
  Layer stem, depthwise, pointwise, second, head;
  bool shared_bias = false;  // the pointwise layer and the second one read one initializer

  Network() {
    stem = Make(16, 27, 1.0f);
    depthwise = Make(16, 9, 1.0f);
    pointwise = Make(32, 16, 1.0f);
    second = Make(32, 32 * 9, 1.0f);
    head = Make(10, 32, 1.0f);
  }

  Layer Make(int outputs, int inputs, float gain) {
    Layer layer;
    const float scale = gain / std::sqrt(static_cast<float>(inputs));
    for (int i = 0; i < outputs * inputs; ++i) layer.w.push_back(scale * random.Gaussian());
    for (int i = 0; i < outputs; ++i) layer.b.push_back(0.2f + 0.1f * random.Gaussian());
    return layer;
  }

  std::unique_ptr<Graph> Build() const {
    auto g = std::make_unique<Graph>();
    g->name = "phone";
    const ValueId x = g->AddInput("x", {DType::kFloat32, Shape{1, 3, 24, 24}, {}, Layout::kPlain});
    const ValueId bias = g->AddConstant("bias", Tensor::Of<float>(Shape{32}, pointwise.b));
    auto conv = [&](const char* name, ValueId in, const Layer& layer, Shape shape, int64_t group, int64_t pad, bool relu, ValueId b) {
      ir::Attrs attrs;
      attrs.Set("group", group);
      attrs.Set("pads", std::vector<int64_t>{pad, pad, pad, pad});
      if (b == ir::kNoValue) b = g->AddConstant(std::string(name) + ".b", Tensor::Of<float>(Shape{shape.dim(0)}, layer.b));
      const ValueId w = g->AddConstant(std::string(name) + ".w", Tensor::Of<float>(shape, layer.w));
      const ValueId out = g->node(g->AddNode(OpKind::kConv, name, {in, w, b}, attrs)).outputs[0];
      return relu ? g->node(g->AddNode(OpKind::kRelu, std::string(name) + ".relu", {out})).outputs[0] : out;
    };
    ValueId v = conv("stem", x, stem, Shape{16, 3, 3, 3}, 1, 1, true, ir::kNoValue);
    v = conv("depthwise", v, depthwise, Shape{16, 1, 3, 3}, 16, 1, true, ir::kNoValue);
    const ValueId wide = conv("pointwise", v, pointwise, Shape{32, 16, 1, 1}, 1, 0, true, shared_bias ? bias : ir::kNoValue);
    v = conv("second", wide, second, Shape{32, 32, 3, 3}, 1, 1, false, shared_bias ? bias : ir::kNoValue);
    v = g->node(g->AddNode(OpKind::kAdd, "residual", {v, wide})).outputs[0];
    v = g->node(g->AddNode(OpKind::kGlobalAveragePool, "pool", {v})).outputs[0];
    v = conv("head", v, head, Shape{10, 32, 1, 1}, 1, 0, false, ir::kNoValue);
    g->SetName(v, "y");
    g->MarkOutput(v);
    return g;
  }

  Random random{2024};
};

// A smooth picture: a gradient, a bright spot, and noise.
std::vector<Tensor> Picture(int number) {
  Random random(1000 + number);
  const float cx = 12 + 5 * random.Gaussian(), cy = 12 + 5 * random.Gaussian(), tilt = 0.05f * random.Gaussian();
  std::vector<float> values;
  for (int c = 0; c < 3; ++c) {
    const float gain = 1 + 0.5f * random.Gaussian();
    for (int y = 0; y < 24; ++y) {
      for (int x = 0; x < 24; ++x) {
        const float d = (x - cx) * (x - cx) + (y - cy) * (y - cy);
        values.push_back(tilt * (x + y - 24) + 2 * gain * std::exp(-d / 30) + 0.2f * random.Gaussian());
      }
    }
  }
  return {Tensor::Of<float>(Shape{1, 3, 24, 24}, values)};
}

struct Outcome {
  double cosine = 0;
  passes::Recipe recipe;
};

// Mean cosine of INT8 against float on pictures that calibration has not seen.
Outcome Quantize(const Network& network) {
  CompileOptions options;
  options.quant_type = QuantType::kInt8;
  options.quantize.calibration = [](const Graph&) -> absl::StatusOr<passes::CalibrationSource> {
    return passes::CalibrationSource{48, [](int i) -> absl::StatusOr<std::vector<Tensor>> { return Picture(i); }};
  };
  Outcome outcome;
  options.quantize.on_recipe = [&](const passes::Recipe& recipe) {
    outcome.recipe = recipe;
    return absl::OkStatus();
  };
  std::unique_ptr<Graph> int8;
  options.on_final_graph = [&](const Graph& g) { int8 = g.Clone(); };
  const auto program = Compile(network.Build(), options);
  EXPECT_TRUE(program.ok()) << program.status();
  std::unique_ptr<Graph> real = network.Build();
  EXPECT_TRUE(PrepareGraph({}, *real).ok());
  if (int8 == nullptr) return outcome;
  const auto evaluators = BackendEvaluators(runtime::HostSoc().name);
  auto want = evaluators(*real, {}), have = evaluators(*int8, {});
  EXPECT_TRUE(want.ok() && have.ok());
  constexpr int kPictures = 32;
  for (int i = 0; i < kPictures; ++i) {
    std::vector<float> a, b;
    EXPECT_TRUE((*want)->Run(Picture(5000 + i), [&](ValueId, const Tensor& t) { a = passes::RealValues(t); }).ok());
    EXPECT_TRUE((*have)->Run(Picture(5000 + i), [&](ValueId, const Tensor& t) { b = passes::RealValues(t); }).ok());
    double ab = 0, aa = 0, bb = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      ab += static_cast<double>(a[k]) * b[k];
      aa += static_cast<double>(a[k]) * a[k];
      bb += static_cast<double>(b[k]) * b[k];
    }
    outcome.cosine += ab / std::sqrt(aa * bb) / kPictures;
  }
  return outcome;
}

// The first suspect of the accuracy tool.
std::string FirstSuspect(const Network& network, const passes::Recipe& recipe) {
  std::unique_ptr<Graph> real = network.Build();
  EXPECT_TRUE(PrepareGraph({}, *real).ok());
  const auto layers = accuracy::MeasureLayers(*real, recipe, runtime::HostSoc().name, {Picture(6000), Picture(6001)}, true, [](double) {});
  EXPECT_TRUE(layers.ok()) << layers.status();
  const auto suspects = accuracy::FindSuspects(*layers);
  return suspects.empty() ? "" : suspects[0].node;
}

void ScaleOutput(Layer& layer, int channel, int inputs, float factor) {
  for (int i = 0; i < inputs; ++i) layer.w[channel * inputs + i] *= factor;
  layer.b[channel] *= factor;
}

// Input channel `channel` of a layer with `inputs` channels of `taps` weights each.
void ScaleInput(Layer& layer, int channel, int inputs, int taps, float factor) {
  for (size_t o = 0; o < layer.b.size(); ++o) {
    for (int t = 0; t < taps; ++t) layer.w[(o * inputs + channel) * taps + t] *= factor;
  }
}

constexpr double kRepaired = 0.99;

TEST(Damaged, HealthyNetworkIsGood) { EXPECT_GT(Quantize(Network()).cosine, 0.999); }

TEST(Damaged, OneLayerBlownUpAHundredfold) {
  Network network;
  for (int c = 0; c < 16; ++c) {
    ScaleOutput(network.depthwise, c, 9, 100);
    ScaleInput(network.pointwise, c, 16, 1, 0.01f);
  }
  EXPECT_GT(Quantize(network).cosine, 0.999);
}

TEST(Damaged, OneChannelBlownUpAHundredfold) {
  Network network;
  ScaleOutput(network.stem, 5, 27, 100);
  for (int t = 0; t < 9; ++t) network.depthwise.w[5 * 9 + t] *= 0.01f;
  ScaleOutput(network.depthwise, 11, 9, 100);
  ScaleInput(network.pointwise, 11, 16, 1, 0.01f);
  EXPECT_GT(Quantize(network).cosine, kRepaired);
}

TEST(Damaged, DepthwiseWithADeadAndAHugeChannel) {
  for (float dead : {0.0f, 1e-20f}) {
    Network network;
    for (int t = 0; t < 9; ++t) network.depthwise.w[3 * 9 + t] *= dead;
    ScaleOutput(network.depthwise, 8, 9, 2000);
    ScaleInput(network.pointwise, 8, 16, 1, 1 / 2000.0f);
    EXPECT_GT(Quantize(network).cosine, kRepaired) << dead;
  }
}

TEST(Damaged, OneBiasForTwoLayers) {
  Network network;
  network.shared_bias = true;
  for (float& b : network.pointwise.b) b *= 20;
  for (float& w : network.second.w) w *= 1e-3f;
  EXPECT_GT(Quantize(network).cosine, kRepaired);
}

// Nothing can be rescaled here: the tensor has two readers, one of them an addition. The network is still close, or the layer is named.
TEST(Damaged, WhatCannotBeRepairedIsNamed) {
  Network network;
  ScaleOutput(network.pointwise, 7, 16, 300);
  ScaleInput(network.second, 7, 32, 9, 1 / 300.0f);
  ScaleInput(network.head, 7, 32, 1, 1 / 300.0f);
  const Outcome outcome = Quantize(network);
  const auto kept = [&](const char* node) {
    return outcome.recipe.nodes.count(node) > 0 && outcome.recipe.nodes.at(node).precision != passes::Precision::kInt8;
  };
  if (outcome.cosine < kRepaired && !kept("pointwise") && !kept("second")) {
    const std::string suspect = FirstSuspect(network, outcome.recipe);
    EXPECT_TRUE(suspect == "pointwise" || suspect == "second") << suspect << ", cosine " << outcome.cosine;
  }
}

// The search ends where no layer can go back to INT8, and the recipe of its plan does what the plan says.
TEST(PrecisionSearch, KeepsNoLayerInFloatThatTheTargetDoesNotNeed) {
  Network network;
  ScaleOutput(network.pointwise, 7, 16, 60);
  ScaleInput(network.second, 7, 32, 9, 1 / 60.0f);
  ScaleInput(network.head, 7, 32, 1, 1 / 60.0f);
  const Outcome outcome = Quantize(network);
  std::unique_ptr<Graph> real = network.Build();
  ASSERT_TRUE(PrepareGraph({}, *real).ok());
  passes::QuantizePolicy policy;
  AskBackend(runtime::HostSoc().name, nullptr, &policy);
  const auto trial = QuantizationTrial::Make(*real, policy, {Picture(1), Picture(2), Picture(3)}, BackendEvaluators(runtime::HostSoc().name));
  ASSERT_TRUE(trial.ok()) << trial.status();
  passes::Recipe start = outcome.recipe;
  std::vector<std::string> layers;
  for (auto& [name, node] : start.nodes) node.precision = passes::Precision::kInt8;
  for (const char* name : {"stem", "depthwise", "pointwise", "second", "head"}) layers.push_back(name);
  const auto base = (*trial)->Measure(start);
  ASSERT_TRUE(base.ok()) << base.status();

  PrecisionSearch search;
  search.trial = trial->get();
  search.target.least = 1 - (1 - base->cosine) / 8;
  search.price = [&](const passes::Recipe& recipe) -> absl::StatusOr<double> {
    double floats = 1;
    for (const std::string& layer : layers) floats += recipe.nodes.at(layer).precision != passes::Precision::kInt8;
    return floats;
  };
  int better = 0;
  search.on_better = [&](const passes::Recipe&) {
    ++better;
    return absl::OkStatus();
  };
  const auto plan = search.Run(start, layers);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->met);
  EXPECT_GE(better, 2);
  EXPECT_EQ(plan->layers.size(), layers.size());
  EXPECT_GT(plan->price, 1);
  EXPECT_LE(plan->price, plan->float_price);
  EXPECT_EQ((*trial)->Measure(plan->recipe)->cosine, plan->value);
  for (const std::string& layer : layers) {
    passes::Recipe fewer = plan->recipe;
    if (plan->price <= 2 || fewer.nodes.at(layer).precision == passes::Precision::kInt8) continue;
    fewer.nodes.at(layer).precision = passes::Precision::kInt8;
    EXPECT_LT((*trial)->Measure(fewer)->cosine, search.target.least) << layer << " need not be float";
  }

  // Layers that may are on bfloat16 where that is enough, which a cosine this far from 1 does not mind.
  search.bfloat16 = {"stem", "pointwise", "second", "head"};
  search.target.least = 1 - (1 - base->cosine) / 3;
  const auto lowered = search.Run(start, layers);
  ASSERT_TRUE(lowered.ok()) << lowered.status();
  EXPECT_TRUE(lowered->met);
  int lower = 0;
  for (const std::string& layer : layers) {
    const passes::Precision precision = lowered->recipe.nodes.at(layer).precision;
    lower += precision == passes::Precision::kBFloat16;
    EXPECT_TRUE(precision != passes::Precision::kFloat || search.bfloat16.count(layer) == 0) << layer;
  }
  EXPECT_GT(lower, 0);
  EXPECT_EQ((*trial)->Measure(lowered->recipe)->cosine, lowered->value);
  search.bfloat16.clear();

  // Where int8 weights are enough, they are taken instead of float ones, at the same price.
  for (const auto& [name, node] : start.nodes) search.weight_only.insert(name);
  search.weight_only.erase("depthwise");
  search.target.least = 1 - (1 - base->cosine) / 3;
  const auto narrow = search.Run(start, layers);
  ASSERT_TRUE(narrow.ok()) << narrow.status();
  EXPECT_TRUE(narrow->met);
  int weights_only = 0;
  for (const std::string& layer : layers) weights_only += narrow->recipe.nodes.at(layer).precision == passes::Precision::kW8A16;
  EXPECT_GT(weights_only, 0);
  EXPECT_EQ((*trial)->Measure(narrow->recipe)->cosine, narrow->value);
}

// A class map in place of the scores: the part of it that stays the same, and a search for the layers that this takes.
TEST(ClassMaps, AreJudgedByTheElementsThatAgree) {
  const Network network;
  std::unique_ptr<Graph> graph = network.Build();
  ir::Attrs attrs;
  attrs.Set("axis", int64_t{1});
  const ValueId pooled = graph->Producer(graph->outputs()[0])->inputs[0];
  const ValueId sum = graph->Producer(pooled)->inputs[0];  // behind the residual: one value for each pixel and channel
  graph->SetOutput(0, graph->node(graph->AddNode(OpKind::kArgMax, "classes", {sum}, attrs)).outputs[0]);
  ASSERT_TRUE(ir::InferGraph(*graph).ok());
  ASSERT_TRUE(PrepareGraph({}, *graph).ok());
  passes::QuantizePolicy policy;
  AskBackend(runtime::HostSoc().name, nullptr, &policy);
  const auto plan = passes::PlanQuantization(*graph, policy);
  ASSERT_TRUE(plan.ok()) << plan.status();
  passes::Statistics statistics;
  const passes::CalibrationSource source{8, [](int i) -> absl::StatusOr<std::vector<Tensor>> { return Picture(i); }};
  const auto evaluators = BackendEvaluators(runtime::HostSoc().name);
  ASSERT_TRUE(passes::Collect(*graph, plan->values, source, evaluators, {}, &statistics).ok());
  const auto trial = QuantizationTrial::Make(*graph, policy, {Picture(20), Picture(21), Picture(22)}, evaluators);
  ASSERT_TRUE(trial.ok()) << trial.status();
  const passes::Recipe start = passes::MakeRecipe(*graph, *plan, policy, statistics, passes::RangeMethod::kMinMax);
  const auto int8 = (*trial)->Measure(start);
  ASSERT_TRUE(int8.ok()) << int8.status();
  EXPECT_LT(int8->agreement, 1);
  EXPECT_GT(int8->agreement, 0.5);

  PrecisionSearch search;
  search.trial = trial->get();
  search.target.metric = AccuracyTarget::Metric::kAgreement;
  search.target.least = (1 + int8->agreement) / 2;
  search.price = [](const passes::Recipe& recipe) -> absl::StatusOr<double> {
    double raised = 1;
    for (const auto& [name, node] : recipe.nodes) raised += node.precision != passes::Precision::kInt8;
    return raised;
  };
  const auto found = search.Run(start, {"stem", "depthwise", "pointwise", "second"});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->met);
  EXPECT_GE(found->result.agreement, search.target.least);
  EXPECT_GT(found->price, 1);
}

}  // namespace
}  // namespace omkit
