// The forms in which exporters write quantization, one network each: what it becomes, and that it computes the same.
#include <cmath>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "frontends/qdq/absorb.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "passes/fuse.h"
#include "passes/shapes.h"
#include "tests/qdq/compare.h"

namespace omkit {
namespace {

using ir::Attrs;
using ir::Graph;
using ir::OpKind;
using ir::ValueId;

// Builds networks; every tensor that `Fake` makes is quantized and dequantized.
class Maker {
 public:
  Maker() : graph_(std::make_unique<Graph>()) {}
  Graph& graph() { return *graph_; }

  ValueId Input(Shape shape, DType dtype = DType::kFloat32) {
    return graph_->AddInput(Name("input"), TensorType{dtype, std::move(shape), {}, Layout::kPlain});
  }
  ValueId Op(OpKind op, std::vector<ValueId> inputs, Attrs attrs = {}) {
    const ir::NodeId id = graph_->AddNode(op, Name(ir::OpName(op)), std::move(inputs), std::move(attrs));
    return graph_->node(id).outputs[0];
  }
  ValueId Floats(Shape shape, std::vector<float> values) { return graph_->AddConstant(Name("floats"), Tensor::Of<float>(std::move(shape), values)); }
  ValueId Ints(std::vector<int64_t> values) {
    return graph_->AddConstant(Name("ints"), Tensor::Of<int64_t>(Shape{static_cast<int64_t>(values.size())}, values));
  }
  // Numbers spread over [low, high].
  ValueId Spread(Shape shape, float low, float high) {
    std::vector<float> values(shape.elements());
    for (size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * static_cast<float>(i * 37 % 101) / 100.0f;
    return Floats(std::move(shape), values);
  }
  ValueId Zero(int zero, DType dtype, Shape shape = {}) {
    Tensor t = *Tensor::Allocate(dtype, std::move(shape));
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(zero);
    return graph_->AddConstant(Name("zero"), std::move(t));
  }
  ValueId Quantize(ValueId v, float scale, int zero, DType dtype) { return Op(OpKind::kQuantizeLinear, {v, Floats({}, {scale}), Zero(zero, dtype)}); }
  ValueId Dequantize(ValueId v, float scale, int zero, DType dtype) {
    return Op(OpKind::kDequantizeLinear, {v, Floats({}, {scale}), Zero(zero, dtype)});
  }
  ValueId Fake(ValueId v, float scale, int zero, DType dtype = DType::kUInt8) {
    return Dequantize(Quantize(v, scale, zero, dtype), scale, zero, dtype);
  }
  // Dequantized 8-bit integers that run over [low, high].
  ValueId Weights(Shape shape, int low, int high, float scale, int zero, DType dtype) {
    Tensor t = *Tensor::Allocate(dtype, std::move(shape));
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(low + i * 67 % (high - low + 1));
    return Dequantize(graph_->AddConstant(Name("weights"), std::move(t)), scale, zero, dtype);
  }
  ValueId PerChannelWeights(Shape shape, std::vector<float> scales, int64_t axis) {
    Tensor t = *Tensor::Allocate(DType::kInt8, std::move(shape));
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<int8_t>()[i] = static_cast<int8_t>(i * 67 % 255 - 127);
    const auto n = static_cast<int64_t>(scales.size());
    Attrs attrs;
    attrs.Set("axis", axis);
    return Op(OpKind::kDequantizeLinear,
              {graph_->AddConstant(Name("weights"), std::move(t)), Floats(Shape{n}, scales), Zero(0, DType::kInt8, Shape{n})}, attrs);
  }
  ValueId Conv(ValueId x, int64_t out, int64_t in) { return Op(OpKind::kConv, {x, Weights({out, in, 1, 1}, -127, 127, 0.01f, 0, DType::kInt8)}); }
  void Output(ValueId v) { graph_->MarkOutput(v); }

 private:
  std::string Name(absl::string_view what) { return absl::StrCat(what, "_", count_++); }
  std::unique_ptr<Graph> graph_;
  int count_ = 0;
};

absl::Status Fold(Graph& graph) { return passes::RunPasses({passes::InferShapes(), passes::Simplify()}, {}, graph); }

// The operators in order of execution.
std::string Ops(const Graph& graph) {
  std::vector<std::string> names;
  for (ir::NodeId id : testing::Order(graph)) names.push_back(ir::OpName(graph.node(id).op));
  return absl::StrJoin(names, " ");
}

struct Form {
  const char* name;
  std::function<void(Maker&)> make;
  const char* expected;
};

Attrs With(const char* name, ir::Attr value) {
  Attrs attrs;
  attrs.Set(name, std::move(value));
  return attrs;
}

constexpr DType kU8 = DType::kUInt8;
constexpr DType kS8 = DType::kInt8;

const Form kForms[] = {
    {"float_model_stays",
     [](Maker& m) {
       m.Output(m.Op(OpKind::kRelu, {m.Input({2, 3})}));
     },
     "Relu"},
    {"missing_zero_points",
     [](Maker& m) {
       const ValueId scale = m.Floats({1}, {0.02f});
       const ValueId x = m.Op(OpKind::kDequantizeLinear, {m.Op(OpKind::kQuantizeLinear, {m.Input({1, 3, 4, 4}), scale}), scale});
       m.Output(m.Fake(m.Conv(x, 5, 3), 0.05f, 100));
     },
     "Quantize Conv Dequantize"},
    {"identities_between",
     [](Maker& m) {
       const ValueId x = m.Op(OpKind::kIdentity, {m.Fake(m.Input({1, 3, 4, 4}), 0.02f, 100)});
       m.Output(m.Fake(m.Op(OpKind::kIdentity, {m.Conv(x, 5, 3)}), 0.05f, 100));
     },
     "Quantize Conv Dequantize"},
    {"signed_activations",
     [](Maker& m) {
       m.Output(m.Fake(m.Conv(m.Fake(m.Input({1, 3, 4, 4}), 0.02f, -7, kS8), 5, 3), 0.05f, 9, kS8));
     },
     "Quantize Conv Dequantize"},
    {"clamp_between",
     [](Maker& m) {
       const ValueId y = m.Conv(m.Fake(m.Input({1, 3, 4, 4}), 0.02f, 100), 5, 3);
       m.Output(m.Fake(m.Op(OpKind::kClip, {m.Op(OpKind::kRelu, {y}), m.Floats({}, {-1}), m.Floats({}, {1.2f})}), 0.02f, 20));
     },
     "Quantize Conv Dequantize"},
    {"batch_norm_unfolded",
     [](Maker& m) {
       const ValueId y = m.Conv(m.Fake(m.Input({1, 3, 4, 4}), 0.02f, 100), 4, 3);
       const ValueId d = m.Op(OpKind::kDiv, {y, m.Floats({1, 4, 1, 1}, {0.5f, 2, 1, 3})});
       const ValueId b = m.Op(OpKind::kBatchNormalization, {d, m.Floats({4}, {1, -2, 0, 0.5f}), m.Floats({4}, {0.1f, -0.3f, 0.7f, 0}),
                                                            m.Floats({4}, {0.3f, 0, 1, -1}), m.Floats({4}, {1, 4, 0.5f, 0.01f})});
       m.Output(m.Fake(m.Op(OpKind::kRelu, {b}), 0.05f, 0));
     },
     "Quantize Conv Dequantize"},
    {"residual_without_rounding",
     [](Maker& m) {
       const ValueId x = m.Fake(m.Input({1, 4, 4, 4}), 0.02f, 100);
       m.Output(m.Fake(m.Op(OpKind::kRelu, {m.Op(OpKind::kAdd, {x, m.Conv(x, 4, 4)})}), 0.05f, 0));
     },
     "Quantize Conv Dequantize"},
    {"residual_with_rounding",
     [](Maker& m) {
       const ValueId x = m.Fake(m.Input({1, 4, 4, 4}), 0.02f, 100);
       m.Output(m.Fake(m.Op(OpKind::kAdd, {x, m.Fake(m.Conv(x, 4, 4), 0.04f, 120)}), 0.05f, 110));
     },
     "Quantize Conv Add Dequantize"},
    {"no_quantizer_behind",
     [](Maker& m) {
       m.Output(m.Op(OpKind::kRelu, {m.Conv(m.Fake(m.Input({1, 3, 4, 4}), 0.02f, 100), 5, 3)}));
     },
     "Quantize Conv"},
    {"two_readers",
     [](Maker& m) {
       const ValueId y = m.Conv(m.Fake(m.Input({1, 3, 4, 4}), 0.02f, 100), 3, 3);
       m.Output(m.Op(OpKind::kExp, {y}));
       m.Output(m.Fake(y, 0.05f, 100));
     },
     "Quantize Conv Exp Quantize Dequantize"},
    {"matrix_with_turned_weights_and_bias",
     [](Maker& m) {
       const ValueId w =
           m.Op(OpKind::kTranspose, {m.PerChannelWeights({4, 6}, {0.01f, 0.02f, 0.005f, 0.03f}, 0)}, With("perm", std::vector<int64_t>{1, 0}));
       const ValueId y = m.Op(OpKind::kMatMul, {m.Fake(m.Input({2, 3, 6}), 0.02f, 100), w});
       m.Output(m.Fake(m.Op(OpKind::kAdd, {m.Floats({4}, {0.5f, -1, 2, 0}), y}), 0.05f, 100));
     },
     "Quantize Dense Dequantize"},
    {"gemm_with_factors",
     [](Maker& m) {
       Attrs attrs;
       attrs.Set("alpha", -0.5f);
       attrs.Set("beta", 2.0f);
       const ValueId w = m.PerChannelWeights({6, 4}, {0.01f, 0.02f, 0.005f, 0.03f}, 1);
       m.Output(m.Fake(m.Op(OpKind::kGemm, {m.Fake(m.Input({3, 6}), 0.02f, 100), w, m.Floats({1, 4}, {0.5f, -1, 2, 0})}, attrs), 0.02f, 100));
     },
     "Quantize Dense Dequantize"},
    {"scales_along_the_sum_stay_float",
     [](Maker& m) {
       const ValueId w = m.PerChannelWeights({4, 6}, {0.01f, 0.02f, 0.005f, 0.03f}, 0);
       m.Output(m.Fake(m.Op(OpKind::kMatMul, {m.Fake(m.Input({3, 4}), 0.02f, 100), w}), 0.05f, 100));
     },
     "Quantize Dequantize MatMul Quantize Dequantize"},
    {"bias_shared_by_two_layers",
     [](Maker& m) {
       const ValueId bias =
           m.Op(OpKind::kDequantizeLinear, {m.graph().AddConstant("b", Tensor::Of<int32_t>(Shape{2}, {4000, -9000})), m.Floats({}, {0.0002f})});
       const ValueId x = m.Input({1, 2, 3, 3});
       const ValueId w = m.Weights({2, 2, 1, 1}, 1, 255, 0.01f, 128, kU8);
       const ValueId a = m.Op(OpKind::kConv, {m.Fake(x, 0.02f, 100), w, bias});
       m.Output(m.Fake(m.Op(OpKind::kConv, {m.Fake(a, 0.07f, 60), w, bias}), 0.1f, 90));
     },
     "Quantize Conv Conv Dequantize"},
    {"pad_before_layer",
     [](Maker& m) {
       const ValueId x = m.Fake(m.Input({1, 3, 4, 4}), 0.02f, 100);
       const ValueId p = m.Op(OpKind::kPad, {x, m.Ints({0, 0, 1, 1, 0, 0, 0, 1}), m.Floats({}, {0})});
       m.Output(m.Fake(m.Conv(p, 5, 3), 0.05f, 100));
     },
     "Quantize Pad Conv Dequantize"},
    {"moved_and_pooled_as_bytes",
     [](Maker& m) {
       const ValueId x = m.Fake(m.Input({1, 4, 4, 4}), 0.02f, 100);
       const ValueId p = m.Fake(m.Op(OpKind::kMaxPool, {x}, With("kernel_shape", std::vector<int64_t>{2, 2})), 0.02f, 100);
       m.Output(m.Fake(m.Op(OpKind::kReshape, {p, m.Ints({1, -1})}), 0.03f, 90));
     },
     "Quantize MaxPool Reshape Quantize Dequantize"},
    {"concat_of_two_scales",
     [](Maker& m) {
       const ValueId x = m.Input({1, 2, 3, 3});
       const ValueId joined = m.Op(OpKind::kConcat, {m.Fake(x, 0.02f, 100), m.Fake(m.Op(OpKind::kExp, {x}), 0.03f, 0)}, With("axis", int64_t{1}));
       m.Output(m.Fake(joined, 0.03f, 60));
     },
     "Exp Quantize Quantize Quantize Quantize Concat Dequantize"},
    {"average_and_mean",
     [](Maker& m) {
       const ValueId x = m.Fake(m.Input({1, 3, 4, 4}), 0.02f, 100);
       m.Output(m.Fake(m.Op(OpKind::kGlobalAveragePool, {x}), 0.01f, 100));
       m.Output(m.Fake(m.Op(OpKind::kReduceMean, {x, m.Ints({-1, 2})}, With("keepdims", int64_t{0})), 0.01f, 90));
     },
     "Quantize GlobalAveragePool Dequantize GlobalAveragePool Reshape Dequantize"},
    {"functions_of_one_element",
     [](Maker& m) {
       const ValueId s = m.Fake(m.Op(OpKind::kSigmoid, {m.Fake(m.Input({2, 9}), 0.02f, 100)}), 1.0f / 256, 0);
       m.Output(m.Fake(m.Op(OpKind::kMul, {s, m.Fake(m.Op(OpKind::kTanh, {s}), 0.01f, 3)}), 0.005f, 0));
     },
     "Quantize Sigmoid Tanh Mul Dequantize"},
    {"scalars",
     [](Maker& m) {
       const ValueId x = m.Fake(m.Input({2, 9}), 0.02f, 100);
       const ValueId a = m.Fake(m.Op(OpKind::kAdd, {x, m.Floats({}, {-0.373f})}), 0.02f, 90);
       const ValueId b = m.Fake(m.Op(OpKind::kDiv, {a, m.Floats({1}, {-1.5f})}), 0.02f, 140);
       m.Output(m.Fake(m.Op(OpKind::kSub, {m.Floats({}, {0.253f}), b}), 0.02f, 110));
     },
     "Quantize Add Mul Sub Dequantize"},
    {"float_between",
     [](Maker& m) {
       m.Output(m.Fake(m.Op(OpKind::kSoftmax, {m.Fake(m.Input({2, 9}), 0.02f, 100)}), 1.0f / 256, 0));
     },
     "Quantize Dequantize Softmax Quantize Dequantize"},
    {"attention",
     [](Maker& m) {
       const ValueId q = m.Fake(m.Input({2, 6, 8}), 0.02f, 100), k = m.Fake(m.Input({2, 5, 8}), 0.02f, 90),
                     v = m.Fake(m.Input({2, 5, 7}), 0.02f, 128);
       const ValueId scores = m.Op(OpKind::kMatMul, {q, m.Op(OpKind::kTranspose, {k}, With("perm", std::vector<int64_t>{0, 2, 1}))});
       const ValueId scaled = m.Fake(m.Op(OpKind::kDiv, {scores, m.Floats({}, {2.5f})}), 0.03f, 120);
       const ValueId shares = m.Fake(m.Op(OpKind::kSoftmax, {scaled}), 1.0f / 255, 0);
       m.Output(m.Fake(m.Op(OpKind::kMatMul, {shares, v}), 0.02f, 110));
       m.Output(m.Op(OpKind::kMatMul, {shares, v}));
     },
     "Quantize Quantize Transpose Quantize MatMul Dequantize Softmax Quantize MatMul Dequantize MatMul"},
    {"weights_only",
     [](Maker& m) {
       m.Output(m.Conv(m.Input({1, 3, 4, 4}), 5, 3));
     },
     "Conv"},
    {"integer_output",
     [](Maker& m) {
       m.Output(m.Quantize(m.Conv(m.Fake(m.Input({1, 3, 4, 4}), 0.02f, 100), 5, 3), 0.05f, 100, kU8));
     },
     "Quantize Conv"},
    {"rescaled_on_the_way",
     [](Maker& m) {
       m.Output(m.Fake(m.Fake(m.Input({2, 50}), 0.02f, 100), 0.03f, 40, kS8));
     },
     "Quantize Quantize Dequantize"},
};

class Forms : public ::testing::TestWithParam<Form> {};

TEST_P(Forms, BecomesTheIntegerFormAndComputesTheSame) {
  Maker m;
  GetParam().make(m);
  const absl::Status folded = Fold(m.graph());
  ASSERT_TRUE(folded.ok()) << folded;
  const std::unique_ptr<Graph> absorbed = m.graph().Clone();
  const auto done = frontends::AbsorbQdq(*absorbed);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(*done, frontends::CarriesQuantization(m.graph()));
  const absl::Status refolded = passes::RunPasses({passes::InferShapes()}, {}, *absorbed);
  ASSERT_TRUE(refolded.ok()) << refolded;
  EXPECT_EQ(Ops(*absorbed), GetParam().expected);
  for (int i = 0; i < static_cast<int>(m.graph().outputs().size()); ++i) {
    EXPECT_EQ(absorbed->value(absorbed->outputs()[i]).name, m.graph().value(m.graph().outputs()[i]).name);
  }
  const testing::Difference d = testing::Compare(m.graph(), *absorbed, testing::MadeInputs(m.graph(), -2, 3));
  EXPECT_LE(d.largest, 1) << d.where;
  EXPECT_LE(static_cast<double>(d.unequal), 0.05 * static_cast<double>(d.elements));
  EXPECT_LE(d.output_error, 0.01);
}

INSTANTIATE_TEST_SUITE_P(Qdq, Forms, ::testing::ValuesIn(kForms), [](const auto& info) { return std::string(info.param.name); });

TEST(SignedInput, IsQuantizedOnceMoreBehindTheInterface) {
  Maker m;
  const ValueId x = m.Input({1, 3, 4, 4}, kS8);
  m.Output(m.Fake(m.Conv(m.Dequantize(x, 0.02f, -7, kS8), 5, 3), 0.05f, 100));
  ASSERT_TRUE(Fold(m.graph()).ok());
  const std::unique_ptr<Graph> absorbed = m.graph().Clone();
  ASSERT_TRUE(frontends::AbsorbQdq(*absorbed).ok());
  EXPECT_EQ(Ops(*absorbed), "Quantize Conv Dequantize");
  Tensor in = *Tensor::Allocate(kS8, Shape{1, 3, 4, 4});
  for (int64_t i = 0; i < in.elements(); ++i) in.mutable_data<int8_t>()[i] = static_cast<int8_t>(i * 5 - 120);
  const auto expected = ir::Interpret(m.graph(), {in});
  const auto actual = ir::Interpret(*absorbed, {in});
  ASSERT_TRUE(expected.ok() && actual.ok()) << expected.status() << actual.status();
  for (int64_t i = 0; i < (*expected)[0].elements(); ++i) EXPECT_NEAR((*actual)[0].data<float>()[i], (*expected)[0].data<float>()[i], 0.051f) << i;
}

// One convolution with these weights (and bias), absorbed; what the log warns of.
std::unique_ptr<Graph> AbsorbConv(Maker& m, std::vector<ValueId> weights, std::string* warning) {
  SetLogSink([warning](LogLevel level, absl::string_view text) {
    if (level == LogLevel::kWarning) absl::StrAppend(warning, text);
  });
  weights.insert(weights.begin(), m.Fake(m.Input({1, 8, 6, 6}), 0.02f, 100));
  m.Output(m.Fake(m.Op(OpKind::kConv, weights), 0.5f, 100));
  EXPECT_TRUE(Fold(m.graph()).ok());
  std::unique_ptr<Graph> absorbed = m.graph().Clone();
  const auto done = frontends::AbsorbQdq(*absorbed);
  SetLogSink({});
  EXPECT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(Ops(*absorbed), "Quantize Conv Dequantize");
  EXPECT_LE(testing::Compare(m.graph(), *absorbed, testing::MadeInputs(m.graph(), -2, 3)).largest, 1);
  return absorbed;
}

// All weights keep their integers, whether few or most channels have some that int8 does not hold.
void WideWeightsStayExact(int zero, int largest) {
  Tensor w = *Tensor::Allocate(kU8, Shape{40, 8, 3, 3});
  for (int64_t i = 0; i < w.elements(); ++i) w.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i * 67 % (largest + 1));
  w.mutable_data<uint8_t>()[7 * 72 + 11] = 255;
  w.mutable_data<uint8_t>()[31 * 72] = 0;
  Maker m;
  std::string warning;
  const auto absorbed = AbsorbConv(m, {m.Dequantize(m.graph().AddConstant("w", w), 0.01f, zero, kU8)}, &warning);
  EXPECT_EQ(warning, "");
  for (ir::NodeId id : testing::Order(*absorbed)) {
    if (absorbed->node(id).op != OpKind::kConv) continue;
    const Tensor& kept = *absorbed->ConstantInput(absorbed->node(id), 1);
    ASSERT_EQ(kept.dtype(), DType::kInt16);
    for (int64_t i = 0; i < w.elements(); ++i) ASSERT_EQ(kept.data<int16_t>()[i], w.data<uint8_t>()[i] - zero);
  }
}
TEST(WideWeights, OfAFewChannelsStayExact) { WideWeightsStayExact(90, 216); }
TEST(WideWeights, OfAllChannelsStayExact) {
  for (int zero : {0, 60, 200, 255}) WideWeightsStayExact(zero, 255);
}

TEST(LargeBiases, TakeALargerScaleWithAWarning) {
  Maker m;
  std::string warning;
  AbsorbConv(m, {m.Weights({3, 8, 3, 3}, 0, 255, 0.01f, 128, kU8), m.Floats({3}, {0.1f, 1e6f, -0.2f})}, &warning);
  EXPECT_TRUE(absl::StrContains(warning, "the sums of 1 output channels in 1 layers may leave int32")) << warning;
}

TEST(LongChains, TakeNoTimeInEitherDirection) {
  Maker m;
  const ValueId x = m.Input({2, 3});
  ValueId y = m.Op(OpKind::kExp, {x});
  ValueId z = m.Fake(x, 0.02f, 100);
  for (int i = 0; i < 400; ++i) {
    Attrs turn = With("perm", std::vector<int64_t>{1, 0});
    y = m.Op(OpKind::kTranspose, {y}, turn);
    z = m.Op(OpKind::kTranspose, {z}, turn);
  }
  m.Output(m.Fake(y, 0.02f, 100));
  m.Output(z);
  ASSERT_TRUE(ir::InferGraph(m.graph()).ok());
  ASSERT_TRUE(passes::RunPasses({passes::InferShapes()}, {}, m.graph()).ok());
  const std::unique_ptr<Graph> absorbed = m.graph().Clone();
  ASSERT_TRUE(frontends::AbsorbQdq(*absorbed).ok());
  EXPECT_TRUE(absl::StartsWith(Ops(*absorbed), "Exp Quantize Transpose Transpose")) << Ops(*absorbed).substr(0, 60);
  EXPECT_EQ(absorbed->CountNodes(), 1 + 2 * 400 + 2 + 2);
  EXPECT_EQ(testing::Compare(m.graph(), *absorbed, testing::MadeInputs(m.graph(), -2, 3)).largest, 0);
}

struct Refusal {
  const char* name;
  std::function<void(Maker&)> make;
  const char* message;
};

// A layer that reads x as dequantized by scale and zero point constants.
void LayerBehind(Maker& m, ValueId scale, ValueId zero) {
  const ValueId q = m.Op(OpKind::kQuantizeLinear, {m.Input({1, 3, 2, 2}), scale, zero});
  m.Output(m.Conv(m.Op(OpKind::kDequantizeLinear, {q, scale, zero}), 4, 3));
}

void BadScale(Maker& m, float bad) {
  const ValueId scale = m.Floats({}, {bad});
  LayerBehind(m, scale, m.Zero(0, kU8));
}

const Refusal kRefusals[] = {
    {"per_channel_activation",
     [](Maker& m) {
       LayerBehind(m, m.Floats({3}, {0.1f, 0.2f, 0.3f}), m.Zero(0, kU8, {3}));
     },
     "(QuantizeLinear): an activation has 3 scales along axis 1; quantize activations per tensor"},
    {"scale_zero", [](Maker& m) { BadScale(m, 0.0f); }, "scale 'floats_0', zero point 'zero_1': scale[0] = 0 is not"},
    {"scale_nan", [](Maker& m) { BadScale(m, std::nanf("")); }, "scale 'floats_0', zero point 'zero_1': scale[0] = nan is not"},
    {"scale_infinite", [](Maker& m) { BadScale(m, HUGE_VALF); }, "scale 'floats_0', zero point 'zero_1': scale[0] = inf is not"},
    {"scale_negative", [](Maker& m) { BadScale(m, -0.1f); }, "scale 'floats_0', zero point 'zero_1': scale[0] = -0.1 is not"},
    {"scale_denormal", [](Maker& m) { BadScale(m, 1e-40f); }, "is not a finite, normal, positive number"},
    {"weight_scale_zero",
     [](Maker& m) {
       const ValueId x = m.Fake(m.Input({1, 2, 2, 2}), 0.1f, 0);
       m.Output(m.Op(OpKind::kConv, {x, m.PerChannelWeights({3, 2, 1, 1}, {0.1f, 0.0f, 0.1f}, 0)}));
     },
     "scale[1] = 0 is not a finite, normal, positive number"},
};

class Refusals : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refusals, NamesTheNodeAndTheReason) {
  Maker m;
  GetParam().make(m);
  const absl::Status folded = Fold(m.graph());
  ASSERT_TRUE(folded.ok()) << folded;
  const auto done = frontends::AbsorbQdq(m.graph());
  ASSERT_FALSE(done.ok());
  EXPECT_TRUE(absl::StrContains(done.status().message(), GetParam().message)) << done.status();
  EXPECT_TRUE(absl::StrContains(done.status().message(), "node '")) << done.status();
}

INSTANTIATE_TEST_SUITE_P(Qdq, Refusals, ::testing::ValuesIn(kRefusals), [](const auto& info) { return std::string(info.param.name); });

// Linear nodes without an integer form are operators like any other.
const Form kOperators[] = {
    {"sixteen_bits",
     [](Maker& m) {
       const ValueId scale = m.Floats({}, {0.001f});
       const ValueId zero = m.graph().AddConstant("z", Tensor::Scalar<int16_t>(0));
       const ValueId q = m.Op(OpKind::kQuantizeLinear, {m.Input({1, 3, 2, 2}), scale, zero});
       m.Output(m.Conv(m.Op(OpKind::kDequantizeLinear, {q, scale, zero}), 4, 3));
     },
     "QuantizeLinear DequantizeLinear Conv"},
    {"dynamic_scale",
     [](Maker& m) {
       const ValueId scale = m.Input({});
       m.Output(m.Op(OpKind::kDequantizeLinear, {m.Op(OpKind::kQuantizeLinear, {m.Input({2, 2}), scale}), scale}));
     },
     "QuantizeLinear DequantizeLinear"},
    {"other_parameters_behind",
     [](Maker& m) {
       m.Output(m.Dequantize(m.Quantize(m.Input({2, 2}), 0.1f, 0, kU8), 0.2f, 0, kU8));
     },
     "QuantizeLinear DequantizeLinear"},
    {"integers_computed_on",
     [](Maker& m) {
       const ValueId q = m.Quantize(m.Input({2, 2}), 0.1f, 0, kU8);
       m.Output(m.Op(OpKind::kMax, {q, q}));
     },
     "QuantizeLinear Max"},
    {"per_channel_without_layer",
     [](Maker& m) {
       const ValueId scale = m.Floats({3}, {0.1f, 0.2f, 0.3f}), zero = m.Zero(0, kU8, {3});
       m.Output(m.Op(OpKind::kDequantizeLinear, {m.Op(OpKind::kQuantizeLinear, {m.Input({1, 3, 2, 2}), scale, zero}), scale, zero}));
     },
     "QuantizeLinear DequantizeLinear"},
    {"clipped_integers",
     [](Maker& m) {
       const ValueId q = m.Op(OpKind::kClip, {m.Quantize(m.Input({1, 3, 2, 2}), 0.1f, -3, kS8), m.Zero(-9, kS8), m.Zero(6, kS8)});
       m.Output(m.Fake(m.Conv(m.Dequantize(q, 0.1f, -3, kS8), 4, 3), 0.1f, 100));
     },
     "Clip Quantize Conv Dequantize"},
};

class Operators : public ::testing::TestWithParam<Form> {};

TEST_P(Operators, StayAndComputeTheSame) {
  Maker m;
  GetParam().make(m);
  ASSERT_TRUE(Fold(m.graph()).ok());
  const std::unique_ptr<Graph> absorbed = m.graph().Clone();
  const auto done = frontends::AbsorbQdq(*absorbed);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(Ops(*absorbed), GetParam().expected);
  const std::vector<Tensor> inputs = testing::MadeInputs(m.graph(), 0.1f, 2);
  const auto expected = ir::Interpret(m.graph(), inputs), actual = ir::Interpret(*absorbed, inputs);
  ASSERT_TRUE(expected.ok() && actual.ok()) << expected.status() << actual.status();
  const Tensor &a = (*actual)[0], &e = (*expected)[0];
  ASSERT_EQ(a.shape(), e.shape());
  for (int64_t i = 0; i < e.elements(); ++i) EXPECT_NEAR(RealAt(a, i), RealAt(e, i), 1e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(Qdq, Operators, ::testing::ValuesIn(kOperators), [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace omkit
