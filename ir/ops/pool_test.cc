// Pools: integer averages against the contract, windows at borders, indices.
#include <cmath>

#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

TEST(AveragePool, IntegerMatchesContract) {
  Random r(1);
  for (int round = 0; round < 60; ++round) {
    const int64_t h = r.Int(3, 8), w = r.Int(3, 8), kh = r.Int(1, 3), kw = r.Int(1, 3), sh = r.Int(1, 2), sw = r.Int(1, 2);
    const int64_t top = r.Int(0, kh - 1), left = r.Int(0, kw - 1), bottom = r.Int(0, kh - 1), right = r.Int(0, kw - 1);
    const bool include = r.Coin();
    const Tensor x = r.Quantized(DType::kUInt8, {1, 2, h, w}, r.PerTensor(DType::kUInt8));
    const QuantParams& xq = x.type().quant;
    const QuantParams yq = r.PerTensor(DType::kInt8);
    const auto y = RunOp(OpKind::kAveragePool, {x},
                         AttrsOf({{"kernel_shape", Ints{kh, kw}},
                                  {"strides", Ints{sh, sw}},
                                  {"pads", Ints{top, left, bottom, right}},
                                  {"count_include_pad", int64_t{include}}}),
                         1, {DType::kInt8, {}, yq, Layout::kPlain});
    ASSERT_TRUE(y.ok()) << y.status();
    const int64_t oh = (*y)[0].shape().dim(2), ow = (*y)[0].shape().dim(3);
    ASSERT_EQ(oh, (h + top + bottom - kh) / sh + 1);
    for (int64_t e = 0; e < (*y)[0].elements(); ++e) {
      int64_t sum = 0, inside = 0;
      for (int64_t i = 0; i < kh * kw; ++i) {
        const int64_t yy = e / ow % oh * sh - top + i / kw, xx = e % ow * sw - left + i % kw;
        if (yy < 0 || yy >= h || xx < 0 || xx >= w) continue;
        sum += IntegerAt(x, (e / ow / oh * h + yy) * w + xx) - xq.zero_point[0];
        ++inside;
      }
      const int64_t count = include ? kh * kw : inside;
      const auto multiplier = static_cast<float>(static_cast<double>(xq.scale[0]) / (static_cast<double>(yq.scale[0]) * static_cast<double>(count)));
      const float v = std::nearbyint(static_cast<float>(sum) * multiplier) + static_cast<float>(yq.zero_point[0]);
      ASSERT_EQ(IntegerAt((*y)[0], e), static_cast<int64_t>(std::min(std::max(v, -128.0f), 127.0f)));
    }
  }
}

TEST(GlobalAveragePool, IntegerMatchesContract) {
  Random r(2);
  const Tensor x = r.Quantized(DType::kInt8, {2, 3, 7, 5}, QuantParams::PerTensor(0.04f, -3));
  const auto y = RunOp(OpKind::kGlobalAveragePool, {x}, {}, 1, {DType::kUInt8, {}, QuantParams::PerTensor(0.05f, 7), Layout::kPlain});
  ASSERT_TRUE(y.ok()) << y.status();
  ASSERT_EQ((*y)[0].shape(), (Shape{2, 3, 1, 1}));
  for (int64_t e = 0; e < 6; ++e) {
    int64_t sum = 0;
    for (int64_t i = 0; i < 35; ++i) sum += IntegerAt(x, e * 35 + i) + 3;
    const auto multiplier = static_cast<float>(static_cast<double>(0.04f) / (static_cast<double>(0.05f) * 35));
    const float v = std::nearbyint(static_cast<float>(sum) * multiplier) + 7;
    EXPECT_EQ(IntegerAt((*y)[0], e), static_cast<int64_t>(std::min(std::max(v, 0.0f), 255.0f)));
  }
}

TEST(AveragePool, CeilModeDividesByTapsInsideThePaddedImage) {
  // 5 pixels, kernel 2, stride 2: the third window holds one pixel.
  const Tensor x = Floats({1, 1, 5}, {1, 2, 3, 4, 5});
  for (int64_t include : {0, 1}) {
    const auto y = RunOp(OpKind::kAveragePool, {x},
                         AttrsOf({{"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"ceil_mode", int64_t{1}}, {"count_include_pad", include}}));
    ASSERT_TRUE(y.ok()) << y.status();
    EXPECT_EQ(Values<float>((*y)[0]), (std::vector<float>{1.5f, 3.5f, 5.0f}));
  }
}

TEST(MaxPool, KeepsQuantizedIntegersAndGivesIndices) {
  const QuantParams q = QuantParams::PerTensor(0.1f, 128);
  Tensor x = *Tensor::Allocate({DType::kUInt8, {1, 1, 2, 3}, q, Layout::kPlain});
  const uint8_t data[] = {1, 9, 3, 4, 5, 200};
  std::copy(data, data + 6, x.mutable_data<uint8_t>());
  const auto y =
      RunOp(OpKind::kMaxPool, {x}, AttrsOf({{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 0, 0, 0}}}), 1, {DType::kUInt8, {}, q, Layout::kPlain});
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_EQ(Values<uint8_t>((*y)[0]), (std::vector<uint8_t>{9, 9, 9, 200}));
  const Tensor f = Floats({1, 2, 2, 2}, {1, 4, 3, 2, -5, -6, -7, -8});
  const auto both = RunOp(OpKind::kMaxPool, {f}, AttrsOf({{"kernel_shape", Ints{2, 2}}}), 2);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(Values<float>((*both)[0]), (std::vector<float>{4, -5}));
  EXPECT_EQ(Values<int64_t>((*both)[1]), (std::vector<int64_t>{1, 4}));
}

}  // namespace
}  // namespace omkit::ir
