// Arithmetic with broadcasting: integers against the contract, wrap-around, refusals; comparisons and selection.
#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

TEST(Binary, IntegerMatchesContract) {
  Random r(1);
  for (int round = 0; round < 90; ++round) {
    const OpKind op = round % 3 == 0 ? OpKind::kAdd : round % 3 == 1 ? OpKind::kSub : OpKind::kMul;
    const DType dtype = r.Coin() ? DType::kUInt8 : DType::kInt8;
    const Tensor a = r.Quantized(dtype, {2, 3, 4}, r.PerTensor(dtype));
    const Tensor b = r.Quantized(DType::kUInt8, {3, 1}, r.PerTensor(DType::kUInt8));
    const QuantParams q = r.PerTensor(DType::kUInt8);
    const auto y = RunOp(op, {a, b}, {}, 1, {DType::kUInt8, {}, q, Layout::kPlain});
    ASSERT_TRUE(y.ok()) << y.status();
    const double sa = a.type().quant.scale[0], sb = b.type().quant.scale[0], sy = q.scale[0];
    for (int64_t e = 0; e < 24; ++e) {
      const auto da = static_cast<float>(IntegerAt(a, e) - a.type().quant.zero_point[0]);
      const auto db = static_cast<float>(IntegerAt(b, e / 4 % 3) - b.type().quant.zero_point[0]);
      float v = da * db * static_cast<float>(sa * sb / sy);
      if (op == OpKind::kAdd) v = da * static_cast<float>(sa / sy) + db * static_cast<float>(sb / sy);
      if (op == OpKind::kSub) v = da * static_cast<float>(sa / sy) - db * static_cast<float>(sb / sy);
      v = std::nearbyint(v) + static_cast<float>(q.zero_point[0]);
      ASSERT_EQ(IntegerAt((*y)[0], e), static_cast<int64_t>(std::min(std::max(v, 0.0f), 255.0f)));
    }
  }
}

TEST(Binary, MixedOperandsAndFusedClampAreFloat) {
  Tensor a = *Tensor::Allocate({DType::kUInt8, {3}, QuantParams::PerTensor(0.5f, 2), Layout::kPlain});
  const uint8_t data[] = {0, 2, 10};  // -1, 0, 4
  std::copy(data, data + 3, a.mutable_data<uint8_t>());
  const auto y = RunOp(OpKind::kAdd, {a, Floats({}, {1.5f})}, AttrsOf({{"act_min", 1.0f}, {"act_max", 5.0f}}));
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_EQ(Values<float>((*y)[0]), (std::vector<float>{1.0f, 1.5f, 5.0f}));
}

TEST(Binary, IntegersWrapAndTruncate) {
  const int32_t max = std::numeric_limits<int32_t>::max(), min = std::numeric_limits<int32_t>::min();
  const auto run = [](OpKind op, std::vector<int32_t> a, std::vector<int32_t> b, Attrs attrs = {}) {
    const auto n = static_cast<int64_t>(a.size());
    auto y = RunOp(op, {Of<int32_t>({n}, a), Of<int32_t>({n}, b)}, attrs);
    EXPECT_TRUE(y.ok()) << y.status();
    return y.ok() ? Values<int32_t>((*y)[0]) : std::vector<int32_t>();
  };
  EXPECT_EQ(run(OpKind::kAdd, {max}, {1}), (std::vector<int32_t>{min}));
  EXPECT_EQ(run(OpKind::kMul, {max}, {2}), (std::vector<int32_t>{-2}));
  EXPECT_EQ(run(OpKind::kDiv, {7, -7, min}, {2, 2, -1}), (std::vector<int32_t>{3, -3, min}));
  EXPECT_EQ(run(OpKind::kMod, {-4, 7, 5, -4, 7, 8}, {2, -3, 8, 2, 3, -5}), (std::vector<int32_t>{0, -2, 5, 0, 1, -2}));
  EXPECT_EQ(run(OpKind::kMod, {-4, 7, 5, -7}, {3, -3, 8, 3}, AttrsOf({{"fmod", int64_t{1}}})), (std::vector<int32_t>{-1, 1, 5, -1}));
  EXPECT_EQ(run(OpKind::kPow, {2, -3, 2}, {10, 3, -1}), (std::vector<int32_t>{1024, -27, 0}));
}

TEST(Binary, RefusesZeroDivisorsAndMixedTypes) {
  const Tensor one = Of<int32_t>({1}, {1}), zero = Of<int32_t>({1}, {0});
  EXPECT_FALSE(RunOp(OpKind::kDiv, {one, zero}).ok());
  EXPECT_FALSE(RunOp(OpKind::kMod, {one, zero}).ok());
  EXPECT_FALSE(RunOp(OpKind::kAdd, {one, Floats({1}, {1})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kAdd, {Floats({2}, {1, 2}), Floats({3}, {1, 2, 3})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kMod, {Floats({1}, {1}), Floats({1}, {1})}).ok());
}

TEST(Binary, MaxAndMinFoldOverBroadcastInputs) {
  const Tensor a = Floats({2, 1}, {1, 5}), b = Floats({3}, {2, 0, 9}), c = Floats({}, {3});
  EXPECT_EQ(Values<float>((*RunOp(OpKind::kMax, {a, b, c}))[0]), (std::vector<float>{3, 3, 9, 5, 5, 9}));
  EXPECT_EQ(Values<float>((*RunOp(OpKind::kMin, {a, b, c}))[0]), (std::vector<float>{1, 0, 1, 2, 0, 3}));
  const float nan = std::nanf("");
  EXPECT_TRUE(std::isnan((*RunOp(OpKind::kMax, {Floats({1}, {nan}), c}))[0].data<float>()[0]));
  EXPECT_TRUE(std::isnan((*RunOp(OpKind::kMax, {c, Floats({1}, {nan})}))[0].data<float>()[0]));
}

TEST(Compare, OrdersSelectsAndCombines) {
  const Tensor a = Of<int64_t>({3}, {1, 2, 3}), b = Of<int64_t>({3}, {3, 2, 1});
  EXPECT_EQ(Values<bool>((*RunOp(OpKind::kLess, {a, b}))[0]), (std::vector<bool>{true, false, false}));
  EXPECT_EQ(Values<bool>((*RunOp(OpKind::kGreaterOrEqual, {a, b}))[0]), (std::vector<bool>{false, true, true}));
  const Tensor condition = (*RunOp(OpKind::kEqual, {a, b}))[0];
  EXPECT_EQ(Values<int64_t>((*RunOp(OpKind::kWhere, {condition, a, Of<int64_t>({}, {7})}))[0]), (std::vector<int64_t>{7, 2, 7}));
  EXPECT_EQ(Values<bool>((*RunOp(OpKind::kNot, {condition}))[0]), (std::vector<bool>{true, false, true}));
  EXPECT_FALSE(RunOp(OpKind::kWhere, {a, a, b}).ok());
  EXPECT_FALSE(RunOp(OpKind::kAnd, {a, b}).ok());
}

}  // namespace
}  // namespace omkit::ir
