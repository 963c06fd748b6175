// Convolutions against loops written straight from the definition, on random geometry, in float and in integers.
#include <cmath>

#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"
#include "ir/ops/window.h"

namespace omkit::ir {
namespace {

struct Geometry {
  int rank;
  int64_t n, c, m, group;
  Ints in, kernel, stride, dilation, begin, end, out;

  Attrs attrs() const {
    Ints pads = begin;
    pads.insert(pads.end(), end.begin(), end.end());
    return AttrsOf({{"group", group}, {"strides", stride}, {"dilations", dilation}, {"pads", pads}});
  }
  Shape Of(int64_t a, int64_t b, const Ints& spatial) const {
    Ints dims = {a, b};
    dims.insert(dims.end(), spatial.begin(), spatial.end());
    return Shape(dims);
  }
};

Geometry RandomGeometry(Random& r) {
  Geometry g;
  g.rank = static_cast<int>(r.Int(1, 3));
  g.n = r.Int(1, 2);
  g.group = r.Int(1, 3);
  g.c = g.group * r.Int(1, 3);
  g.m = g.group * r.Int(1, 3);
  for (int d = 0; d < g.rank; ++d) {
    g.kernel.push_back(r.Int(1, 3));
    g.stride.push_back(r.Int(1, 3));
    g.dilation.push_back(r.Int(1, 2));
    g.begin.push_back(r.Int(0, 2));
    g.end.push_back(r.Int(0, 2));
    const int64_t extent = (g.kernel[d] - 1) * g.dilation[d] + 1;
    g.in.push_back(r.Int(std::max<int64_t>(1, extent - g.begin[d] - g.end[d]), 7));
    g.out.push_back((g.in[d] + g.begin[d] + g.end[d] - extent) / g.stride[d] + 1);
  }
  return g;
}

int64_t Product(const Ints& v) {
  int64_t p = 1;
  for (int64_t d : v) p *= d;
  return p;
}

Ints Unravel(int64_t i, const Ints& dims) {
  Ints index(dims.size());
  for (int d = static_cast<int>(dims.size()) - 1; d >= 0; --d) {
    index[d] = i % dims[d];
    i /= dims[d];
  }
  return index;
}

// sum over c, k of x(n, c, pixel) * w(m, c, k); padding contributes nothing. x_at and w_at take flat indices.
template <typename T, typename X, typename W>
T NaiveSum(const Geometry& g, int64_t n, int64_t m, const Ints& o, X&& x_at, W&& w_at) {
  const int64_t icg = g.c / g.group;
  const int64_t first = m / (g.m / g.group) * icg;
  T sum = 0;
  for (int64_t c = 0; c < icg; ++c) {
    for (int64_t k = 0; k < Product(g.kernel); ++k) {
      const Ints tap = Unravel(k, g.kernel);
      int64_t pixel = 0;
      bool inside = true;
      for (int d = 0; d < g.rank; ++d) {
        const int64_t i = o[d] * g.stride[d] - g.begin[d] + tap[d] * g.dilation[d];
        inside = inside && i >= 0 && i < g.in[d];
        pixel = pixel * g.in[d] + i;
      }
      if (inside) sum += x_at((n * g.c + first + c) * Product(g.in) + pixel) * w_at((m * icg + c) * Product(g.kernel) + k);
    }
  }
  return sum;
}

TEST(Conv, FloatMatchesDefinition) {
  Random r(1);
  for (int round = 0; round < 60; ++round) {
    const Geometry g = RandomGeometry(r);
    const Tensor x = r.FloatTensor(g.Of(g.n, g.c, g.in));
    const Tensor w = r.FloatTensor(g.Of(g.m, g.c / g.group, g.kernel));
    const Tensor b = r.Coin() ? r.FloatTensor({g.m}) : Tensor();
    const Tensor residual = r.Coin() ? r.FloatTensor(g.Of(g.n, g.m, g.out)) : Tensor();
    Attrs attrs = g.attrs();
    const bool clamp = r.Coin();
    if (clamp) attrs.Set("act_min", 0.0f);
    auto y = RunOp(OpKind::kConv, {x, w, b, residual}, attrs);
    ASSERT_TRUE(y.ok()) << y.status();
    ASSERT_EQ((*y)[0].shape(), g.Of(g.n, g.m, g.out));
    for (int64_t e = 0; e < (*y)[0].elements(); ++e) {
      const int64_t plane = Product(g.out);
      const int64_t m = e / plane % g.m;
      double want = NaiveSum<double>(
          g, e / plane / g.m, m, Unravel(e % plane, g.out), [&](int64_t i) { return static_cast<double>(x.data<float>()[i]); },
          [&](int64_t i) { return static_cast<double>(w.data<float>()[i]); });
      if (b.defined()) want += b.data<float>()[m];
      if (residual.defined()) want += residual.data<float>()[e];
      if (clamp) want = std::max(want, 0.0);
      ASSERT_NEAR((*y)[0].data<float>()[e], want, 1e-5);
    }
  }
}

struct QuantizedCase {
  Geometry g;
  Tensor x, w, bias, residual;
  Attrs attrs;
};

QuantizedCase RandomQuantized(Random& r) {
  QuantizedCase q;
  q.g = RandomGeometry(r);
  const DType dtype = r.Coin() ? DType::kUInt8 : DType::kInt8;
  QuantParams weight;
  const bool per_channel = r.Coin();
  for (int64_t m = 0; m < (per_channel ? q.g.m : 1); ++m) {
    weight.scale.push_back(r.Float(0.001f, 0.02f));
    weight.zero_point.push_back(r.Coin() ? 0 : static_cast<int32_t>(r.Int(-20, 20)));
  }
  weight.axis = per_channel ? 0 : -1;
  q.x = r.Quantized(dtype, q.g.Of(q.g.n, q.g.c, q.g.in), r.PerTensor(dtype));
  q.w = r.Quantized(DType::kInt8, q.g.Of(q.g.m, q.g.c / q.g.group, q.g.kernel), weight);
  if (r.Coin()) {
    q.bias = *Tensor::Allocate(DType::kInt32, {q.g.m});
    for (int64_t m = 0; m < q.g.m; ++m) q.bias.mutable_data<int32_t>()[m] = static_cast<int32_t>(r.Int(-5000, 5000));
  }
  if (r.Coin()) q.residual = r.Quantized(DType::kUInt8, q.g.Of(q.g.n, q.g.m, q.g.out), r.PerTensor(DType::kUInt8));
  q.attrs = q.g.attrs();
  if (r.Coin()) {
    q.attrs.Set("act_min", 0.0f);
    q.attrs.Set("act_max", 2.0f);
  }
  return q;
}

int32_t NaiveAccumulator(const QuantizedCase& q, int64_t e) {
  const int64_t plane = Product(q.g.out);
  const int64_t m = e / plane % q.g.m;
  const QuantParams& wq = q.w.type().quant;
  const int64_t wz = wq.zero_point[wq.per_tensor() ? 0 : m];
  const int64_t sum = NaiveSum<int64_t>(
      q.g, e / plane / q.g.m, m, Unravel(e % plane, q.g.out), [&](int64_t i) { return IntegerAt(q.x, i) - q.x.type().quant.zero_point[0]; },
      [&](int64_t i) { return IntegerAt(q.w, i) - wz; });
  return static_cast<int32_t>(sum + (q.bias.defined() ? IntegerAt(q.bias, m) : 0));
}

float NaiveMultiplier(const QuantizedCase& q, int64_t e, float out_scale) {
  const QuantParams& wq = q.w.type().quant;
  const int64_t m = e / Product(q.g.out) % q.g.m;
  return static_cast<float>(static_cast<double>(q.x.type().quant.scale[0]) * static_cast<double>(wq.scale[wq.per_tensor() ? 0 : m]) / out_scale);
}

TEST(Conv, IntegerMatchesContract) {
  Random r(2);
  for (int round = 0; round < 80; ++round) {
    const QuantizedCase q = RandomQuantized(r);
    const DType dtype = r.Coin() ? DType::kUInt8 : DType::kInt8;
    const QuantParams out = r.PerTensor(dtype);
    auto y = RunOp(OpKind::kConv, {q.x, q.w, q.bias, q.residual}, q.attrs, 1, {dtype, {}, out, Layout::kPlain});
    ASSERT_TRUE(y.ok()) << y.status();
    const QuantRange range = RangeOf(dtype);
    const bool clamp = q.attrs.Has("act_min");
    const auto bound = [&](float v) {
      return std::min(std::max(std::nearbyint(v / out.scale[0]) + out.zero_point[0], static_cast<float>(range.min)), static_cast<float>(range.max));
    };
    for (int64_t e = 0; e < (*y)[0].elements(); ++e) {
      float v = static_cast<float>(NaiveAccumulator(q, e)) * NaiveMultiplier(q, e, out.scale[0]);
      if (q.residual.defined()) {
        const QuantParams& rq = q.residual.type().quant;
        v = v + static_cast<float>(IntegerAt(q.residual, e) - rq.zero_point[0]) *
                    static_cast<float>(static_cast<double>(rq.scale[0]) / static_cast<double>(out.scale[0]));
      }
      float want = std::nearbyint(v) + static_cast<float>(out.zero_point[0]);
      want = std::min(std::max(want, clamp ? bound(0.0f) : static_cast<float>(range.min)), clamp ? bound(2.0f) : static_cast<float>(range.max));
      ASSERT_EQ(IntegerAt((*y)[0], e), static_cast<int64_t>(want)) << "round " << round << " element " << e;
    }
  }
}

TEST(Conv, IntegerToFloatMatchesContract) {
  Random r(3);
  for (int round = 0; round < 40; ++round) {
    const QuantizedCase q = RandomQuantized(r);
    auto y = RunOp(OpKind::kConv, {q.x, q.w, q.bias, q.residual}, q.attrs);
    ASSERT_TRUE(y.ok()) << y.status();
    ASSERT_EQ((*y)[0].dtype(), DType::kFloat32);
    for (int64_t e = 0; e < (*y)[0].elements(); ++e) {
      float want = static_cast<float>(NaiveAccumulator(q, e)) * NaiveMultiplier(q, e, 1.0f);
      if (q.residual.defined()) {
        const QuantParams& rq = q.residual.type().quant;
        want = want + static_cast<float>(IntegerAt(q.residual, e) - rq.zero_point[0]) * rq.scale[0];
      }
      if (q.attrs.Has("act_min")) want = std::min(std::max(want, 0.0f), 2.0f);
      ASSERT_EQ((*y)[0].data<float>()[e], want) << "round " << round << " element " << e;
    }
  }
}

TEST(Conv, TransposedIsTheAdjoint) {
  // <conv(x), y> == <x, conv_transpose(y)> for the same weights and geometry.
  Random r(4);
  int checked = 0;
  for (int round = 0; round < 60; ++round) {
    const Geometry g = RandomGeometry(r);
    Ints pads = g.begin;
    pads.insert(pads.end(), g.end.begin(), g.end.end());
    Ints extra;
    for (int d = 0; d < g.rank; ++d) {
      extra.push_back(g.in[d] - ((g.out[d] - 1) * g.stride[d] + (g.kernel[d] - 1) * g.dilation[d] + 1 - g.begin[d] - g.end[d]));
    }
    Attrs attrs = g.attrs();
    attrs.Set("output_padding", extra);
    const Tensor x = r.FloatTensor(g.Of(g.n, g.c, g.in));
    const Tensor y = r.FloatTensor(g.Of(g.n, g.m, g.out));
    const Tensor w = r.FloatTensor(g.Of(g.m, g.c / g.group, g.kernel));
    auto forward = RunOp(OpKind::kConv, {x, w}, g.attrs());
    auto backward = RunOp(OpKind::kConvTranspose, {y, w}, attrs);
    ASSERT_TRUE(forward.ok() && backward.ok()) << forward.status() << backward.status();
    ASSERT_EQ((*backward)[0].shape(), x.shape());
    double left = 0, right = 0;
    for (int64_t i = 0; i < y.elements(); ++i) left += static_cast<double>((*forward)[0].data<float>()[i]) * y.data<float>()[i];
    for (int64_t i = 0; i < x.elements(); ++i) right += static_cast<double>((*backward)[0].data<float>()[i]) * x.data<float>()[i];
    ASSERT_NEAR(left, right, 1e-3);
    ++checked;
  }
  EXPECT_EQ(checked, 60);
}

TEST(Conv, RefusesBrokenOperands) {
  const Tensor x = Random(5).FloatTensor({1, 4, 6, 6});
  const Tensor w = Random(6).FloatTensor({8, 4, 3, 3});
  const struct {
    Tensor x, w, bias;
    Attrs attrs;
    const char* message;
  } kCases[] = {
      {x, Random(7).FloatTensor({8, 3, 3, 3}), {}, {}, "4 channels in 1 groups but the weight takes 3"},
      {x, w, Random(8).FloatTensor({7}), {}, "has 7 elements, expected 8"},
      {x, w, {}, AttrsOf({{"group", int64_t{0}}}), "group is 0"},
      {x, w, {}, AttrsOf({{"strides", Ints{0, 1}}}), "strides holds 0"},
      {x, w, {}, AttrsOf({{"dilations", Ints{1, -1}}}), "dilations holds -1"},
      {x, w, {}, AttrsOf({{"pads", Ints{0, 0, -1, 0}}}), "pads holds -1"},
      {x, w, {}, AttrsOf({{"pads", Ints{0, 0}}}), "pads has 2 entries, expected 4"},
      {x, w, {}, AttrsOf({{"dilations", Ints{3, 3}}}), "the window spans 7 pixels"},
      {x, w, {}, AttrsOf({{"auto_pad", std::string("SAME")}}), "auto_pad is 'SAME'"},
      {x, w, {}, AttrsOf({{"kernel_shape", Ints{5, 5}}}), "kernel_shape is 5x5"},
      {x, w, {}, AttrsOf({{"act_min", 1.0f}, {"act_max", 0.0f}}), "act_min 1 is above act_max 0"},
      {Random(9).FloatTensor({4, 6}), w, {}, {}, "expected a rank of 3 to 5"},
  };
  for (const auto& c : kCases) {
    const auto y = RunOp(OpKind::kConv, {c.x, c.w, c.bias}, c.attrs);
    EXPECT_FALSE(y.ok()) << c.message;
    EXPECT_NE(y.status().message().find(c.message), std::string::npos) << y.status();
  }
}

TEST(Window, AutoPad) {
  const Ints kernel = {3, 2};
  const Ints in = {5, 6};
  const auto upper = ResolveWindow(AttrsOf({{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}), kernel, in, false);
  ASSERT_TRUE(upper.ok());
  EXPECT_EQ(upper->out, (Window::Dims{1, 3, 3}));
  EXPECT_EQ(upper->pad_begin, (Window::Dims{0, 1, 0}));
  EXPECT_EQ(upper->pad_end, (Window::Dims{0, 1, 0}));
  const auto lower = ResolveWindow(AttrsOf({{"auto_pad", std::string("SAME_LOWER")}}), kernel, in, false);
  ASSERT_TRUE(lower.ok());
  EXPECT_EQ(lower->pad_begin, (Window::Dims{0, 1, 1}));
  EXPECT_EQ(lower->pad_end, (Window::Dims{0, 1, 0}));
  const auto valid = ResolveWindow(AttrsOf({{"auto_pad", std::string("VALID")}, {"pads", Ints{1, 1, 1, 1}}}), kernel, in, false);
  ASSERT_TRUE(valid.ok());
  EXPECT_EQ(valid->out, (Window::Dims{1, 3, 5}));
}

}  // namespace
}  // namespace omkit::ir
