#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/step_views.h"
#include "gtest/gtest.h"

namespace omkit::kernels {
namespace {

class LutU8Test : public testing::TestWithParam<Isa> {
 protected:
  static void SetUpTestSuite() { RegisterLutU8Kernels(); }
};

TEST_P(LutU8Test, EqualsElementByElement) {
  Random random(51);
  for (int i = 0; i < 300; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 5000);
    LutU8Params p;
    int64_t in_elements, out_elements;
    p.in = RandomView(random, dims, 1, true, &in_elements);
    p.out = RandomView(random, dims, 1, false, &out_elements);
    const std::vector<uint8_t> in = RandomBytes(random, in_elements), table = RandomBytes(random, 256), out = RandomBytes(random, out_elements);
    StepRunner runner(LutU8Kernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kArena, in);
    runner.Add(runtime::Space::kWeights, table);
    runner.Add(runtime::Space::kArena, out);
    ASSERT_EQ(runner.Run(1 + i % 5), absl::OkStatus());
    std::vector<uint8_t> want = out;
    ForEach({&p.in, &p.out}, [&](const auto&, const auto& at) { want[at[1]] = table[in[at[0]]]; });
    ASSERT_EQ(runner.Bytes(2), want) << "case " << i;
  }
}

TEST_P(LutU8Test, RefusesShortTablesAndViews) {
  const int64_t dims[1] = {100};
  LutU8Params p = {DenseView(dims, 1, 1), DenseView(dims, 1, 1)};
  StepRunner runner(LutU8Kernel(GetParam()), runtime::ParamBytes(p));
  runner.Add(runtime::Space::kArena, std::vector<uint8_t>(100));
  runner.Add(runtime::Space::kWeights, std::vector<uint8_t>(256));
  runner.Add(runtime::Space::kArena, std::vector<uint8_t>(100));
  EXPECT_EQ(runner.Verify(), absl::OkStatus());
  for (int i = 0; i < 3; ++i) {
    runner.step().operands[i].size -= 1;
    EXPECT_FALSE(runner.Verify().ok()) << i;
    runner.step().operands[i].size += 1;
  }
  p.out.dims[0] = 99;
  runner.step().params = runtime::ParamBytes(p);
  EXPECT_FALSE(runner.Verify().ok());
}

INSTANTIATE_TEST_SUITE_P(Tiers, LutU8Test, testing::ValuesIn(RunnableTiers()), [](const auto& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace omkit::kernels
