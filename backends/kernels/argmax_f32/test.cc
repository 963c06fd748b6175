#include <cmath>

#include "backends/kernels/argmax_f32/argmax_f32.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

class ArgMaxF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterArgMaxF32Kernels(); }
};

TEST_F(ArgMaxF32Test, FindsFirstOrLastExtreme) {
  Random random(91);
  for (int i = 0; i < 100; ++i) {
    std::vector<int64_t> dims = RandomDims(random, 1000);
    if (dims.empty()) dims.push_back(5);
    int64_t ni, no;
    ArgMaxF32Params p = {};
    p.in = RandomView(random, dims, 4, i % 3 == 0, &ni);
    p.axis = static_cast<int32_t>(Pick(random, 0, p.in.rank - 1));
    p.minimum = i % 2;
    p.select_last = i / 2 % 2;
    dims[p.axis] = 1;
    p.out = RandomView(random, dims, 8, false, &no);
    std::vector<float> in(ni);
    for (float& v : in) v = static_cast<float>(Pick(random, -2, 2));  // many ties
    const std::vector<int64_t> old(no, -7);
    std::vector<int64_t> want = old;
    ForEach({&p.out}, [&](const std::vector<int64_t>& index, const std::vector<int64_t>& at) {
      int64_t first = p.in.offset, best = 0;
      for (int d = 0; d < p.in.rank; ++d) first += index[d] * p.in.strides[d];
      for (int64_t k = 1; k < p.in.dims[p.axis]; ++k) {
        const float v = in[first + k * p.in.strides[p.axis]], top = in[first + best * p.in.strides[p.axis]];
        if ((p.minimum ? v < top : v > top) || (p.select_last && v == top)) best = k;
      }
      want[at[0]] = best;
    });
    std::vector<uint8_t> got;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(ArgMaxF32Kernel, p, {Arena(in), Arena(old)}, 1, &got));
    ASSERT_EQ(got, Arena(want).bytes) << "case " << i;
  }
}

TEST_F(ArgMaxF32Test, NanNeverWins) {
  const int64_t dims[1] = {4}, one[1] = {1};
  const ArgMaxF32Params p = {DenseView(dims, 1, 4), DenseView(one, 1, 8), 0, 0, 0};
  std::vector<uint8_t> got;
  ASSERT_NO_FATAL_FAILURE(
      RunAllTiers(ArgMaxF32Kernel, p, {Arena(std::vector<float>{NAN, 1.0f, NAN, 2.0f}), Arena(std::vector<int64_t>(1))}, 1, &got));
  EXPECT_EQ(got, Arena(std::vector<int64_t>{3}).bytes);
}

TEST_F(ArgMaxF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t dims[2] = {3, 4}, kept[2] = {3, 1};
  const ArgMaxF32Params good = {DenseView(dims, 2, 4), DenseView(kept, 2, 8), 1, 0, 0};
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(12)), Arena(std::vector<int64_t>(3))};
  ASSERT_EQ(VerifyStep(ArgMaxF32Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    ArgMaxF32Params p = good;
    damage(&p);
    return !VerifyStep(ArgMaxF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](ArgMaxF32Params* p) { p->axis = 0; }));
  EXPECT_TRUE(refused([](ArgMaxF32Params* p) { p->axis = 2; }));
  EXPECT_TRUE(refused([](ArgMaxF32Params* p) { p->in.dims[1] = 0; }));
  EXPECT_TRUE(refused([](ArgMaxF32Params* p) { p->in.dims[1] = 5; }));
  EXPECT_TRUE(refused([](ArgMaxF32Params* p) { p->out.element_size = 4; }));
  EXPECT_TRUE(refused([](ArgMaxF32Params* p) { p->in.rank = p->out.rank = 0; }));
}

}  // namespace
}  // namespace omkit::kernels
