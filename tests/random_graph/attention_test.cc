// Decomposed attention, in float and in INT8, runs as one step that gives the bits of the steps it stands for, and operator Attention what the
// interpreter gives.
#include <cmath>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "backends/backend.h"
#include "backends/compile.h"
#include "backends/npu_int8/npu_int8.h"
#include "backends/run_side.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "runtime/model.h"
#include "runtime/om_file.h"

namespace omkit {
namespace {

using ir::OpKind;
using ir::ValueId;

class Net {
 public:
  explicit Net(uint32_t seed) : random_(seed) {}
  int64_t Pick(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random_); }
  Tensor Floats(const Shape& shape) {
    Tensor t = *Tensor::Allocate(DType::kFloat32, shape);
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = std::uniform_real_distribution<float>(-2, 2)(random_);
    return t;
  }
  // True for the first key, and for about two of three others.
  Tensor Visible(const Shape& shape) {
    Tensor t = *Tensor::Allocate(DType::kBool, shape);
    const int64_t keys = shape.dim(shape.rank() - 1);
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<uint8_t>()[i] = i % keys == 0 || Pick(0, 2) != 0 ? 1 : 0;
    return t;
  }
  ValueId Input(const Tensor& t) {
    inputs.push_back(t);
    return graph->AddInput(absl::StrCat("in", inputs.size()), t.type());
  }
  ValueId Op(OpKind op, std::vector<ValueId> in, ir::Attrs attrs = {}) {
    return graph->node(graph->AddNode(op, absl::StrCat("n", count_++), std::move(in), std::move(attrs))).outputs[0];
  }
  ValueId Typed(ValueId v, const Shape& shape, float scale, int zero) {
    graph->SetType(v, {DType::kUInt8, shape, QuantParams::PerTensor(scale, zero), Layout::kPlain});
    return v;
  }
  ValueId Scalar(float value) { return graph->AddConstant(absl::StrCat("c", count_++), Tensor::Scalar<float>(value)); }

  std::unique_ptr<ir::Graph> graph = std::make_unique<ir::Graph>();
  std::vector<Tensor> inputs;

