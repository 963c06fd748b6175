#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "backends/kernels/conv_bf16/conv_bf16.h"
#include "backends/kernels/conv_f32/random_window.h"
#include "backends/kernels/tier_agreement.h"
#include "base/checked.h"
#include "base/dtype.h"

namespace omkit::kernels {
namespace {

constexpr float kNoClamp = std::numeric_limits<float>::infinity();
constexpr float kLeast = std::numeric_limits<float>::min();

float FromBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
float Widened(uint16_t bits) { return FromBits(static_cast<uint32_t>(bits) << 16); }

// The contract of conv_bf16.h, one operation at a time.
float Flushed(float x) { return std::fabs(x) < kLeast ? std::copysign(0.0f, x) : x; }
float Rounded(float x) { return Widened(ToBFloat16(Flushed(x)).bits); }
// A result is tiny when rounding to 24 bits with an exponent of any size, here by scaling, gives less than the least normal number.
float MultiplyAdd(float x, float w, float sum) {
  sum = Flushed(sum);
  const float result = std::fma(x, w, sum);
  if (std::fabs(result) > kLeast || std::isnan(result)) return result;
  const float scaled = std::fma(x * 0x1p40f, w, sum * 0x1p40f);
  return std::fabs(scaled) < kLeast * 0x1p40f ? std::copysign(0.0f, result) : result;
}

struct Case {
  ConvF32Params p = {};
  std::vector<float> in, bias, out, residual;
  std::vector<uint16_t> weights;

