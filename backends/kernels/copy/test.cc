#include <cstring>

#include "backends/kernels/copy/copy.h"
#include "backends/kernels/step_views.h"
#include "gtest/gtest.h"

namespace omkit::kernels {
namespace {

class CopyTest : public testing::TestWithParam<Isa> {
 protected:
  static void SetUpTestSuite() { RegisterCopyKernels(); }

  void Check(const CopyParams& p, int64_t in_elements, int64_t out_elements, int threads, Random& random) {
    const int size = p.out.element_size;
    const std::vector<uint8_t> in = RandomBytes(random, in_elements * size), out = RandomBytes(random, out_elements * size);
    StepRunner runner(CopyKernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kArena, in);
    runner.Add(runtime::Space::kArena, out);
    ASSERT_EQ(runner.Run(threads), absl::OkStatus());
    std::vector<uint8_t> want = out;
    ForEach({&p.in, &p.out}, [&](const auto&, const auto& at) { std::memcpy(&want[at[1] * size], &in[at[0] * size], size); });
    ASSERT_EQ(runner.Bytes(1), want);
  }
};

TEST_P(CopyTest, EqualsElementByElement) {
  Random random(41);
  for (int i = 0; i < 400; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 5000);
    CopyParams p;
    int64_t in_elements, out_elements;
    const int size = 1 << Pick(random, 0, 3);
    p.in = RandomView(random, dims, size, true, &in_elements);
    p.out = RandomView(random, dims, size, false, &out_elements);
    ASSERT_NO_FATAL_FAILURE(Check(p, in_elements, out_elements, 1 + i % 5, random)) << "case " << i;
  }
}

TEST_P(CopyTest, TransposesImages) {
  Random random(42);
  for (int size : {1, 2, 4, 8}) {
    for (int64_t channels : {1, 3, 16, 37, 130}) {
      for (int64_t pixels : {1, 7, 64, 97}) {
        const int64_t nchw[4] = {2, channels, 1, pixels};
        const View plain = DenseView(nchw, 4, size);
        View last = plain;
        last.strides[1] = 1;
        last.strides[2] = last.strides[3] = channels;
        last.strides[0] = channels * pixels;
        const int64_t elements = plain.elements();
        for (int threads : {1, 3}) {
          ASSERT_NO_FATAL_FAILURE(Check({plain, last}, elements, elements, threads, random)) << channels << " " << pixels;
          ASSERT_NO_FATAL_FAILURE(Check({last, plain}, elements, elements, threads, random)) << channels << " " << pixels;
        }
      }
    }
  }
}

TEST_P(CopyTest, RefusesViewsOutsideTheirOperands) {
  const int64_t dims[2] = {4, 5};
  const CopyParams good = {DenseView(dims, 2, 2), DenseView(dims, 2, 2)};
  const auto verify = [&](auto damage) {
    CopyParams p = good;
    damage(&p);
    StepRunner runner(CopyKernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kArena, std::vector<uint8_t>(40));
    runner.Add(runtime::Space::kArena, std::vector<uint8_t>(40));
    return runner.Verify().ok();
  };
  EXPECT_TRUE(verify([](CopyParams*) {}));
  EXPECT_FALSE(verify([](CopyParams* p) { p->in.offset = 1; }));
  EXPECT_FALSE(verify([](CopyParams* p) { p->in.strides[0] = -5; }));
  EXPECT_FALSE(verify([](CopyParams* p) { p->in.strides[0] = int64_t{1} << 62; }));
  EXPECT_FALSE(verify([](CopyParams* p) { p->in.dims[0] = p->out.dims[0] = 5; }));
  EXPECT_FALSE(verify([](CopyParams* p) { p->in.dims[0] = 3; }));
  EXPECT_FALSE(verify([](CopyParams* p) { p->in.element_size = 1; }));
  EXPECT_FALSE(verify([](CopyParams* p) { p->in.element_size = p->out.element_size = 3; }));
  EXPECT_FALSE(verify([](CopyParams* p) { p->out.rank = p->in.rank = 7; }));
  EXPECT_FALSE(verify([](CopyParams* p) { p->out.rank = p->in.rank = -1; }));
}

class FillTest : public CopyTest {};

TEST_P(FillTest, EqualsElementByElement) {
  Random random(43);
  for (int i = 0; i < 300; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 4000);
    FillParams p = {};
    int64_t elements;
    const int size = 1 << Pick(random, 0, 3);
    p.out = RandomView(random, dims, size, false, &elements);
    p.value = random() | static_cast<uint64_t>(random()) << 32;
    if (i % 4) {
      for (int d = 0; d < 3; ++d) {
        const int64_t dim = d < p.out.rank ? p.out.dims[d] : 1;
        p.skip_begin[d] = Pick(random, 0, dim);
        p.skip_end[d] = Pick(random, p.skip_begin[d], dim);
      }
    }
    const std::vector<uint8_t> out = RandomBytes(random, elements * size);
    StepRunner runner(FillKernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kArena, out);
    ASSERT_EQ(runner.Run(1 + i % 5), absl::OkStatus());
    std::vector<uint8_t> want = out;
    ForEach({&p.out}, [&](const auto& index, const auto& at) {
      bool skipped = p.skip_end[0] != 0;
      for (int d = 0; d < 3; ++d) {
        const int64_t k = d < p.out.rank ? index[d] : 0;
        skipped = skipped && k >= p.skip_begin[d] && k < p.skip_end[d];
      }
      if (!skipped) std::memcpy(&want[at[0] * size], &p.value, size);
    });
    ASSERT_EQ(runner.Bytes(0), want) << "case " << i;
  }
}

TEST_P(FillTest, RefusesABoxOutsideTheView) {
  const int64_t dims[4] = {1, 6, 7, 8};
  FillParams p = {DenseView(dims, 4, 1), 7, {0, 1, 1}, {1, 5, 8}};
  StepRunner runner(FillKernel(GetParam()), runtime::ParamBytes(p));
  runner.Add(runtime::Space::kArena, std::vector<uint8_t>(6 * 7 * 8));
  EXPECT_FALSE(runner.Verify().ok());
  p.skip_end[2] = 6;
  runner.step().params = runtime::ParamBytes(p);
  EXPECT_EQ(runner.Verify(), absl::OkStatus());
  p.skip_begin[1] = -1;
  runner.step().params = runtime::ParamBytes(p);
  EXPECT_FALSE(runner.Verify().ok());
}

const auto kName = [](const auto& info) { return std::string(IsaName(info.param)); };
INSTANTIATE_TEST_SUITE_P(Tiers, CopyTest, testing::ValuesIn(RunnableTiers()), kName);
INSTANTIATE_TEST_SUITE_P(Tiers, FillTest, testing::ValuesIn(RunnableTiers()), kName);

}  // namespace
}  // namespace omkit::kernels
