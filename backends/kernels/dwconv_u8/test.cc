#include "backends/kernels/conv_u8/reference.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "backends/kernels/dwconv_u8/rows.h"
#include "backends/kernels/registration.h"
#include "gtest/gtest.h"

namespace omkit::kernels {
namespace avxvnni_evex {
void DwConvU8(const KernelArgs& args);
}
namespace {

void CheckDwConv(const std::string& kernel, const ConvCase& c, int threads) {
  DwConvU8Params p = c.params;
  std::vector<uint8_t> remainders;
  if (!c.wide.empty()) {
    const auto arrays = SplitWeights(c.wide.data(), static_cast<int64_t>(c.wide.size()));
    p.remainders = static_cast<int32_t>(arrays.size()) - 1;
    for (size_t i = 1; i < arrays.size(); ++i) {
      const std::vector<uint8_t> packed = PackDwConvU8Weights(arrays[i].data(), p.groups, p.kernel_h, p.kernel_w);
      remainders.insert(remainders.end(), packed.begin(), packed.end());
    }
  }
  StepRunner runner(kernel, runtime::ParamBytes(p));
  AddOperands(c, PackDwConvU8Weights(c.weights.data(), p.groups, p.kernel_h, p.kernel_w), &runner, remainders);
  ASSERT_EQ(runner.Run(threads), absl::OkStatus());
  ASSERT_EQ(runner.Bytes(4), ReferenceConv(c)) << "in " << p.in.dims[1] << "x" << p.in.dims[2] << "x" << p.in.dims[3] << " kernel " << p.kernel_h
                                               << "x" << p.kernel_w << " stride " << p.stride_h << "x" << p.stride_w << " dilation " << p.dilation_h
                                               << "x" << p.dilation_w << " threads " << threads << " float " << p.float_output << " residual "
                                               << p.has_residual;
}

// Shapes with a loop of their own.
ConvChoice FastChoice(int kernel, int stride, int i) {
  ConvChoice choice;
  choice.depthwise = true;
  choice.kernel = kernel;
  choice.stride = stride;
  choice.dense = i % 2 == 0;
  choice.width = i % 3 == 0 ? 1 + i / 3 : 0;
  choice.in_channels = i % 5 == 0 ? 64 : 0;
  return choice;
}

class DwConvU8Test : public testing::TestWithParam<Isa> {
 protected:
  static void SetUpTestSuite() { RegisterDwConvU8Kernels(); }
  void Check(const ConvCase& c, int threads) { CheckDwConv(DwConvU8Kernel(GetParam()), c, threads); }
};

TEST_P(DwConvU8Test, EqualsNestedLoopsOnRandomCases) {
  Random random(21);
  ConvChoice choice;
  choice.depthwise = true;
  for (int i = 0; i < 200; ++i) ASSERT_NO_FATAL_FAILURE(Check(RandomConvCase(random, choice), 1 + i % 5)) << "case " << i;
}

TEST_P(DwConvU8Test, EqualsNestedLoopsOnFastShapes) {
  Random random(22);
  for (int kernel : {3, 5}) {
    for (int stride : {1, 2}) {
      for (int i = 0; i < 30; ++i) {
        ASSERT_NO_FATAL_FAILURE(Check(RandomConvCase(random, FastChoice(kernel, stride, i)), 1 + i % 5)) << "case " << i;
      }
    }
  }
}

TEST_P(DwConvU8Test, EqualsNestedLoopsWithTheLeastWeights) {
  Random random(26);
  for (int i = 0; i < 60; ++i) {
    ConvCase c = RandomConvCase(random, FastChoice(i % 3 == 0 ? 0 : i % 3 == 1 ? 3 : 5, i % 3 == 0 ? 0 : 1 + i / 3 % 2, i / 6));
    MakeLeast(random, GetParam(), &c);
    ASSERT_NO_FATAL_FAILURE(Check(c, 1 + i % 5)) << "case " << i;
  }
}

TEST_P(DwConvU8Test, EqualsNestedLoopsWithWeightsBeyondInt8) {
  Random random(25);
  for (int i = 0; i < 240; ++i) {
    ConvCase c = RandomConvCase(random, FastChoice(i % 3 == 0 ? 0 : i % 3 == 1 ? 3 : 5, i % 3 == 0 ? 0 : 1 + i / 3 % 2, i / 6));
    MakeWide(random, &c);
    ASSERT_NO_FATAL_FAILURE(Check(c, 1 + i % 5)) << "case " << i;
  }
}

TEST_P(DwConvU8Test, RefusesStepsThatWouldLeaveTheirOperands) {
  Random random(23);
  ConvChoice choice;
  choice.depthwise = choice.dense = true;
  choice.kernel = 3;
  choice.in_channels = 24;
  choice.stride = 1;
  const ConvCase good = RandomConvCase(random, choice);
  const std::vector<uint8_t> packed = PackDwConvU8Weights(good.weights.data(), 24, 3, 3);
  const auto verify = [&](auto damage, const std::vector<uint8_t>& remainders = {}) {
    DwConvU8Params p = good.params;
    damage(&p);
    StepRunner runner(DwConvU8Kernel(GetParam()), runtime::ParamBytes(p));
    AddOperands(good, packed, &runner, remainders);
    return runner.Verify();
  };
  const std::vector<uint8_t> two(2 * packed.size());
  EXPECT_EQ(verify([](DwConvU8Params* p) { p->remainders = 2; }, two), absl::OkStatus());
  for (int32_t arrays : {-1, 0, 1, 3, 1 << 24}) {
    EXPECT_FALSE(verify([&](DwConvU8Params* p) { p->remainders = arrays; }, two).ok()) << arrays;
  }
  EXPECT_FALSE(verify([](DwConvU8Params* p) { p->remainders = 1; }).ok());
  EXPECT_EQ(verify([](DwConvU8Params*) {}), absl::OkStatus());
  EXPECT_FALSE(verify([](DwConvU8Params* p) { p->groups = 1; }).ok());
  EXPECT_FALSE(verify([](DwConvU8Params* p) { p->out.dims[3] = 12; }).ok());
  EXPECT_FALSE(verify([](DwConvU8Params* p) { p->kernel_h = 5; }).ok());
  EXPECT_FALSE(verify([](DwConvU8Params* p) { p->in.offset += 1; }).ok());
  EXPECT_FALSE(verify([](DwConvU8Params* p) { p->stride_w = 0; }).ok());
  EXPECT_FALSE(verify([](DwConvU8Params* p) { p->pad_left = 100; }).ok());
}

#if defined(__x86_64__)
TEST(DwConvU8AvxVnniTest, EqualsNestedLoopsInItsAvx512Encoding) {
  if (!CpuSupports(Isa::kAvx512Vnni)) GTEST_SKIP() << "skipped: this machine has no AVX512-VNNI";
  RegisterDwConvU8Kernels();
  static runtime::KernelDef row;
  for (const runtime::KernelDef& each : DwConvU8Rows()) {
    if (absl::string_view(each.name) == "dwconv_u8.avxvnni") row = each;
  }
  row.name = "dwconv_u8.avxvnni_evex";
  row.run = RunTier<avxvnni_evex::DwConvU8>;
  ASSERT_EQ(runtime::RegisterKernel(&row), absl::OkStatus());
  Random random(24);
  for (int i = 0; i < 120; ++i) {
    const ConvChoice choice = FastChoice(i % 3 == 0 ? 0 : i % 3 == 1 ? 3 : 5, i % 3 == 0 ? 0 : 1 + i % 2, i);
    ConvCase c = RandomConvCase(random, choice);
    if (i % 4 == 0) MakeWide(random, &c);
    ASSERT_NO_FATAL_FAILURE(CheckDwConv(row.name, c, 1 + i % 5)) << "case " << i;
  }
}
#endif

INSTANTIATE_TEST_SUITE_P(Tiers, DwConvU8Test, testing::ValuesIn(RunnableTiers()), [](const auto& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace omkit::kernels
