#include "backends/kernels/binary_u8/binary_u8.h"
#include "backends/kernels/step_views.h"
#include "base/quant.h"
#include "gtest/gtest.h"

namespace omkit::kernels {
namespace {

BinaryU8Params RandomParams(Random& random) {
  BinaryU8Params p = {};
  p.op = static_cast<BinaryU8Op>(Pick(random, 0, 2));
  p.a_zero = static_cast<int32_t>(Pick(random, 0, 255));
  p.b_zero = static_cast<int32_t>(Pick(random, 0, 255));
  p.out_zero = static_cast<int32_t>(Pick(random, 0, 255));
  const float unit = p.op == BinaryU8Op::kMul ? 1e-4f : 1e-2f;
  // Multiples of 1/4 make exact halves common.
  p.a_multiplier = Pick(random, 0, 3) ? static_cast<float>(Pick(random, 1, 200)) * unit : 0.25f;
  p.b_multiplier = Pick(random, 0, 3) ? static_cast<float>(Pick(random, 1, 200)) * unit : 0.25f;
  // Of outputs that were nearly constant in calibration: results saturate, and products may leave int32.
  if (Pick(random, 0, 7) == 0) p.a_multiplier = Pick(random, 0, 1) ? 3.9e6f : 1e7f;
  if (Pick(random, 0, 7) == 0) p.b_multiplier = Pick(random, 0, 1) ? 3.9e6f : 1e7f;
  p.clamp_min = Pick(random, 0, 1) ? 0 : static_cast<int32_t>(Pick(random, 0, 255));
  p.clamp_max = Pick(random, 0, 1) ? 255 : static_cast<int32_t>(Pick(random, p.clamp_min, 255));
  return p;
}

uint8_t Reference(const BinaryU8Params& p, uint8_t a, uint8_t b) {
  const int32_t x = a - p.a_zero, y = b - p.b_zero;
  const float left = static_cast<float>(x) * p.a_multiplier, right = static_cast<float>(y) * p.b_multiplier;
  const float v = p.op == BinaryU8Op::kAdd ? left + right : p.op == BinaryU8Op::kSub ? left - right : static_cast<float>(x * y) * p.a_multiplier;
  return static_cast<uint8_t>(RoundToQuantized(v, p.out_zero, p.clamp_min, p.clamp_max));
}

class BinaryU8Test : public testing::TestWithParam<Isa> {
 protected:
  static void SetUpTestSuite() { RegisterBinaryU8Kernels(); }

  void Check(const BinaryU8Params& p, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b, const std::vector<uint8_t>& out, int threads) {
    StepRunner runner(BinaryU8Kernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kArena, a);
    runner.Add(runtime::Space::kArena, b);
    runner.Add(runtime::Space::kArena, out);
    ASSERT_EQ(runner.Run(threads), absl::OkStatus());
    std::vector<uint8_t> want = out;
    ForEach({&p.a, &p.b, &p.out}, [&](const auto&, const auto& at) { want[at[2]] = Reference(p, a[at[0]], b[at[1]]); });
    ASSERT_EQ(runner.Bytes(2), want);
  }
};

TEST_P(BinaryU8Test, EveryPairOfBytes) {
  Random random(61);
  std::vector<uint8_t> a, b;
  for (int i = 0; i < 65536; ++i) a.push_back(static_cast<uint8_t>(i >> 8)), b.push_back(static_cast<uint8_t>(i));
  const int64_t dims[1] = {65536};
  for (int i = 0; i < 24; ++i) {
    BinaryU8Params p = RandomParams(random);
    p.a = p.b = p.out = DenseView(dims, 1, 1);
    ASSERT_NO_FATAL_FAILURE(Check(p, a, b, RandomBytes(random, 65536), 1 + i % 3)) << "op " << static_cast<int>(p.op);
  }
}

TEST_P(BinaryU8Test, EqualsElementByElementOnAnyViews) {
  Random random(62);
  for (int i = 0; i < 300; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 3000);
    BinaryU8Params p = RandomParams(random);
    int64_t na, nb, no;
    p.a = RandomView(random, dims, 1, i % 2, &na);
    p.b = RandomView(random, dims, 1, i % 3, &nb);
    p.out = RandomView(random, dims, 1, false, &no);
    ASSERT_NO_FATAL_FAILURE(Check(p, RandomBytes(random, na), RandomBytes(random, nb), RandomBytes(random, no), 1 + i % 5)) << "case " << i;
  }
}

TEST_P(BinaryU8Test, RefusesStepsThatWouldLeaveTheirOperands) {
  Random random(63);
  const int64_t dims[2] = {4, 25};
  BinaryU8Params good = RandomParams(random);
  good.a = good.b = good.out = DenseView(dims, 2, 1);
  const auto verify = [&](auto damage) {
    BinaryU8Params p = good;
    damage(&p);
    StepRunner runner(BinaryU8Kernel(GetParam()), runtime::ParamBytes(p));
    for (int i = 0; i < 3; ++i) runner.Add(runtime::Space::kArena, std::vector<uint8_t>(100));
    return runner.Verify().ok();
  };
  EXPECT_TRUE(verify([](BinaryU8Params*) {}));
  EXPECT_TRUE(verify([](BinaryU8Params* p) { p->b.strides[0] = 0; }));
  EXPECT_FALSE(verify([](BinaryU8Params* p) { p->b.strides[0] = 26; }));
  EXPECT_FALSE(verify([](BinaryU8Params* p) { p->a.dims[1] = 24; }));
  EXPECT_FALSE(verify([](BinaryU8Params* p) { p->out.offset = 1; }));
  EXPECT_FALSE(verify([](BinaryU8Params* p) { p->op = static_cast<BinaryU8Op>(3); }));
  EXPECT_FALSE(verify([](BinaryU8Params* p) { p->out_zero = -1; }));
  EXPECT_FALSE(verify([](BinaryU8Params* p) { p->clamp_max = 256; }));
}

INSTANTIATE_TEST_SUITE_P(Tiers, BinaryU8Test, testing::ValuesIn(RunnableTiers()), [](const auto& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace omkit::kernels
