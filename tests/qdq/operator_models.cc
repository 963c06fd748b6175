#include "tests/qdq/operator_models.h"

namespace omkit::testing {
namespace {

using M = ModelMaker;

constexpr int kU8 = onnx::TensorProto::UINT8;
constexpr int kS8 = onnx::TensorProto::INT8;
constexpr int kS32 = onnx::TensorProto::INT32;

struct Quantized {
  std::string value, scale, zero;
};

// A model input on 8 bits.
Quantized In(M& m, const std::string& name, const std::vector<int64_t>& dims, float scale = 0.01f, int64_t zero = 120, int type = kU8) {
  Quantized q{"", m.Float(scale), m.Zero(zero, type)};
  q.value = m.Op("QuantizeLinear", {m.Input(name, dims), q.scale, q.zero});
  return q;
}

void Out(M& m, const std::string& value, const Quantized& params) { m.Output(m.Op("DequantizeLinear", {value, params.scale, params.zero})); }

Quantized Params(M& m, float scale, int64_t zero, int type = kU8) { return {"", m.Float(scale), m.Zero(zero, type)}; }

// Operators of two tensors: two inputs, one of them with fewer dimensions.
void Binary(M& m, const char* op, int type, int64_t zero) {
  const Quantized a = In(m, "a", {2, 3, 4, 5}, 0.01f, zero, type), b = In(m, "b", {3, 4, 5}, 0.007f, zero - 9, type);
  const Quantized y = Params(m, 0.016f, zero + 5, type);
  Out(m, m.Ms(op, {a.value, a.scale, a.zero, b.value, b.scale, b.zero, y.scale, y.zero}), y);
}

std::string Unary(M& m, const char* op, const Quantized& x, const Quantized& y) { return m.Ms(op, {x.value, x.scale, x.zero, y.scale, y.zero}); }

// Weights [rows, columns] with one scale per column.
Quantized ColumnWeights(M& m, int64_t rows, int64_t columns) {
  std::vector<float> scales;
  std::vector<int64_t> zeros(columns, 0);
  for (int64_t i = 0; i < columns; ++i) scales.push_back(0.01f + 0.003f * static_cast<float>(i));
  return {m.RandomIntegers({rows, columns}, -127, 127, kS8), m.Floats({columns}, scales), m.Integers({columns}, zeros, kS8)};
}

// What quantize_dynamic of ONNX Runtime writes around one product.
void Dynamic(M& m, const char* op, const std::string& x, const std::string& w, const std::string& w_scale, const std::string& w_zero) {
  const std::string q = m.Op("DynamicQuantizeLinear", {x}, "", 3);
  const std::string x_scale = m.Out(1), x_zero = m.Out(2);
  const std::string acc = m.Op(op, {q, w, x_zero, w_zero});
  const std::string real = m.Op("Cast", {acc});
  m.Set("to", onnx::TensorProto::FLOAT);
  m.Output(m.Op("Mul", {real, m.Op("Mul", {x_scale, w_scale})}));
}

// A convolution, transposed or not, between Q/DQ pairs as static quantization writes them: int8 weights with a scale per output channel.
void QdqConv(M& m, const char* op, const std::vector<int64_t>& x_dims, const std::vector<int64_t>& w_dims, int64_t channels, int64_t groups,
             const std::vector<int64_t>& strides, const std::vector<int64_t>& pads) {
  const bool transposed = op == std::string("ConvTranspose");
  const Quantized x = In(m, "x", x_dims), y = Params(m, 0.05f, 128);
  std::vector<float> scales, bias_scales;
  for (int64_t c = 0; c < (transposed ? w_dims[1] : channels); ++c) scales.push_back(0.01f + 0.004f * static_cast<float>(c));
  for (int64_t c = 0; c < channels; ++c) bias_scales.push_back(scales[c % scales.size()] * 0.01f);
  const int64_t scaled = static_cast<int64_t>(scales.size());
  const std::string real_x = m.Op("DequantizeLinear", {x.value, x.scale, x.zero});
  const std::string w = m.Op("DequantizeLinear", {m.RandomIntegers(w_dims, -127, 127, kS8), m.Floats({scaled}, scales),
                                                  m.Integers({scaled}, std::vector<int64_t>(scales.size(), 0), kS8)});
  m.Set("axis", transposed ? 1 : 0);
  const std::string b = m.Op("DequantizeLinear", {m.RandomIntegers({channels}, -2000, 2000, kS32), m.Floats({channels}, bias_scales)});
  m.Set("axis", 0);
  const std::string real_y = m.Op(op, {real_x, w, b});
  m.Set("group", groups).SetInts("strides", strides).SetInts("pads", pads);
  Out(m, m.Op("QuantizeLinear", {real_y, y.scale, y.zero}), y);
}

const OperatorModel kModels[] = {
    {"qdq_conv_1d", 13, 0.05f, true,
     [](M& m) {
       QdqConv(m, "Conv", {2, 4, 19}, {6, 4, 3}, 6, 1, {2}, {1, 2});
     }},
    {"qdq_depthwise_conv_1d", 13, 0.05f, true,
     [](M& m) {
       QdqConv(m, "Conv", {1, 8, 30}, {8, 1, 5}, 8, 8, {1}, {2, 2});
     }},
    {"qdq_conv_transpose_1d", 13, 0.05f, true,
     [](M& m) {
       QdqConv(m, "ConvTranspose", {2, 4, 9}, {4, 6, 4}, 6, 1, {2}, {1, 1});
     }},
    {"qdq_conv_transpose_1d_groups", 13, 0.05f, true,
     [](M& m) {
       QdqConv(m, "ConvTranspose", {1, 4, 9}, {4, 3, 5}, 6, 2, {3}, {0, 0});
     }},
    {"qdq_conv_transpose", 13, 0.05f, true,
     [](M& m) {
       QdqConv(m, "ConvTranspose", {1, 4, 5, 6}, {4, 6, 4, 4}, 6, 1, {2, 2}, {1, 1, 1, 1});
     }},
    {"qdq_conv_transpose_two_strides", 13, 0.05f, true,
     [](M& m) {
       QdqConv(m, "ConvTranspose", {1, 4, 5, 6}, {4, 6, 3, 2}, 6, 1, {1, 2}, {0, 0, 0, 0});
     }},
    {"qlinear_conv", 13, 0.1f, true,
     [](M& m) {
       const Quantized x = In(m, "x", {1, 3, 8, 8}), y = Params(m, 0.1f, 128);
       const std::string w = m.RandomIntegers({4, 3, 3, 3}, -127, 127, kS8);
       const std::string ws = m.Floats({4}, {0.01f, 0.02f, 0.03f, 0.04f}), wz = m.Integers({4}, {0, 0, 0, 0}, kS8);
       const std::string bias = m.RandomIntegers({4}, -2000, 2000, kS32);
       const std::string q = m.Op("QLinearConv", {x.value, x.scale, x.zero, w, ws, wz, y.scale, y.zero, bias});
       m.SetInts("pads", {1, 1, 1, 1}).SetInts("strides", {2, 2});
       Out(m, q, y);
     }},
    {"qlinear_matmul", 13, 0.05f, true,
     [](M& m) {
       const Quantized x = In(m, "x", {5, 16}, 0.01f, -3, kS8), w = ColumnWeights(m, 16, 6), y = Params(m, 0.05f, 7, kS8);
       Out(m, m.Op("QLinearMatMul", {x.value, x.scale, x.zero, w.value, w.scale, w.zero, y.scale, y.zero}), y);
     }},
    {"qlinear_add_u8", 13, 0.016f, true, [](M& m) { Binary(m, "QLinearAdd", kU8, 120); }},
    {"qlinear_add_s8", 13, 0.016f, true, [](M& m) { Binary(m, "QLinearAdd", kS8, -4); }},
    {"qlinear_mul_u8", 13, 0.016f, true, [](M& m) { Binary(m, "QLinearMul", kU8, 120); }},
    {"qlinear_sigmoid", 13, 1.0f / 256, true,
     [](M& m) {
       const Quantized x = In(m, "x", {2, 30}, 0.05f), y = Params(m, 1.0f / 256, 0);
       Out(m, Unary(m, "QLinearSigmoid", x, y), y);
     }},
    {"qlinear_leaky_relu", 13, 0.01f, true,
     [](M& m) {
       const Quantized x = In(m, "x", {2, 30}, 0.008f, -10, kS8), y = Params(m, 0.01f, -60, kS8);
       const std::string q = Unary(m, "QLinearLeakyRelu", x, y);
       m.SetFloat("alpha", 0.2f);
       Out(m, q, y);
     }},
    {"qlinear_average_pool", 13, 0.008f, true,
     [](M& m) {
       const Quantized x = In(m, "x", {1, 4, 7, 7}), y = Params(m, 0.008f, 110);
       const std::string q = Unary(m, "QLinearAveragePool", x, y);
       m.SetInts("kernel_shape", {3, 3}).SetInts("pads", {1, 1, 1, 1}).SetInts("strides", {2, 2}).Set("count_include_pad", 0);
       Out(m, q, y);
     }},
    {"qlinear_global_average_pool", 13, 0.004f, true,
     [](M& m) {
       const Quantized x = In(m, "x", {2, 4, 7, 7}), y = Params(m, 0.004f, 110);
       const std::string q = Unary(m, "QLinearGlobalAveragePool", x, y);
       m.Set("channels_last", 0);
       Out(m, q, y);
     }},
    {"qlinear_concat", 13, 0.012f, true,
     [](M& m) {
       const Quantized a = In(m, "a", {1, 2, 4}), b = In(m, "b", {1, 3, 4}, 0.008f, 100), c = In(m, "c", {1, 1, 4}, 0.012f, 90);
       const Quantized y = Params(m, 0.012f, 90);
       const std::string q = m.Ms("QLinearConcat", {y.scale, y.zero, a.value, a.scale, a.zero, b.value, b.scale, b.zero, c.value, c.scale, c.zero});
       m.Set("axis", 1);
       Out(m, q, y);
     }},
    {"qlinear_softmax", 13, 1.0f / 256, false,
     [](M& m) {
       const Quantized x = In(m, "x", {3, 4, 10}, 0.05f), y = Params(m, 1.0f / 256, 0);
       const std::string q = Unary(m, "QLinearSoftmax", x, y);
       m.Set("axis", -1).Set("opset", 13);
       Out(m, q, y);
     }},
    {"qlinear_softmax_of_opset_12", 13, 1.0f / 256, false,
     [](M& m) {
       const Quantized x = In(m, "x", {3, 4, 10}, 0.05f), y = Params(m, 1.0f / 256, 0);
       const std::string q = Unary(m, "QLinearSoftmax", x, y);
       m.Set("axis", 1).Set("opset", 12);
       Out(m, q, y);
     }},
    {"qlinear_where", 13, 0.012f, false,
     [](M& m) {
       const std::string condition = m.Op("Greater", {m.Input("c", {2, 5}), m.Float(0)});
       const Quantized a = In(m, "a", {2, 5}), b = In(m, "b", {2, 5}, 0.012f, 90), y = Params(m, 0.012f, 100);
       Out(m, m.Ms("QLinearWhere", {condition, a.value, a.scale, a.zero, b.value, b.scale, b.zero, y.scale, y.zero}), y);
     }},
    {"q_gemm", 13, 0.06f, true,
     [](M& m) {
       const Quantized x = In(m, "x", {5, 16}), w = ColumnWeights(m, 16, 6), y = Params(m, 0.06f, 120);
       const std::string bias = m.RandomIntegers({6}, -3000, 3000, kS32);
       const std::string q = m.Ms("QGemm", {x.value, x.scale, x.zero, w.value, w.scale, w.zero, bias, y.scale, y.zero});
       m.Set("transA", 0).Set("transB", 0);
       Out(m, q, y);
     }},
    {"q_gemm_to_float", 13, 1e-4f, true,
     [](M& m) {
       const Quantized x = In(m, "x", {5, 16});
       const Quantized w{m.RandomIntegers({6, 16}, -127, 127, kS8), m.Float(0.02f), m.Zero(0, kS8)};
       m.Output(m.Ms("QGemm", {x.value, x.scale, x.zero, w.value, w.scale, w.zero, m.RandomIntegers({6}, -3000, 3000, kS32)}));
       m.Set("transB", 1);
     }},
    {"matmul_integer_to_float", 13, 1e-4f, true,
     [](M& m) {
       const Quantized x = In(m, "x", {2, 5, 16}), w = ColumnWeights(m, 16, 6);
       m.Output(m.Ms("MatMulIntegerToFloat", {x.value, w.value, x.scale, w.scale, x.zero, w.zero, m.RandomFloats({6}, -1, 1)}));
     }},
    {"dynamic_quantize_matmul", 13, 1e-4f, false,
     [](M& m) {
       const Quantized w = ColumnWeights(m, 16, 6);
       m.Output(m.Ms("DynamicQuantizeMatMul", {m.Input("x", {5, 16}), w.value, w.scale, w.zero, m.RandomFloats({6}, -1, 1)}));
     }},
    {"dynamic_matmul", 13, 1e-4f, false,
     [](M& m) {
       const Quantized w = ColumnWeights(m, 16, 6);
       Dynamic(m, "MatMulInteger", m.Input("x", {2, 5, 16}), w.value, w.scale, w.zero);
     }},
    {"dynamic_conv", 11, 1e-4f, false,
     [](M& m) {
       Dynamic(m, "ConvInteger", m.Input("x", {1, 3, 6, 6}), m.RandomIntegers({4, 3, 3, 3}, 0, 255, kU8), m.Float(0.01f), m.Zero(131, kU8));
     }},
    {"dynamic_quantize_lstm", 13, 0.02f, false,
     [](M& m) {
       const auto weights = [&](int64_t k) {
         return std::vector<std::string>{m.RandomIntegers({1, k, 16}, -127, 127, kS8), m.Floats({1}, {0.004f}), m.Integers({1}, {0}, kS8)};
       };
       const auto w = weights(6), r = weights(4);
       m.Output(m.Op("DynamicQuantizeLSTM",
                     {m.Input("x", {5, 2, 6}), w[0], r[0], m.RandomFloats({1, 32}, -0.2f, 0.2f), "", "", "", "", w[1], w[2], r[1], r[2]},
                     "com.microsoft"));
       m.Set("hidden_size", 4);
     }},
    {"q_attention", 13, 1e-3f, false,
     [](M& m) {
       const Quantized x = In(m, "x", {2, 5, 8});
       const Quantized w{m.RandomIntegers({8, 24}, -127, 127, kS8), m.Float(0.01f), m.Zero(0, kS8)};
       m.Output(m.Ms("QAttention", {x.value, w.value, m.RandomFloats({24}, -0.1f, 0.1f), x.scale, w.scale, "", x.zero, w.zero}));
       m.Set("num_heads", 2);
     }},
    {"sixteen_bits", 13, 1e-4f, false,
     [](M& m) {
       const std::string scale = m.Float(5e-5f), zero = m.Zero(0, onnx::TensorProto::INT16);
       const std::string x = m.Ms("DequantizeLinear", {m.Ms("QuantizeLinear", {m.Input("x", {3, 8}), scale, zero}), scale, zero});
       const Quantized w = ColumnWeights(m, 8, 4);
       const std::string weights = m.Op("DequantizeLinear", {w.value, w.scale, w.zero});
       m.Set("axis", 1);
       m.Output(m.Op("MatMul", {x, weights}));
     }},
    {"six_bits_by_clip", 13, 0.02f, false,
     [](M& m) {
       const std::string scale = m.Float(0.02f), zero = m.Zero(0, kS8);
       const std::string q = m.Op("QuantizeLinear", {m.Input("x", {1, 3, 6, 6}), scale, zero});
       const std::string x = m.Op("DequantizeLinear", {m.Op("Clip", {q, m.Zero(-31, kS8), m.Zero(31, kS8)}), scale, zero});
       const std::string w = m.Op("DequantizeLinear", {m.RandomIntegers({4, 3, 1, 1}, -7, 7, kS8), m.Float(0.05f), zero});
       const std::string y = m.Op("Conv", {x, w});
       m.Output(m.Op("DequantizeLinear", {m.Op("QuantizeLinear", {y, scale, zero}), scale, zero}));
     }},
};

}  // namespace

absl::Span<const OperatorModel> OperatorModels() { return kModels; }

}  // namespace omkit::testing