 private:
  std::mt19937 random_;
  int count_ = 0;
};

// As exporters write it. `scores` gets what the softmax gives, `longer` counts the nets with enough keys for the kernel.
ValueId Decomposed(Net& net, ValueId* scores, int* longer) {
  const bool plane = net.Pick(0, 2) == 0;
  const int64_t batch = net.Pick(1, 2), heads = net.Pick(1, 3), rows = net.Pick(0, 4) == 0 ? 90 : net.Pick(1, 20), keys = net.Pick(1, 40),
                size = net.Pick(1, 20);
  const auto shape = [&](int64_t r, int64_t c) { return plane ? Shape{heads, r, c} : Shape{batch, heads, r, c}; };
  *longer += keys >= 8 ? 1 : 0;
  const ValueId q = net.Input(net.Floats(shape(rows, size))), v = net.Input(net.Floats(shape(keys, net.Pick(1, 20))));
  ValueId k;
  if (net.Pick(0, 1) == 0) {
    k = net.Input(net.Floats(shape(size, keys)));
  } else {
    ir::Attrs turn;
    turn.Set("perm", plane ? std::vector<int64_t>{0, 2, 1} : std::vector<int64_t>{0, 1, 3, 2});
    k = net.Op(OpKind::kTranspose, {net.Input(net.Floats(shape(keys, size)))}, turn);
  }
  const int scale = static_cast<int>(net.Pick(0, 2));
  ValueId x = net.Op(OpKind::kMatMul, {scale == 1 ? net.Op(OpKind::kMul, {q, net.Scalar(0.4f)}) : q, k});
  if (scale == 2) x = net.Op(OpKind::kDiv, {x, net.Scalar(2.5f)});
  const Shape masks[] = {shape(rows, keys), plane ? Shape{1, 1, keys} : Shape{batch, 1, 1, keys}, Shape{rows, keys}};
  const Shape mask = masks[net.Pick(0, 2)];
  switch (net.Pick(0, 3)) {
    case 0: x = net.Op(OpKind::kAdd, {x, net.Input(net.Floats(mask))}); break;
    case 1: x = net.Op(OpKind::kAdd, {net.Input(net.Floats(mask)), x}); break;
    case 2: x = net.Op(OpKind::kWhere, {net.Input(net.Visible(mask)), x, net.Scalar(-3e38f)}); break;
    default: break;
  }
  *scores = net.Op(OpKind::kSoftmax, {x});
  return net.Op(OpKind::kMatMul, {*scores, v});
}

// Two products of bytes with a softmax between, as quantization leaves attention. `scores` gets what the softmax reads.
ValueId Quantized(Net& net, ValueId* scores) {
  const bool plane = net.Pick(0, 2) == 0;
  const int64_t batch = net.Pick(1, 2), heads = net.Pick(1, 3), rows = net.Pick(1, 40), keys = net.Pick(1, 50), size = net.Pick(1, 40),
                values = net.Pick(1, 40);
  const auto shape = [&](int64_t r, int64_t c) { return plane ? Shape{heads, r, c} : Shape{batch, heads, r, c}; };
  const auto input = [&](const Shape& s) {
    const ValueId real = net.Input(net.Floats(s));
    return net.Typed(net.Op(OpKind::kQuantize, {real}), s, 0.0157f, static_cast<int>(net.Pick(100, 150)));
  };
  ir::Attrs turn;
  turn.Set("perm", plane ? std::vector<int64_t>{0, 2, 1} : std::vector<int64_t>{0, 1, 3, 2});
  const ValueId q = input(shape(rows, size)), v = input(shape(keys, values));
  ValueId k = input(shape(keys, size));
  const QuantParams of_k = net.graph->value(k).type.quant;
  k = net.Typed(net.Op(OpKind::kTranspose, {k}, turn), shape(size, keys), of_k.scale[0], of_k.zero_point[0]);
  ir::Attrs scale;
  if (net.Pick(0, 1) == 0) scale.Set("alpha", 0.4f);
  ValueId x = net.Op(OpKind::kMatMul, {q, k}, scale);
  if (net.Pick(0, 2) == 0) x = net.Op(OpKind::kDequantize, {net.Typed(x, shape(rows, keys), 0.05f, 120)});
  else net.graph->SetType(x, {DType::kFloat32, shape(rows, keys), {}, Layout::kPlain});
  const Shape masks[] = {shape(rows, keys), plane ? Shape{1, 1, keys} : Shape{batch, 1, 1, keys}, Shape{rows, keys}, Shape{1}, shape(rows, 1)};
  const Shape mask = masks[net.Pick(0, 4)];
  switch (net.Pick(0, 4)) {
    case 0: x = net.Op(OpKind::kAdd, {x, net.Input(net.Floats(mask))}); break;
    case 1: x = net.Op(OpKind::kAdd, {net.Input(net.Floats(mask)), x}); break;
    case 2: x = net.Op(OpKind::kWhere, {net.Input(net.Visible(mask)), x, net.Scalar(-10000.0f)}); break;
    case 3: x = net.Op(OpKind::kWhere, {net.Input(net.Visible(mask)), net.Scalar(-3e38f), x}); break;
    default: break;
  }
  *scores = x;
  const ValueId shares = net.Typed(net.Op(OpKind::kQuantize, {net.Op(OpKind::kSoftmax, {x})}), shape(rows, keys), 1.0f / 255, 0);
  const ValueId y = net.Op(OpKind::kMatMul, {shares, v});
  if (net.Pick(0, 1) == 0) {
    net.graph->SetType(y, {DType::kFloat32, shape(rows, values), {}, Layout::kPlain});
    return y;
  }
  net.Typed(y, shape(rows, values), 0.01f, 130);
  if (plane || net.Pick(0, 1) == 0) return net.Op(OpKind::kDequantize, {y});
  // Heads that join.
  turn.Set("perm", std::vector<int64_t>{0, 2, 1, 3});
  return net.Op(OpKind::kDequantize, {net.Typed(net.Op(OpKind::kTranspose, {y}, turn), Shape{batch, rows, heads, values}, 0.01f, 130)});
}

std::vector<Tensor> Execute(std::unique_ptr<ir::Graph> graph, const std::vector<Tensor>& inputs, int* attentions,
                            const CompileOptions& options = {}) {
  auto program = Compile(std::move(graph), options);
  EXPECT_TRUE(program.ok()) << program.status();
  if (!program.ok()) return {};
  for (const runtime::Step& step : program->steps) *attentions += step.kernel.find("attention_") != std::string::npos ? 1 : 0;
  RegisterAllKernels();
  runtime::ModelOptions model_options;
  model_options.threads = 2;
  model_options.check_soc = false;
  const auto model = runtime::Model::Load(*runtime::LoadedOmFrom(*std::move(program)), model_options);
  EXPECT_TRUE(model.ok()) << model.status();
  std::vector<Tensor> results;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Tensor& t : inputs) in.push_back(t.raw());
  for (const runtime::IoDesc& io : (*model)->outputs()) results.push_back(*Tensor::Allocate(io.dtype, Shape(io.dims)));
  for (Tensor& t : results) out.push_back(t.mutable_raw());
  EXPECT_TRUE((*model)->Execute(in, out).ok());
  return results;
}

