#include <cmath>
#include <limits>

#include "backends/kernels/pool_f32/pool_f32.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

double Reference(const PoolF32Params& p, const std::vector<float>& in, const std::vector<int64_t>& i) {
  double sum = 0, max = -std::numeric_limits<double>::infinity();
  int64_t inside = 0, padded = 0;
  for (int64_t ty = 0; ty < p.kernel_h; ++ty) {
    for (int64_t tx = 0; tx < p.kernel_w; ++tx) {
      const int64_t y = i[1] * p.stride_h - p.pad_top + ty * p.dilation_h, x = i[2] * p.stride_w - p.pad_left + tx * p.dilation_w;
      if (y < p.in.dims[1] + p.pad_bottom && x < p.in.dims[2] + p.pad_right) ++padded;
      if (y < 0 || x < 0 || y >= p.in.dims[1] || x >= p.in.dims[2]) continue;
      ++inside;
      const double v = in[At(p.in, i[0], y, x, i[3])];
      sum += v;
      max = std::max(max, v);
    }
  }
  if (!p.average) return max;
  const int64_t count = p.count_include_pad ? padded : inside;
  return count ? sum / count : 0;
}

PoolF32Params RandomParams(Random& random, int64_t* in_elements, int64_t* out_elements) {
  PoolF32Params p = {};
  p.kernel_h = static_cast<int32_t>(Pick(random, 1, 5));
  p.kernel_w = static_cast<int32_t>(Pick(random, 1, 5));
  p.stride_h = static_cast<int32_t>(Pick(random, 1, 3));
  p.stride_w = static_cast<int32_t>(Pick(random, 1, 3));
  p.dilation_h = static_cast<int32_t>(Pick(random, 1, 3));
  p.dilation_w = static_cast<int32_t>(Pick(random, 1, 3));
  p.pad_top = static_cast<int32_t>(Pick(random, 0, 3));
  p.pad_left = static_cast<int32_t>(Pick(random, 0, 3));
  p.pad_bottom = static_cast<int32_t>(Pick(random, 0, 3));
  p.pad_right = static_cast<int32_t>(Pick(random, 0, 3));
  p.average = static_cast<int32_t>(Pick(random, 0, 1));
  p.count_include_pad = static_cast<int32_t>(Pick(random, 0, 1));
  const int64_t n = Pick(random, 1, 2), h = Pick(random, 1, 9), w = Pick(random, 1, 20), c = Pick(random, 1, 70);
  // One more output than fits: the last window of ceil mode, which may miss the image.
  const int64_t oh = h / p.stride_h + 1, ow = w / p.stride_w + 1;
  p.in = ImageView(n, h, w, c, Pick(random, 0, 1) * 3, 0, 0, 0, 0, Pick(random, 0, 3), 4, in_elements);
  p.out = ImageView(n, oh, ow, c, Pick(random, 0, 1) * 2, 1, 0, 0, 1, Pick(random, 0, 3), 4, out_elements);
  return p;
}

class PoolF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterPoolF32Kernels(); }
};

TEST_F(PoolF32Test, EqualsDoubleReferenceOnEveryTier) {
  Random random(21);
  for (int i = 0; i < 150; ++i) {
    int64_t ni, no;
    const PoolF32Params p = RandomParams(random, &ni, &no);
    const std::vector<float> in = RandomFloats(random, ni), out = RandomFloats(random, no);
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(
        PoolF32Kernel, p, {Arena(in), Arena(out)}, 1, p.out, [&](const auto& at) { return Reference(p, in, at); }, 3e-6, 3e-6))
        << "case " << i;
  }
}

// Channels that are not neighbours (an NCHW tensor seen as NHWC).
TEST_F(PoolF32Test, AnyChannelStride) {
  Random random(22);
  for (int average = 0; average < 2; ++average) {
    PoolF32Params p = {};
    p.kernel_h = p.kernel_w = 3;
    p.stride_h = p.stride_w = 2;
    p.dilation_h = p.dilation_w = p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = 1;
    p.average = average;
    const int64_t nhwc_in[4] = {1, 7, 6, 19}, nhwc_out[4] = {1, 4, 3, 19};
    p.in = DenseView(nhwc_in, 4, 4);
    p.out = DenseView(nhwc_out, 4, 4);
    p.in.strides[3] = 42, p.in.strides[2] = 1, p.in.strides[1] = 6;
    p.out.strides[3] = 12, p.out.strides[2] = 1, p.out.strides[1] = 3;
    const std::vector<float> in = RandomFloats(random, p.in.elements()), out(p.out.elements());
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(
        PoolF32Kernel, p, {Arena(in), Arena(out)}, 1, p.out, [&](const auto& at) { return Reference(p, in, at); }, 1e-6, 1e-6));
  }
}

TEST_F(PoolF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  Random random(23);
  int64_t ni, no;
  const PoolF32Params good = RandomParams(random, &ni, &no);
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(ni)), Arena(std::vector<float>(no))};
  ASSERT_EQ(VerifyStep(PoolF32Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    PoolF32Params p = good;
    damage(&p);
    return !VerifyStep(PoolF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->kernel_h = 0; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->stride_w = 0; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->dilation_h = -1; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->pad_left = -1; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->pad_bottom = INT32_MAX; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->average = 2; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->in.dims[1] += 50; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->in.dims[2] = 0; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->in.dims[3] += 1; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->out.dims[2] += 50; }));
  EXPECT_TRUE(refused([](PoolF32Params* p) { p->out.rank = 3; }));
}

}  // namespace
}  // namespace omkit::kernels
