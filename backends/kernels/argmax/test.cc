#include <cmath>

#include "backends/kernels/argmax/argmax.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

class ArgMaxTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterArgMaxKernels(); }
};

TEST_F(ArgMaxTest, FindsFirstOrLastExtreme) {
  Random random(91);
  for (int i = 0; i < 100; ++i) {
    std::vector<int64_t> dims = RandomDims(random, 1000);
    if (dims.empty()) dims.push_back(5);
    int64_t ni, no;
    ArgMaxParams p = {};
    const bool bytes = i % 5 == 0, line = i % 4 < 2;
    if (line) dims.back() = Pick(random, 1, 70);
    p.in = line ? DenseView(dims.data(), static_cast<int>(dims.size()), bytes ? 1 : 4) : RandomView(random, dims, bytes ? 1 : 4, i % 3 == 0, &ni);
    if (line) ni = p.in.elements();
    p.axis = line ? p.in.rank - 1 : static_cast<int32_t>(Pick(random, 0, p.in.rank - 1));
    p.minimum = i % 2;
    p.select_last = i / 2 % 2;
    dims[p.axis] = 1;
    p.out = RandomView(random, dims, 8, false, &no);
    std::vector<float> in(ni);
    for (float& v : in) v = static_cast<float>(Pick(random, bytes ? 0 : -2, 2));  // many ties
    std::vector<uint8_t> in_bytes;
    for (float v : in) in_bytes.push_back(static_cast<uint8_t>(bytes ? v : 0));
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
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(ArgMaxKernel, p, {bytes ? Arena(in_bytes) : Arena(in), Arena(old)}, 1, &got));
    ASSERT_EQ(got, Arena(want).bytes) << "case " << i;
  }
}

TEST_F(ArgMaxTest, NanNeverWins) {
  const int64_t dims[1] = {4}, one[1] = {1};
  const ArgMaxParams p = {DenseView(dims, 1, 4), DenseView(one, 1, 8), 0, 0, 0};
  std::vector<uint8_t> got;
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(ArgMaxKernel, p, {Arena(std::vector<float>{NAN, 1.0f, NAN, 2.0f}), Arena(std::vector<int64_t>(1))}, 1, &got));
  EXPECT_EQ(got, Arena(std::vector<int64_t>{3}).bytes);
  // The first and the only number is the least there is.
  const std::vector<float> least = {NAN, -INFINITY, NAN, NAN}, none = {NAN, NAN, NAN, NAN};
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(ArgMaxKernel, p, {Arena(least), Arena(std::vector<int64_t>(1))}, 1, &got));
  EXPECT_EQ(got, Arena(std::vector<int64_t>{1}).bytes);
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(ArgMaxKernel, p, {Arena(none), Arena(std::vector<int64_t>(1))}, 1, &got));
  EXPECT_EQ(got, Arena(std::vector<int64_t>{0}).bytes);
}

TEST_F(ArgMaxTest, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t dims[2] = {3, 4}, kept[2] = {3, 1};
  const ArgMaxParams good = {DenseView(dims, 2, 4), DenseView(kept, 2, 8), 1, 0, 0};
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(12)), Arena(std::vector<int64_t>(3))};
  ASSERT_EQ(VerifyStep(ArgMaxKernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    ArgMaxParams p = good;
    damage(&p);
    return !VerifyStep(ArgMaxKernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](ArgMaxParams* p) { p->axis = 0; }));
  EXPECT_TRUE(refused([](ArgMaxParams* p) { p->axis = 2; }));
  EXPECT_TRUE(refused([](ArgMaxParams* p) { p->in.dims[1] = 0; }));
  EXPECT_TRUE(refused([](ArgMaxParams* p) { p->in.dims[1] = 5; }));
  EXPECT_TRUE(refused([](ArgMaxParams* p) { p->out.element_size = 4; }));
  EXPECT_TRUE(refused([](ArgMaxParams* p) { p->in.rank = p->out.rank = 0; }));
}

}  // namespace
}  // namespace omkit::kernels