TEST(Attention, OneStepGivesTheBitsOfThree) {
  int longer = 0, fused = 0, apart = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Net net(seed);
    ValueId scores;
    net.graph->MarkOutput(Decomposed(net, &scores, &longer));
    std::unique_ptr<ir::Graph> shown = net.graph->Clone();
    shown->MarkOutput(scores);  // whoever shows the scores must have them
    const auto one = Execute(std::move(net.graph), net.inputs, &fused), three = Execute(std::move(shown), net.inputs, &apart);
    ASSERT_EQ(one.size(), 1u);
    ASSERT_EQ(three.size(), 2u);
    ASSERT_EQ(one[0].shape(), three[0].shape());
    EXPECT_EQ(std::memcmp(one[0].raw(), three[0].raw(), one[0].bytes()), 0);
  }
  EXPECT_GT(longer, 40);
  EXPECT_EQ(fused, longer);
  EXPECT_EQ(apart, 0);
}

TEST(Attention, OneQuantizedStepGivesTheBitsOfThree) {
  constexpr int kNets = 80;
  int fused = 0, apart = 0;
  for (uint32_t seed = 0; seed < kNets; ++seed) {
    SCOPED_TRACE(seed);
    Net net(seed + 500);
    ValueId scores;
    net.graph->MarkOutput(Quantized(net, &scores));
    ASSERT_TRUE(ir::InferGraph(*net.graph).ok());
    std::unique_ptr<ir::Graph> shown = net.graph->Clone();
    shown->MarkOutput(scores);
    const auto one = Execute(std::move(net.graph), net.inputs, &fused), three = Execute(std::move(shown), net.inputs, &apart);
    ASSERT_EQ(one.size(), 1u);
    ASSERT_EQ(three.size(), 2u);
    ASSERT_EQ(one[0].shape(), three[0].shape());
    EXPECT_EQ(std::memcmp(one[0].raw(), three[0].raw(), one[0].bytes()), 0);
  }
  EXPECT_EQ(fused, kNets);
  EXPECT_EQ(apart, 0);
}

// A plugin's backend that takes the products of shares, as npu_int8 lowers them.
class TakesSharesOnly : public Backend {
 public:
  const char* name() const override { return "takes_shares_only"; }
  bool Supports(const ir::Graph& graph, const ir::Node& node) const override {
    const ir::Node* producer = node.op == OpKind::kMatMul ? graph.Producer(node.inputs[0]) : nullptr;
    return producer != nullptr && producer->op == OpKind::kQuantize && graph.Producer(producer->inputs[0]) != nullptr;
  }
  bool SupportsInt8(const ir::Graph&, const ir::Node&) const override { return false; }
  absl::Status Lower(const ir::Node& node, ProgramBuilder& builder) const override { return npu_int8::NpuInt8Backend().Lower(node, builder); }
};

TEST(Attention, StaysThreeStepsWhereTwoBackendsShareIt) {
  static const TakesSharesOnly plugin;
  CompileOptions options;
  options.soc_version = "npu-int8-generic";
  for (uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Net net(seed + 700);
    ValueId scores;
    net.graph->MarkOutput(Quantized(net, &scores));
    ASSERT_TRUE(ir::InferGraph(*net.graph).ok());
    int fused = 0, apart = 0;
    const auto one = Execute(net.graph->Clone(), net.inputs, &fused);
    AddBackend(options.soc_version, &plugin);
    const auto three = Execute(std::move(net.graph), net.inputs, &apart, options);
    EXPECT_EQ(fused, 1);
    EXPECT_EQ(apart, 0);
    ASSERT_EQ(one.size(), 1u);
    ASSERT_EQ(three.size(), 1u);
    EXPECT_EQ(std::memcmp(one[0].raw(), three[0].raw(), one[0].bytes()), 0);
  }
}