  int64_t ic() const { return p.in.dims[3] / p.groups; }
  std::vector<StepOperand> Operands() const {
    std::vector<StepOperand> operands = {
        Arena(in), Constant(PackConvBf16Weights(weights.data(), p.out.dims[3], ic(), p.kernel_h, p.kernel_w, p.groups)), Constant(bias), Arena(out)};
    if (p.has_residual) operands.push_back(Arena(residual));
    return operands;
  }
  float Reference(const std::vector<int64_t>& i) const {
    const int64_t group = i[3] / (p.out.dims[3] / p.groups), taps = p.kernel_h * p.kernel_w;
    float sum = bias[i[3]];
    for (int64_t y = 0; y < p.kernel_h; ++y) {
      for (int64_t x = 0; x < p.kernel_w; ++x) {
        const int64_t iy = i[1] * p.stride_h - p.pad_top + y * p.dilation_h, ix = i[2] * p.stride_w - p.pad_left + x * p.dilation_w;
        for (int64_t c = 0; c < ic(); ++c) {
          const float w = Flushed(Widened(weights[(i[3] * ic() + c) * taps + y * p.kernel_w + x]));
          sum = MultiplyAdd(Rounded(in[At(p.in, i[0], iy, ix, group * ic() + c)]), w, sum);
        }
      }
    }
    if (p.has_residual) sum = Flushed(Flushed(sum) + Flushed(residual[At(p.residual, i[0], i[1], i[2], i[3])]));
    return sum < p.act_min ? p.act_min : sum > p.act_max ? p.act_max : sum;
  }
};

// Numbers of all magnitudes, or such that sums are near the least normal number.
float Wild(Random& random) {
  const auto bits = static_cast<uint32_t>(random());
  switch (Pick(random, 0, 5)) {
    case 0: return FromBits(bits & 0x807FFFFF);                                                      // denormal
    case 1: return FromBits((bits & 0x807FFFFF) | static_cast<uint32_t>(Pick(random, 1, 3)) << 23);  // just normal
    case 2: return std::copysign(kLeast, FromBits(bits));
    case 3: return std::copysign(0.0f, FromBits(bits));
    default: return FromBits((bits & 0x807FFFFF) | static_cast<uint32_t>(Pick(random, 60, 190)) << 23);
  }
}

// An image whose halo is zero and whose unused channels are NaN.
std::vector<float> Image(Random& random, const View& v, int64_t elements, int64_t halo, bool wild) {
  std::vector<float> image(elements, std::numeric_limits<float>::quiet_NaN());
  for (int64_t n = 0; n < v.dims[0]; ++n) {
    for (int64_t y = -halo; y < v.dims[1] + halo; ++y) {
      for (int64_t x = -halo; x < v.dims[2] + halo; ++x) {
        const bool inside = y >= 0 && y < v.dims[1] && x >= 0 && x < v.dims[2];
        for (int64_t c = 0; c < v.dims[3]; ++c) {
          image[At(v, n, y, x, c)] = !inside ? 0.0f : wild ? Wild(random) : RandomFloats(random, 1)[0];
        }
      }
    }
  }
  return image;
}

struct Limits {
  int64_t kernel = 5, height = 9, width = 40, channels = 70, groups = 4;
  bool wild = false;
};

Case RandomCase(Random& random, const Limits& most) {
  Case c;
  ConvF32Params& p = c.p;
  const bool pointwise = Pick(random, 0, 3) == 0;
  RandomWindow(random, pointwise, most.kernel, &p);
  const int64_t n = Pick(random, 1, 2), halo = 10;
  const int64_t h = Pick(random, 1, most.height), w = Pick(random, 1, most.width);
  p.groups = static_cast<int32_t>(Pick(random, 0, 2) ? 1 : Pick(random, 1, most.groups));
  // Few channels of odd number are packed in another way than others.
  const int64_t channels = Pick(random, 0, 2) ? Pick(random, 1, most.channels) : Pick(random, 1, 5);
  const int64_t ic = p.groups * std::max<int64_t>(1, channels / p.groups);
  const int64_t oc = p.groups * std::max<int64_t>(1, Pick(random, 1, most.channels) / p.groups);
  int64_t elements;
  p.in = ImageView(n, h, w, ic, Pick(random, 0, 1) * 3, halo, halo, halo, halo, Pick(random, 0, 1) * Pick(random, 0, 5), 4, &elements);
  c.in = Image(random, p.in, elements, halo, most.wild);
  RandomResult(random, n, h, w, oc, &p, &c.out, &c.residual);
  c.weights.resize(oc * (ic / p.groups) * p.kernel_h * p.kernel_w);
  c.bias.assign(RoundUp(oc, 64), 0.0f);
  for (uint16_t& w16 : c.weights) w16 = ToBFloat16(most.wild ? Wild(random) : RandomFloats(random, 1)[0]).bits;
  for (int64_t i = 0; i < oc; ++i) c.bias[i] = most.wild ? Wild(random) : RandomFloats(random, 1)[0];
  for (float& x : c.residual) x = most.wild ? Wild(random) : x;
  return c;
}

// Every tier, every number of threads, and each output the reference's bits; NaN counts as NaN.
void Check(const Case& c) {
  std::vector<uint8_t> bytes;
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(ConvBf16Kernel, c.p, c.Operands(), 3, &bytes));
  std::vector<float> want = c.out;
  std::vector<float> got(want.size());
  std::memcpy(got.data(), bytes.data(), bytes.size());
  ForEach({&c.p.out}, [&](const std::vector<int64_t>& index, const std::vector<int64_t>& at) { want[at[0]] = c.Reference(index); });
  for (size_t i = 0; i < want.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(got[i])) continue;
    ASSERT_EQ(std::memcmp(&want[i], &got[i], sizeof(float)), 0) << "element " << i << " is " << got[i] << ", expected " << want[i];
  }
}

class ConvBf16Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterConvBf16Kernels(); }
};

TEST_F(ConvBf16Test, EqualsTheReferenceBitForBit) {
  Random random(1);
  for (int i = 0; i < 120; ++i) {
    const Case c = RandomCase(random, {});
    ASSERT_NO_FATAL_FAILURE(Check(c)) << "case " << i;
  }
}

