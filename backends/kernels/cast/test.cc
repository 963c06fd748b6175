#include <cmath>
#include <limits>

#include "backends/kernels/cast/cast.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

template <typename From, typename To>
void ExpectCast(DType from, DType to, const std::vector<From>& in, const std::vector<To>& want) {
  const int64_t dims[1] = {static_cast<int64_t>(in.size())};
  const CastParams p = {DenseView(dims, 1, static_cast<int>(sizeof(From))), DenseView(dims, 1, static_cast<int>(sizeof(To))), from, to};
  std::vector<uint8_t> got;
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(CastKernel, p, {Arena(in), Arena(std::vector<To>(in.size()))}, 1, &got));
  EXPECT_EQ(got, Arena(want).bytes) << Name(from) << " to " << Name(to);
}

class CastTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterCastKernels(); }
};

TEST_F(CastTest, ValuesOfEveryKind) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {0.0f, -0.9f, 1.9f, -2.5f, 300.0f, -300.0f, 3e9f, -3e9f, 1e20f, inf, -inf, nan};
  ExpectCast<float, uint8_t>(DType::kFloat32, DType::kUInt8, x, {0, 0, 1, 0, 255, 0, 255, 0, 255, 255, 0, 0});
  ExpectCast<float, int8_t>(DType::kFloat32, DType::kInt8, x, {0, 0, 1, -2, 127, -128, 127, -128, 127, 127, -128, 0});
  ExpectCast<float, int32_t>(DType::kFloat32, DType::kInt32, x, {0, 0, 1, -2, 300, -300, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MAX, INT32_MIN, 0});
  ExpectCast<float, int64_t>(DType::kFloat32, DType::kInt64, x,
                             {0, 0, 1, -2, 300, -300, 3000000000, -3000000000, INT64_MAX, INT64_MAX, INT64_MIN, 0});
  ExpectCast<float, uint8_t>(DType::kFloat32, DType::kBool, x, {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  ExpectCast<float, uint16_t>(DType::kFloat32, DType::kFloat16, {1.0f, -2.0f, 65536.0f}, {0x3c00, 0xc000, 0x7c00});
  ExpectCast<uint16_t, float>(DType::kFloat16, DType::kFloat32, {0x3c00, 0xc000, 0x7c00}, {1.0f, -2.0f, inf});
  ExpectCast<uint16_t, float>(DType::kBFloat16, DType::kFloat32, {0x3f80, 0xc000}, {1.0f, -2.0f});
  ExpectCast<int64_t, float>(DType::kInt64, DType::kFloat32, {0, -5, 16777217}, {0.0f, -5.0f, 16777216.0f});
  ExpectCast<int64_t, int32_t>(DType::kInt64, DType::kInt32, {1, -1, (int64_t{1} << 32) + 7}, {1, -1, 7});
  ExpectCast<uint8_t, int64_t>(DType::kUInt8, DType::kInt64, {0, 255}, {0, 255});
  ExpectCast<uint8_t, float>(DType::kBool, DType::kFloat32, {0, 1, 2}, {0.0f, 1.0f, 1.0f});
  ExpectCast<int32_t, uint16_t>(DType::kInt32, DType::kFloat16, {1, -2}, {0x3c00, 0xc000});
}

TEST_F(CastTest, AnyViews) {
  Random random(101);
  for (int i = 0; i < 60; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 2000);
    int64_t ni, no;
    CastParams p = {};
    p.from = DType::kUInt8;
    p.to = DType::kFloat32;
    p.in = RandomView(random, dims, 1, i % 2, &ni);
    p.out = RandomView(random, dims, 4, false, &no);
    const std::vector<uint8_t> in = RandomBytes(random, ni);
    const auto reference = [&](const std::vector<int64_t>& index) -> double {
      int64_t at = p.in.offset;
      for (int d = 0; d < p.in.rank; ++d) at += index[d] * p.in.strides[d];
      return in[at];
    };
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(CastKernel, p, {Arena(in), Arena(RandomFloats(random, no))}, 1, p.out, reference, 0, 0)) << "case " << i;
  }
}

TEST_F(CastTest, RefusesTypesAndViewsItCannotConvert) {
  const int64_t dims[1] = {6};
  const CastParams good = {DenseView(dims, 1, 4), DenseView(dims, 1, 8), DType::kFloat32, DType::kInt64};
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(6)), Arena(std::vector<int64_t>(6))};
  ASSERT_EQ(VerifyStep(CastKernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    CastParams p = good;
    damage(&p);
    return !VerifyStep(CastKernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](CastParams* p) { p->to = DType::kUInt64; }));
  EXPECT_TRUE(refused([](CastParams* p) { p->to = DType::kFloat64; }));
  EXPECT_TRUE(refused([](CastParams* p) { p->to = static_cast<DType>(77); }));
  EXPECT_TRUE(refused([](CastParams* p) { p->from = DType::kUndefined; }));
  EXPECT_TRUE(refused([](CastParams* p) { p->to = DType::kUInt8; }));
  EXPECT_TRUE(refused([](CastParams* p) { p->in.dims[0] = 5; }));
  EXPECT_TRUE(refused([](CastParams* p) { p->in.dims[0] = p->out.dims[0] = 7; }));
}

}  // namespace
}  // namespace omkit::kernels
