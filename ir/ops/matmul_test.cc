// Dense in integers against the contract, MatMul and Gemm against loops from the definition.
#include <cmath>

#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

TEST(Dense, IntegerMatchesContract) {
  Random r(1);
  for (int round = 0; round < 50; ++round) {
    const int64_t rows = r.Int(1, 4), k = r.Int(1, 70), n = r.Int(1, 9);
    QuantParams wq;
    for (int64_t i = 0; i < n; ++i) {
      wq.scale.push_back(r.Float(0.001f, 0.02f));
      wq.zero_point.push_back(0);
    }
    wq.axis = 0;
    const Tensor x = r.Quantized(DType::kUInt8, {2, rows, k}, r.PerTensor(DType::kUInt8));
    const Tensor w = r.Quantized(DType::kInt8, {n, k}, wq);
    const QuantParams out = r.PerTensor(DType::kUInt8);
    auto y = RunOp(OpKind::kDense, {x, w}, {}, 1, {DType::kUInt8, {}, out, Layout::kPlain});
    ASSERT_TRUE(y.ok()) << y.status();
    ASSERT_EQ((*y)[0].shape(), (Shape{2, rows, n}));
    for (int64_t e = 0; e < (*y)[0].elements(); ++e) {
      int64_t acc = 0;
      for (int64_t i = 0; i < k; ++i) acc += (IntegerAt(x, e / n * k + i) - x.type().quant.zero_point[0]) * IntegerAt(w, e % n * k + i);
      const auto multiplier = static_cast<float>(static_cast<double>(x.type().quant.scale[0]) * wq.scale[e % n] / out.scale[0]);
      const float v = std::nearbyint(static_cast<float>(acc) * multiplier) + static_cast<float>(out.zero_point[0]);
      ASSERT_EQ(IntegerAt((*y)[0], e), static_cast<int64_t>(std::min(std::max(v, 0.0f), 255.0f)));
    }
  }
}

TEST(Dense, RefusesSumsBeyondInt32) {
  const int64_t k = 70000;  // 70000 * 255 * 127 > 2^31
  Tensor x = *Tensor::Allocate({DType::kUInt8, {1, k}, QuantParams::PerTensor(1.0f, 0), Layout::kPlain});
  Tensor w = *Tensor::Allocate({DType::kInt8, {1, k}, QuantParams::PerTensor(1.0f, 0), Layout::kPlain});
  std::fill_n(x.mutable_data<uint8_t>(), k, uint8_t{255});
  std::fill_n(w.mutable_data<int8_t>(), k, int8_t{127});
  const auto y = RunOp(OpKind::kDense, {x, w});
  ASSERT_EQ(y.status().code(), absl::StatusCode::kOutOfRange) << y.status();
  EXPECT_NE(y.status().message().find("2266950000"), std::string::npos) << y.status();
}

TEST(MatMul, BroadcastsBatchesAndPromotesVectors) {
  const struct {
    Shape a, b, out;
  } kCases[] = {
      {{3}, {3}, {}},           {{2, 3}, {3}, {2}}, {{3}, {3, 4}, {4}}, {{2, 3}, {3, 4}, {2, 4}}, {{5, 1, 2, 3}, {6, 3, 4}, {5, 6, 2, 4}},
      {{5, 2, 3}, {3}, {5, 2}},
  };
  Random r(2);
  for (const auto& c : kCases) {
    const Tensor a = r.FloatTensor(c.a), b = r.FloatTensor(c.b);
    const auto y = RunOp(OpKind::kMatMul, {a, b});
    ASSERT_TRUE(y.ok()) << y.status();
    EXPECT_EQ((*y)[0].shape(), c.out);
  }
  const Tensor a = r.FloatTensor({5, 1, 2, 3}), b = r.FloatTensor({6, 3, 4});
  const auto y = RunOp(OpKind::kMatMul, {a, b});
  for (int64_t e = 0; e < 5 * 6 * 2 * 4; ++e) {
    const int64_t j = e % 4, i = e / 4 % 2, q = e / 8 % 6, p = e / 48;
    double want = 0;
    for (int64_t k = 0; k < 3; ++k) want += static_cast<double>(a.data<float>()[(p * 2 + i) * 3 + k]) * b.data<float>()[(q * 3 + k) * 4 + j];
    ASSERT_NEAR((*y)[0].data<float>()[e], want, 1e-6);
  }
}

TEST(Gemm, TransposesScalesAndAdds) {
  const Tensor a = Floats({2, 3}, {1, 2, 3, 4, 5, 6});  // used as 3x2
  const Tensor b = Floats({2, 2}, {1, -1, 2, 0});       // transposed: {1, 2; -1, 0}
  const Tensor c = Floats({1, 2}, {10, 20});
  const auto y = RunOp(OpKind::kGemm, {a, b, c}, AttrsOf({{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 2.0f}, {"beta", 0.5f}}));
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_EQ(Values<float>((*y)[0]), (std::vector<float>{-1, 14, -1, 18, -1, 22}));
}

TEST(MatMul, RefusesUnequalInnerDimensions) {
  Random r(3);
  EXPECT_FALSE(RunOp(OpKind::kMatMul, {r.FloatTensor({2, 3}), r.FloatTensor({4, 2})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kMatMul, {r.FloatTensor({}), r.FloatTensor({4, 2})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kGemm, {r.FloatTensor({2, 3}), r.FloatTensor({3, 2}), r.FloatTensor({3})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kDense, {r.FloatTensor({2, 3}), r.FloatTensor({2, 4})}).ok());
}

}  // namespace
}  // namespace omkit::ir