// Chunks: rows that fit scratch in part only, and rows that do not.
TEST_F(ConvBf16Test, CutsLargeInputs) {
  struct Geometry {
    int32_t kernel, stride, dilation;
    int64_t ic, oc, height, width;
  };
  for (const Geometry& g : {Geometry{1, 1, 1, 900, 3, 13, 17}, Geometry{1, 1, 1, 20001, 2, 1, 3}, Geometry{3, 1, 1, 130, 2, 24, 64},
                            Geometry{3, 2, 1, 700, 1, 9, 60}, Geometry{3, 1, 4, 400, 1, 12, 40}, Geometry{7, 2, 1, 3, 2, 60, 400}}) {
    Random random(2);
    Case c;
    c.p.kernel_h = c.p.kernel_w = g.kernel;
    c.p.stride_h = c.p.stride_w = g.stride;
    c.p.dilation_h = c.p.dilation_w = g.dilation;
    c.p.groups = 1;
    const int64_t halo = g.kernel / 2 * g.dilation;
    c.p.pad_top = c.p.pad_left = static_cast<int32_t>(halo);
    int64_t elements;
    c.p.in = ImageView(1, g.height, g.width, g.ic, 0, halo, halo, halo, halo, 0, 4, &elements);
    c.in = Image(random, c.p.in, elements, halo, false);
    c.p.out = ImageView(1, (g.height - 1) / g.stride + 1, (g.width - 1) / g.stride + 1, g.oc, 0, 0, 0, 0, 0, 0, 4, &elements);
    c.out = RandomFloats(random, elements);
    c.p.act_min = -kNoClamp;
    c.p.act_max = kNoClamp;
    for (int64_t i = 0; i < g.oc * g.ic * g.kernel * g.kernel; ++i) c.weights.push_back(ToBFloat16(RandomFloats(random, 1)[0]).bits);
    c.bias.assign(RoundUp(g.oc, 64), 0.5f);
    ASSERT_NO_FATAL_FAILURE(Check(c)) << g.kernel << " x " << g.kernel << ", " << g.ic << " channels, " << g.height << " x " << g.width;
  }
}

// Denormal numbers everywhere, sums that become denormal and sums that overflow.
TEST_F(ConvBf16Test, FlushesAsTheInstructionDoes) {
  Random random(3);
  Limits small;
  small.kernel = 2, small.height = 3, small.width = 9, small.channels = 40, small.wild = true;
  for (int i = 0; i < 150; ++i) {
    const Case c = RandomCase(random, small);
    ASSERT_NO_FATAL_FAILURE(Check(c)) << "case " << i;
  }
}

// Sums of two terms around the least normal number, where flushing before and after rounding differ, in both halves of a pair.
TEST_F(ConvBf16Test, FindsTinySumsAfterRounding) {
  Random random(4);
  Case c;
  const int64_t pixels = 4000;
  const int64_t in[4] = {1, 1, pixels, 2}, out[4] = {1, 1, pixels, 2};
  c.p.in = DenseView(in, 4, 4);
  c.p.out = DenseView(out, 4, 4);
  c.p.kernel_h = c.p.kernel_w = c.p.stride_h = c.p.stride_w = c.p.dilation_h = c.p.dilation_w = c.p.groups = 1;
  c.p.act_min = -kNoClamp;
  c.p.act_max = kNoClamp;
  c.bias.assign(64, 0.0f);
  c.out.resize(pixels * 2);
  c.weights = {ToBFloat16(0x1p-100f).bits, ToBFloat16(0x1p-100f).bits, ToBFloat16(-0x1p-100f).bits, ToBFloat16(0x1p-100f).bits};
  int between = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    // 2^-126 and about 2^-150, or the other way round.
    float large = 0x1p-26f, less = std::ldexp(1.0f + static_cast<float>(Pick(random, 0, 127)) / 128, static_cast<int>(Pick(random, -53, -48)));
    if (Pick(random, 0, 1)) less = -less;
    if (Pick(random, 0, 1)) std::swap(large, less);
    c.in.push_back(large);
    c.in.push_back(less);
    const float sum = std::fma(less, 0x1p-100f, large * 0x1p-100f);
    between += sum == kLeast && MultiplyAdd(less, 0x1p-100f, large * 0x1p-100f) == 0.0f;
  }
  EXPECT_GT(between, 20) << "no sum lies where the two ways differ";
  Check(c);
}

