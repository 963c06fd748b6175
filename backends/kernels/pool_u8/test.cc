#include <algorithm>

#include "backends/kernels/pool_u8/pool_u8.h"
#include "backends/kernels/step_runner.h"
#include "base/quant.h"
#include "gtest/gtest.h"

namespace omkit::kernels {
namespace {

struct Case {
  PoolU8Params params;
  std::vector<uint8_t> input, output;
};

Case RandomCase(Random& random, bool global) {
  Case c;
  PoolU8Params& p = c.params;
  p = {};
  const int64_t n = Pick(random, 1, 2), h = Pick(random, 1, 9), w = Pick(random, 1, 9), channels = Pick(random, 1, 150);
  p.average = static_cast<int32_t>(Pick(random, 0, 1));
  p.count_include_pad = static_cast<int32_t>(Pick(random, 0, 1));
  p.kernel_h = static_cast<int32_t>(global ? h : Pick(random, 1, std::min<int64_t>(h, 4)));
  p.kernel_w = static_cast<int32_t>(global ? w : Pick(random, 1, std::min<int64_t>(w, 4)));
  p.stride_h = static_cast<int32_t>(Pick(random, 1, 3));
  p.stride_w = static_cast<int32_t>(Pick(random, 1, 3));
  p.dilation_h = p.dilation_w = 1;
  if (!global) {
    if ((p.kernel_h - 1) * 2 < h && Pick(random, 0, 2) == 0) p.dilation_h = 2;
    if ((p.kernel_w - 1) * 2 < w && Pick(random, 0, 2) == 0) p.dilation_w = 2;
    p.pad_top = static_cast<int32_t>(Pick(random, 0, p.kernel_h - 1));
    p.pad_left = static_cast<int32_t>(Pick(random, 0, p.kernel_w - 1));
    p.pad_bottom = static_cast<int32_t>(Pick(random, 0, p.kernel_h - 1));
    p.pad_right = static_cast<int32_t>(Pick(random, 0, p.kernel_w - 1));
  }
  p.in_zero = static_cast<int32_t>(Pick(random, 0, 255));
  p.out_zero = static_cast<int32_t>(Pick(random, 0, 255));
  p.in_scale = static_cast<float>(Pick(random, 1, 100)) * 0.01f;
  p.out_scale = static_cast<float>(Pick(random, 1, 100)) * 0.01f;
  // Sometimes the last window hangs over the padded image, as ceil_mode allows.
  const int64_t over = Pick(random, 0, 1);
  const int64_t oh = (h + p.pad_top + p.pad_bottom - (p.kernel_h - 1) * p.dilation_h - 1 + over * (p.stride_h - 1)) / p.stride_h + 1;
  const int64_t ow = (w + p.pad_left + p.pad_right - (p.kernel_w - 1) * p.dilation_w - 1 + over * (p.stride_w - 1)) / p.stride_w + 1;
  int64_t in_elements, out_elements;
  p.in = ImageView(n, h, w, channels, Pick(random, 0, 1) * 5, 0, 0, 0, 0, Pick(random, 0, 3), 1, &in_elements);
  p.out = ImageView(n, oh, ow, channels, Pick(random, 0, 1) * 7, 0, 0, 0, 0, Pick(random, 0, 3), 1, &out_elements);
  c.input = RandomBytes(random, in_elements);
  c.output = RandomBytes(random, out_elements);
  return c;
}

uint8_t ReferencePixel(const Case& c, int64_t n, int64_t oy, int64_t ox, int64_t channel) {
  const PoolU8Params& p = c.params;
  int32_t best = 0, sum = 0;
  int64_t count = 0;
  for (int64_t ky = 0; ky < p.kernel_h; ++ky) {
    for (int64_t kx = 0; kx < p.kernel_w; ++kx) {
      const int64_t y = oy * p.stride_h + ky * p.dilation_h - p.pad_top, x = ox * p.stride_w + kx * p.dilation_w - p.pad_left;
      const bool inside = y >= 0 && y < p.in.dims[1] && x >= 0 && x < p.in.dims[2];
      if (inside) {
        const int32_t value = c.input[At(p.in, n, y, x, channel)];
        best = std::max(best, value);
        sum += value - p.in_zero;
      }
      const bool padded = y >= -p.pad_top && y < p.in.dims[1] + p.pad_bottom && x >= -p.pad_left && x < p.in.dims[2] + p.pad_right;
      count += p.count_include_pad ? padded : inside;
    }
  }
  if (!p.average) return static_cast<uint8_t>(best);
  const float multiplier =
      count ? static_cast<float>(static_cast<double>(p.in_scale) / (static_cast<double>(p.out_scale) * static_cast<double>(count))) : 0.0f;
  return static_cast<uint8_t>(Requantize(sum, multiplier, p.out_zero, 0, 255));
}

class PoolU8Test : public testing::TestWithParam<Isa> {
 protected:
  static void SetUpTestSuite() { RegisterPoolU8Kernels(); }
};

TEST_P(PoolU8Test, EqualsNestedLoops) {
  Random random(31);
  for (int i = 0; i < 300; ++i) {
    const Case c = RandomCase(random, i % 4 == 0);
    const PoolU8Params& p = c.params;
    StepRunner runner(PoolU8Kernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kArena, c.input);
    runner.Add(runtime::Space::kArena, c.output);
    ASSERT_EQ(runner.Run(1 + i % 5), absl::OkStatus());
    std::vector<uint8_t> want = c.output;
    for (int64_t n = 0; n < p.out.dims[0]; ++n) {
      for (int64_t y = 0; y < p.out.dims[1]; ++y) {
        for (int64_t x = 0; x < p.out.dims[2]; ++x) {
          for (int64_t k = 0; k < p.out.dims[3]; ++k) want[At(p.out, n, y, x, k)] = ReferencePixel(c, n, y, x, k);
        }
      }
    }
    ASSERT_EQ(runner.Bytes(1), want) << "case " << i << " average " << p.average << " kernel " << p.kernel_h << "x" << p.kernel_w << " channels "
                                     << p.in.dims[3];
  }
}

TEST_P(PoolU8Test, RefusesStepsThatWouldLeaveTheirOperands) {
  Random random(32);
  const Case good = RandomCase(random, true);
  const auto verify = [&](auto damage) {
    PoolU8Params p = good.params;
    damage(&p);
    StepRunner runner(PoolU8Kernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kArena, good.input);
    runner.Add(runtime::Space::kArena, good.output);
    return runner.Verify().ok();
  };
  EXPECT_TRUE(verify([](PoolU8Params*) {}));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->in.dims[1] += 1; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->out.dims[2] += 1; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->out.dims[3] -= 1; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->in.offset = -1; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->kernel_h = 0; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->kernel_h = p->kernel_w = 1 << 20; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->stride_w = 0; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->dilation_w = 0; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->pad_top = -1; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->out_zero = 256; }));
  EXPECT_FALSE(verify([](PoolU8Params* p) { p->average = 1, p->out_scale = 0; }));
}

INSTANTIATE_TEST_SUITE_P(Tiers, PoolU8Test, testing::ValuesIn(RunnableTiers()), [](const auto& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace omkit::kernels