// Whoever else reads shares or scores must have them; two attentions, one of which asks with the shares of the other, are not one step each.
TEST(Attention, StaysThreeStepsWhereResultsBetweenAreRead) {
  const Shape square{1, 2, 9, 9};
  for (int reader = 0; reader < 3; ++reader) {
    SCOPED_TRACE(reader);
    Net net(reader + 900);
    const auto input = [&] { return net.Typed(net.Op(OpKind::kQuantize, {net.Input(net.Floats(square))}), square, 0.0157f, 128); };
    const auto attention = [&](ValueId q, ValueId* scores, ValueId* shares) {
      *scores = net.Op(OpKind::kMatMul, {q, input()});
      net.graph->SetType(*scores, {DType::kFloat32, square, {}, Layout::kPlain});
      *shares = net.Typed(net.Op(OpKind::kQuantize, {net.Op(OpKind::kSoftmax, {*scores})}), square, 1.0f / 255, 0);
      return net.Op(OpKind::kMatMul, {*shares, input()});
    };
    ValueId scores, shares;
    ValueId y = attention(input(), &scores, &shares);
    net.graph->SetType(y, {DType::kFloat32, square, {}, Layout::kPlain});
    if (reader == 0) net.graph->MarkOutput(net.Op(OpKind::kNeg, {scores}));
    if (reader == 1) net.graph->MarkOutput(net.Op(OpKind::kDequantize, {shares}));
    if (reader == 2) {
      // The last product of the one is the first of the other.
      ValueId more = net.Typed(net.Op(OpKind::kQuantize, {net.Op(OpKind::kSoftmax, {y})}), square, 1.0f / 255, 0);
      y = net.Op(OpKind::kMatMul, {more, input()});
      net.graph->SetType(y, {DType::kFloat32, square, {}, Layout::kPlain});
    }
    net.graph->MarkOutput(y);
    ASSERT_TRUE(ir::InferGraph(*net.graph).ok());
    const auto expected = ir::Interpret(*net.graph, net.inputs);
    ASSERT_TRUE(expected.ok()) << expected.status();
    int steps = 0;
    const auto actual = Execute(std::move(net.graph), net.inputs, &steps);
    EXPECT_EQ(steps, reader == 2 ? 1 : 0);
    ASSERT_EQ(actual.size(), expected->size());
    for (size_t i = 0; i < actual.size(); ++i) {
      for (int64_t j = 0; j < actual[i].elements(); ++j)
        ASSERT_NEAR(actual[i].data<float>()[j], (*expected)[i].data<float>()[j], 0.03) << "element " << j << " of result " << i;
    }
  }
}

TEST(Attention, OperatorEqualsTheInterpreter) {
  int steps = 0;
  constexpr int kNets = 60;
  for (uint32_t seed = 0; seed < kNets; ++seed) {
    SCOPED_TRACE(seed);
    Net net(seed + 1000);
    const bool flat = net.Pick(0, 1) == 0;
    const int64_t batch = net.Pick(1, 2), kv_heads = net.Pick(1, 2), heads = kv_heads * net.Pick(1, 3);
    const int64_t rows = net.Pick(1, 20), keys = net.Pick(1, 30), size = net.Pick(1, 20), values = net.Pick(1, 20);
    const auto shape = [&](int64_t h, int64_t length, int64_t s) { return flat ? Shape{batch, length, h * s} : Shape{batch, h, length, s}; };
    std::vector<ValueId> in = {net.Input(net.Floats(shape(heads, rows, size))), net.Input(net.Floats(shape(kv_heads, keys, size))),
                               net.Input(net.Floats(shape(kv_heads, keys, values)))};
    const int64_t mask = net.Pick(0, 2);
    if (mask == 1) in.push_back(net.Input(net.Floats({heads, rows, keys})));
    if (mask == 2) in.push_back(net.Input(net.Visible({batch, 1, rows, keys})));
    ir::Attrs attrs;
    if (flat) attrs.Set("q_num_heads", heads);
    if (flat) attrs.Set("kv_num_heads", kv_heads);
    if (net.Pick(0, 1) == 0) attrs.Set("scale", 0.3f);
    attrs.Set("is_causal", net.Pick(0, 1));
    net.graph->MarkOutput(net.Op(OpKind::kAttention, in, attrs));
    ASSERT_TRUE(ir::InferGraph(*net.graph).ok());
    const auto expected = ir::Interpret(*net.graph, net.inputs);
    ASSERT_TRUE(expected.ok()) << expected.status();
    const auto actual = Execute(std::move(net.graph), net.inputs, &steps);
    ASSERT_EQ(actual.size(), 1u);
    ASSERT_EQ(actual[0].shape(), (*expected)[0].shape());
    for (int64_t i = 0; i < actual[0].elements(); ++i)
      ASSERT_NEAR(actual[0].data<float>()[i], (*expected)[0].data<float>()[i], 1e-5) << "element " << i;
  }
  EXPECT_EQ(steps, kNets);
}

}  // namespace
}  // namespace omkit