TEST_F(ConvBf16Test, RoundsInputsToNearestEven) {
  Case c;
  const int64_t in[4] = {1, 1, 6, 1}, out[4] = {1, 1, 6, 1};
  c.p.in = DenseView(in, 4, 4);
  c.p.out = DenseView(out, 4, 4);
  c.p.kernel_h = c.p.kernel_w = c.p.stride_h = c.p.stride_w = c.p.dilation_h = c.p.dilation_w = c.p.groups = 1;
  c.p.act_min = -kNoClamp;
  c.p.act_max = kNoClamp;
  c.bias.assign(64, 0.0f);
  c.out.resize(6);
  c.weights = {ToBFloat16(1.0f).bits};
  c.in = {1.0f + 0x1p-8f, 1.0f + 0x1.8p-7f, 1.0f + 0x1.01p-8f, std::numeric_limits<float>::max(), 0x1.fffffcp-127f, -kNoClamp};
  std::vector<uint8_t> bytes;
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(ConvBf16Kernel, c.p, c.Operands(), 3, &bytes));
  std::vector<float> got(6);
  std::memcpy(got.data(), bytes.data(), bytes.size());
  EXPECT_EQ(got, std::vector<float>({1.0f, 1.0f + 0x1p-6f, 1.0f + 0x1p-7f, kNoClamp, 0.0f, -kNoClamp}));
}

TEST_F(ConvBf16Test, NanPassesThroughTheClamp) {
  Random random(5);
  Case c = RandomCase(random, {});
  c.p.act_min = 0.0f;
  c.p.act_max = 6.0f;
  c.bias[0] = std::numeric_limits<float>::quiet_NaN();
  Check(c);
}

TEST_F(ConvBf16Test, RefusesStepsThatWouldLeaveTheirOperands) {
  Random random(6);
  Case good = RandomCase(random, {});
  while (!good.p.has_residual || good.p.out.dims[1] < 2 || good.p.kernel_w < 2) good = RandomCase(random, {});
  const std::vector<StepOperand> operands = good.Operands();
  ASSERT_EQ(VerifyStep(ConvBf16Kernel, good.p, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    ConvF32Params p = good.p;
    damage(&p);
    return !VerifyStep(ConvBf16Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->kernel_h += 1; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->stride_w = 1 << 20; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->dilation_h = 1 << 20, p->kernel_h = 1 << 20; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->groups = 0; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->has_residual = 0; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->in.dims[3] += 2; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->out.dims[1] = int64_t{1} << 62; }));
  for (size_t i = 0; i < operands.size(); ++i) {
    std::vector<StepOperand> shorter = operands;
    shorter[i].bytes.resize(2);  // less than any operand of any case
    EXPECT_FALSE(VerifyStep(ConvBf16Kernel, good.p, shorter).ok()) << "operand " << i;
  }
}

// Rows that all lie on one another in memory would need more scratch than there is memory; such steps are refused.
TEST_F(ConvBf16Test, RefusesScratchBeyondAllMeasure) {
  Case c;
  const int64_t dims[4] = {1, 1, 1, 1 << 20};
  c.p.in = DenseView(dims, 4, 4);
  c.p.in.strides[1] = c.p.in.strides[2] = 0;
  const int64_t out[4] = {1, 1, 1, 1};
  c.p.out = DenseView(out, 4, 4);
  c.p.kernel_h = c.p.kernel_w = 1 << 10;
  c.p.stride_h = c.p.stride_w = c.p.dilation_h = c.p.dilation_w = c.p.groups = 1;
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(1 << 20)), Constant(std::vector<uint8_t>(16)), Constant(std::vector<float>(64)),
                                             Arena(std::vector<float>(1))};
  EXPECT_FALSE(VerifyStep(ConvBf16Kernel, c.p, operands).ok());
}

}  // namespace
}  // namespace omkit::kernels
