// AMCT deploy models as input: the arithmetic of AscendQuant, AscendDequant, AscendRequant and AscendAntiQuant, computed here in integers.
#include <cmath>
#include <cstring>

#include "absl/strings/match.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "frontends/onnx/importer.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "tests/qdq/compare.h"
#include "tests/qdq/model_maker.h"

namespace omkit {
namespace {

using testing::ModelMaker;

constexpr int kChannels = 3, kIn = 4;
constexpr float kStep = 0.02f, kNextStep = 0.05f;
constexpr int kOffset = -20;

uint64_t Word(float scale) {
  uint32_t bits;
  std::memcpy(&bits, &scale, sizeof(bits));
  return bits;
}

std::string Words(ModelMaker& m, const std::vector<float>& scales) {
  onnx::TensorProto* t = m.graph().add_initializer();
  t->set_name("scale_words_" + std::to_string(m.graph().initializer_size()));
  t->set_data_type(onnx::TensorProto::UINT64);
  t->add_dims(static_cast<int64_t>(scales.size()));
  for (const float s : scales) t->add_uint64_data(Word(s));
  return t->name();
}

std::string Quant(ModelMaker& m, const std::string& x, float step, float offset) {
  const std::string y = m.Op("AscendQuant", {x});
  m.SetFloat("scale", 1.0f / step).SetFloat("offset", offset).SetText("dst_type", "INT8");
  return y;
}

std::vector<int64_t> Weights() {
  std::vector<int64_t> w;
  for (int i = 0; i < kChannels * kIn; ++i) w.push_back(i * 37 % 255 - 127);
  return w;
}

int Int8(float x, float step, int offset) { return static_cast<int>(std::min(std::max(std::nearbyint(x / step) + offset, -128.0f), 127.0f)); }

// The accumulator of output channel `c` at one pixel.
int Accumulate(const float* x, int stride, int c, const std::vector<int64_t>& bias) {
  int acc = static_cast<int>(bias[c]);
  for (int i = 0; i < kIn; ++i) acc += (Int8(x[i * stride], kStep, kOffset) - kOffset) * static_cast<int>(Weights()[c * kIn + i]);
  return acc;
}

// Compiles and runs; every layer must be INT8.
std::vector<float> Results(ModelMaker& m, std::vector<Tensor>* inputs, int layers) {
  RegisterAllKernels();
  auto graph = frontends::ImportOnnxBytes(m.model().SerializeAsString(), "deploy", "");
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  *inputs = testing::MadeInputs(**graph, -2, 2);
  std::unique_ptr<ir::Graph> last;
  CompileOptions options;
  options.on_final_graph = [&](const ir::Graph& g) { last = g.Clone(); };
  const auto program = Compile(*std::move(graph), options);
  EXPECT_TRUE(program.ok()) << program.status();
  if (!program.ok()) return {};
  int integer = 0;
  for (ir::NodeId id : testing::Order(*last)) {
    const ir::Node& node = last->node(id);
    integer += (node.op == ir::OpKind::kConv || node.op == ir::OpKind::kDense) && last->value(node.inputs[0]).type.quantized();
  }
  EXPECT_EQ(integer, layers);
  const auto outputs = ir::Interpret(*last, *inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  const Tensor& y = (*outputs)[0];
  return {y.data<float>(), y.data<float>() + y.elements()};
}

TEST(Deploy, ConvolutionWithReluFlag) {
  const std::vector<int64_t> bias = {500, -900, 0};
  const std::vector<float> deq = {0.001f, 0.0004f, 0.002f};
  ModelMaker m;
  const std::string q = Quant(m, m.Input("x", {1, kIn, 3, 3}), kStep, kOffset);
  const std::string conv = m.Op(
      "Conv", {q, m.Integers({kChannels, kIn, 1, 1}, Weights(), onnx::TensorProto::INT8), m.Integers({kChannels}, bias, onnx::TensorProto::INT32)});
  m.Output(m.Op("AscendDequant", {conv, Words(m, deq)}));
  m.Set("relu_flag", 1).Set("sqrt_mode", 0).Set("dtype", 0);
  std::vector<Tensor> inputs;
  const std::vector<float> y = Results(m, &inputs, 1);
  ASSERT_EQ(y.size(), kChannels * 9);
  for (int c = 0; c < kChannels; ++c) {
    for (int p = 0; p < 9; ++p) {
      const float expected = static_cast<float>(Accumulate(inputs[0].data<float>() + p, 9, c, bias)) * deq[c];
      EXPECT_NEAR(y[c * 9 + p], std::max(expected, 0.0f), 1e-4) << c << " " << p;
    }
  }
}

TEST(Deploy, RequantBetweenTwoLayers) {
  const std::vector<int64_t> bias = {0, 300, -700};
  const std::vector<float> req = {0.002f, 0.001f, 0.0015f};
  ModelMaker m;
  const std::string q = Quant(m, m.Input("x", {5, kIn}), kStep, kOffset);
  const std::string first =
      m.Op("Gemm", {q, m.Integers({kChannels, kIn}, Weights(), onnx::TensorProto::INT8), m.Integers({kChannels}, bias, onnx::TensorProto::INT32)});
  m.Set("transB", 1);
  const std::string again = m.Op("AscendRequant", {first, Words(m, req)});
  m.Set("relu_flag", 1);
  const std::vector<int64_t> w = {10, -20, 30, 40, 50, -60};
  const std::string second = m.Op("MatMul", {again, m.Integers({kChannels, 2}, w, onnx::TensorProto::INT8)});
  m.Output(m.Op("AscendDequant", {second, Words(m, {kNextStep * 0.01f})}));
  std::vector<Tensor> inputs;
  const std::vector<float> y = Results(m, &inputs, 2);
  ASSERT_EQ(y.size(), 10);
  for (int row = 0; row < 5; ++row) {
    for (int n = 0; n < 2; ++n) {
      float low = 0, high = 0;  // a rounding of the requantization may go one step either way
      for (int c = 0; c < kChannels; ++c) {
        const float acc = static_cast<float>(Accumulate(inputs[0].data<float>() + row * kIn, 1, c, bias)) * req[c];
        const auto weight = static_cast<float>(w[c * 2 + n]);
        const float value = weight * static_cast<float>(std::min(std::max(std::nearbyint(acc), 0.0f), 127.0f));
        const bool tie = std::abs(acc - std::floor(acc) - 0.5f) < 1e-3f;
        low += value - (tie ? std::abs(weight) : 0);
        high += value + (tie ? std::abs(weight) : 0);
      }
      const float factor = kNextStep * 0.01f;
      EXPECT_GE(y[row * 2 + n], low * factor - 1e-4);
      EXPECT_LE(y[row * 2 + n], high * factor + 1e-4);
    }
  }
}

TEST(Deploy, AntiQuantIsTheInverse) {
  ModelMaker integers;
  integers.Output(integers.Op("AscendAntiQuant", {integers.Input("x", {2, 8}, onnx::TensorProto::INT8)}));
  integers.SetFloat("scale", 0.2f).SetFloat("offset", 5).Set("sqrt_mode", 1);
  const auto graph = frontends::ImportOnnxBytes(integers.model().SerializeAsString(), "anti", "");
  ASSERT_TRUE(graph.ok()) << graph.status();
  Tensor x = *Tensor::Allocate(DType::kInt8, Shape{2, 8});
  for (int i = 0; i < 16; ++i) x.mutable_data<int8_t>()[i] = static_cast<int8_t>(i * 16 - 120);
  const auto y = ir::Interpret(**graph, {x});
  ASSERT_TRUE(y.ok()) << y.status();
  for (int i = 0; i < 16; ++i) EXPECT_NEAR((*y)[0].data<float>()[i], static_cast<float>(x.data<int8_t>()[i] - 5) * 0.04f, 1e-5);
}

TEST(Deploy, ErrorsNameTheNode) {
  const auto error = [](ModelMaker& m) {
    return std::string(frontends::ImportOnnxBytes(m.model().SerializeAsString(), "deploy", "").status().message());
  };
  ModelMaker zero;
  zero.Output(Quant(zero, zero.Input("x", {2}), INFINITY, 0));
  EXPECT_TRUE(absl::StrContains(error(zero), "node 'AscendQuant_1' (AscendQuant): attribute 'scale' is 0;")) << error(zero);
  ModelMaker int4;
  int4.Output(int4.Op("AscendQuant", {int4.Input("x", {2})}));
  int4.SetFloat("scale", 1).SetText("dst_type", "INT4");
  EXPECT_TRUE(absl::StrContains(error(int4), "dst_type INT4; only INT8 is supported")) << error(int4);
  ModelMaker alone;
  alone.Output(alone.Op("AscendDequant", {alone.Input("x", {2}, onnx::TensorProto::INT32), Words(alone, {1.0f})}));
  EXPECT_TRUE(absl::StrContains(error(alone), "reads no result of a layer")) << error(alone);
}

}  // namespace
}  // namespace omkit
