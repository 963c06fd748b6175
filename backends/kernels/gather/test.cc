#include "backends/kernels/gather/gather.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

class GatherTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterGatherKernels(); }
};

TEST_F(GatherTest, CopiesSlicesAndClampsIndices) {
  Random random(81);
  for (int i = 0; i < 80; ++i) {
    GatherParams p = {Pick(random, 1, 4), Pick(random, 1, 9), Pick(random, 1, 20), Pick(random, 1, 12), 1 << (i % 4), i % 2 ? 4 : 8};
    const int64_t slice = p.inner * p.element_size;
    const std::vector<uint8_t> data = RandomBytes(random, p.outer * p.axis * slice), old = RandomBytes(random, p.outer * p.index_count * slice);
    std::vector<int64_t> indices(p.index_count);
    const int64_t extremes[4] = {INT32_MIN, INT32_MAX, -p.axis - 1, p.axis};
    for (int64_t& index : indices) index = Pick(random, 0, 9) ? Pick(random, -p.axis, p.axis - 1) : extremes[Pick(random, 0, 3)];
    const StepOperand table = p.index_size == 8 ? Arena(indices) : Arena(std::vector<int32_t>(indices.begin(), indices.end()));
    std::vector<uint8_t> got, want = old;
    for (int64_t o = 0; o < p.outer; ++o) {
      for (int64_t j = 0; j < p.index_count; ++j) {
        int64_t index = indices[j] < 0 ? indices[j] + p.axis : indices[j];
        index = std::min(std::max<int64_t>(index, 0), p.axis - 1);
        std::memcpy(&want[(o * p.index_count + j) * slice], &data[(o * p.axis + index) * slice], slice);
      }
    }
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(GatherKernel, p, {Arena(data), table, Arena(old)}, 2, &got));
    ASSERT_TRUE(got == want) << "case " << i;
  }
}

TEST_F(GatherTest, ExtremeInt64IndicesStayInside) {
  const GatherParams p = {1, 3, 1, 2, 4, 8};
  const std::vector<float> data = {1.0f, 2.0f, 3.0f};
  std::vector<uint8_t> got;
  ASSERT_NO_FATAL_FAILURE(
      RunAllTiers(GatherKernel, p, {Arena(data), Arena(std::vector<int64_t>{INT64_MIN, INT64_MAX}), Arena(std::vector<float>(2))}, 2, &got));
  EXPECT_EQ(got, Arena(std::vector<float>{1.0f, 3.0f}).bytes);
}

TEST_F(GatherTest, RefusesStepsThatWouldLeaveTheirOperands) {
  const GatherParams good = {2, 3, 4, 5, 4, 8};
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(24)), Arena(std::vector<int64_t>(5)), Arena(std::vector<float>(40))};
  ASSERT_EQ(VerifyStep(GatherKernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    GatherParams p = good;
    damage(&p);
    return !VerifyStep(GatherKernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](GatherParams* p) { p->axis = 4; }));
  EXPECT_TRUE(refused([](GatherParams* p) { p->axis = 0; }));
  EXPECT_TRUE(refused([](GatherParams* p) { p->outer = 3; }));
  EXPECT_TRUE(refused([](GatherParams* p) { p->inner = -4; }));
  EXPECT_TRUE(refused([](GatherParams* p) { p->index_count = 6; }));
  EXPECT_TRUE(refused([](GatherParams* p) { p->index_size = 4; }));
  EXPECT_TRUE(refused([](GatherParams* p) { p->index_size = 6; }));
  EXPECT_TRUE(refused([](GatherParams* p) { p->element_size = 8; }));
  EXPECT_TRUE(refused([](GatherParams* p) { p->outer = p->inner = int64_t{1} << 40; }));
}

}  // namespace
}  // namespace omkit::kernels
