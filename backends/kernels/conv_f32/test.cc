#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/conv_f32/random_window.h"
#include "backends/kernels/dwconv_f32/dwconv_f32.h"
#include "backends/kernels/tier_agreement.h"
#include "base/checked.h"

namespace omkit::kernels {
namespace {

constexpr float kNoClamp = std::numeric_limits<float>::infinity();

struct Case {
  ConvF32Params p = {};
  std::vector<float> in, weights, bias, out, residual;
  bool depthwise = false;
  // conv_f32w8 only: weights are integers * scales[channel].
  std::vector<int8_t> integers;
  std::vector<float> scales;

  int64_t ic() const { return p.in.dims[3] / p.groups; }
  std::vector<StepOperand> Operands(Isa isa) const {
    const std::vector<uint8_t> packed = depthwise ? PackDwConvF32Weights(isa, weights.data(), p.groups, p.kernel_h, p.kernel_w)
                                                  : PackConvF32Weights(isa, weights.data(), p.out.dims[3], ic(), p.kernel_h, p.kernel_w, p.groups);
    std::vector<StepOperand> operands = {Arena(in), Constant(packed), Constant(bias), Arena(out)};
    if (!integers.empty()) {
      operands[1] = Constant(PackConvF32W8Weights(isa, integers.data(), p.out.dims[3], ic(), p.kernel_h, p.kernel_w, p.groups));
      operands.push_back(Constant(scales));
    }
    if (p.has_residual) operands.push_back(Arena(residual));
    return operands;
  }
  double Reference(const std::vector<int64_t>& i) const {
    const int64_t group = i[3] / (p.out.dims[3] / p.groups), taps = p.kernel_h * p.kernel_w;
    double sum = bias[i[3]];
    for (int64_t y = 0; y < p.kernel_h; ++y) {
      for (int64_t x = 0; x < p.kernel_w; ++x) {
        const int64_t iy = i[1] * p.stride_h - p.pad_top + y * p.dilation_h, ix = i[2] * p.stride_w - p.pad_left + x * p.dilation_w;
        if (iy < 0 || iy >= p.in.dims[1] || ix < 0 || ix >= p.in.dims[2]) continue;
        for (int64_t c = 0; c < ic(); ++c) {
          sum += static_cast<double>(in[At(p.in, i[0], iy, ix, group * ic() + c)]) * weights[(i[3] * ic() + c) * taps + y * p.kernel_w + x];
        }
      }
    }
    if (p.has_residual) sum += residual[At(p.residual, i[0], i[1], i[2], i[3])];
    return std::min<double>(std::max<double>(sum, p.act_min), p.act_max);
  }
};

// An input whose halo is zero and whose unused channels are NaN.
std::vector<float> Image(Random& random, const View& v, int64_t elements, int64_t height, int64_t width) {
  std::vector<float> image(elements, std::numeric_limits<float>::quiet_NaN());
  for (int64_t n = 0; n < v.dims[0]; ++n) {
    for (int64_t y = -height; y < v.dims[1] + height; ++y) {
      for (int64_t x = -width; x < v.dims[2] + width; ++x) {
        const bool inside = y >= 0 && y < v.dims[1] && x >= 0 && x < v.dims[2];
        for (int64_t c = 0; c < v.dims[3]; ++c) image[At(v, n, y, x, c)] = inside ? RandomFloats(random, 1)[0] : 0.0f;
      }
    }
  }
  return image;
}

Case RandomCase(Random& random, bool depthwise) {
  Case c;
  ConvF32Params& p = c.p;
  c.depthwise = depthwise;
  const bool pointwise = !depthwise && Pick(random, 0, 3) == 0;
  RandomWindow(random, pointwise, 5, &p);
  const int64_t n = Pick(random, 1, 2), halo = 8;
  const int64_t h = Pick(random, 1, 9), w = Pick(random, 1, 34);
  const int64_t channels = Pick(random, 1, 70);
  p.groups = static_cast<int32_t>(depthwise ? channels : Pick(random, 0, 2) ? 1 : Pick(random, 2, 4));
  const int64_t ic = depthwise ? channels : p.groups * std::max<int64_t>(1, Pick(random, 1, 70) / p.groups);
  const int64_t oc = depthwise ? channels : p.groups * std::max<int64_t>(1, channels / p.groups);
  int64_t elements;
  p.in = ImageView(n, h, w, ic, Pick(random, 0, 1) * 3, halo, halo, halo, halo, Pick(random, 0, 5), 4, &elements);
  c.in = Image(random, p.in, elements, halo, halo);
  RandomResult(random, n, h, w, oc, &p, &c.out, &c.residual);
  c.weights = RandomFloats(random, oc * (ic / p.groups) * p.kernel_h * p.kernel_w);
  c.bias = RandomFloats(random, RoundUp(oc, 64));
  std::fill(c.bias.begin() + oc, c.bias.end(), 0.0f);
  return c;
}

void MakeInt8Weights(Random& random, Case* c) {
  const int64_t oc = c->p.out.dims[3], count = static_cast<int64_t>(c->weights.size()) / oc;
  c->scales.assign(RoundUp(oc, 64), 0.0f);
  for (int64_t o = 0; o < oc; ++o) {
    c->scales[o] = RandomFloats(random, 1, 0.002f, 0.009f)[0];
    for (int64_t i = o * count; i < (o + 1) * count; ++i) {
      c->integers.push_back(static_cast<int8_t>(Pick(random, -127, 127)));
      c->weights[i] = static_cast<float>(c->integers.back()) * c->scales[o];
    }
  }
}

void CheckCases(uint32_t seed, bool depthwise, int count, std::string (*kernel)(Isa)) {
  Random random(seed);
  for (int i = 0; i < count; ++i) {
    Case c = RandomCase(random, depthwise);
    if (kernel == ConvF32W8Kernel) MakeInt8Weights(random, &c);
    const double terms = c.ic() * c.p.kernel_h * c.p.kernel_w + 2;
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(
        kernel, c.p, c.Operands(Isa::kGeneric), 3, c.p.out, [&](const auto& at) { return c.Reference(at); }, 6e-8 * terms, 6e-8 * terms))
        << "case " << i;
  }
}

class ConvF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    RegisterConvF32Kernels();
    RegisterDwConvF32Kernels();
  }
};

TEST_F(ConvF32Test, EqualsDoubleReferenceAndItselfOnEveryTier) { CheckCases(1, false, 150, ConvF32Kernel); }
TEST_F(ConvF32Test, DepthwiseEqualsDoubleReferenceAndItselfOnEveryTier) { CheckCases(2, true, 120, DwConvF32Kernel); }

TEST_F(ConvF32Test, Int8WeightsEqualDoubleReferenceAndThemselvesOnEveryTier) { CheckCases(7, false, 120, ConvF32W8Kernel); }

// Scales that are powers of two lose nothing: the result is that of the float kernel on the same weights, where products are exact too.
TEST_F(ConvF32Test, Int8WeightsAreThoseOfTheFloatKernel) {
  Random random(8);
  for (int i = 0; i < 40; ++i) {
    Case c = RandomCase(random, false);
    MakeInt8Weights(random, &c);
    std::fill(c.scales.begin(), c.scales.end(), 0.25f);
    std::transform(c.integers.begin(), c.integers.end(), c.weights.begin(), [](int8_t w) { return 0.25f * w; });
    for (std::vector<float>* values : {&c.in, &c.bias, &c.residual}) {
      for (float& x : *values) x = std::isnan(x) ? x : std::nearbyint(x * 8);
    }
    std::vector<uint8_t> packed, floats;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(ConvF32W8Kernel, c.p, c.Operands(Isa::kGeneric), 3, &packed));
    c.integers.clear();
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(ConvF32Kernel, c.p, c.Operands(Isa::kGeneric), 3, &floats));
    ForEach({&c.p.out}, [&](const std::vector<int64_t>&, const std::vector<int64_t>& at) {
      float a, b;
      std::memcpy(&a, &packed[at[0] * 4], 4);
      std::memcpy(&b, &floats[at[0] * 4], 4);
      EXPECT_EQ(a, b);
    });
  }
}

TEST_F(ConvF32Test, Int8WeightsNeedAllTheirOperands) {
  Random random(9);
  Case c = RandomCase(random, false);
  while (!c.p.has_residual) c = RandomCase(random, false);
  MakeInt8Weights(random, &c);
  const std::vector<StepOperand> operands = c.Operands(Isa::kGeneric);
  ASSERT_EQ(VerifyStep(ConvF32W8Kernel, c.p, operands), absl::OkStatus());
  for (size_t i = 0; i < operands.size(); ++i) {
    std::vector<StepOperand> shorter = operands;
    shorter[i].bytes.resize(2);  // less than any operand of any case
    EXPECT_FALSE(VerifyStep(ConvF32W8Kernel, c.p, shorter).ok()) << "operand " << i;
  }
  std::vector<StepOperand> fewer = operands;
  fewer.pop_back();
  EXPECT_FALSE(VerifyStep(ConvF32W8Kernel, c.p, fewer).ok());
  EXPECT_FALSE(VerifyStep(ConvF32Kernel, c.p, operands).ok());
}

TEST_F(ConvF32Test, EveryTierHasTheSamePackedWeights) {
  Random random(3);
  const Case c = RandomCase(random, false);
  for (Isa isa : RunnableTiers()) EXPECT_EQ(c.Operands(isa)[1].bytes, c.Operands(Isa::kGeneric)[1].bytes) << IsaName(isa);
}

// A dense layer over many rows, and the tile's fixed order of sums shown on values where another order gives another result.
TEST_F(ConvF32Test, SumsInOrderOfTapsThenChannels) {
  ConvF32Params p = {};
  const int64_t in[4] = {1, 1, 1, 4}, out[4] = {1, 1, 1, 1};
  p.in = DenseView(in, 4, 4);
  p.out = DenseView(out, 4, 4);
  p.kernel_h = p.kernel_w = p.stride_h = p.stride_w = p.dilation_h = p.dilation_w = p.groups = 1;
  p.act_min = -kNoClamp;
  p.act_max = kNoClamp;
  const std::vector<float> x = {1.0f, 1e8f, -1e8f, 1.0f}, w(4, 1.0f), bias(64, 0.0f), y(1);
  const std::vector<StepOperand> operands = {Arena(x), Constant(PackConvF32Weights(Isa::kGeneric, w.data(), 1, 4, 1, 1, 1)), Constant(bias),
                                             Arena(y)};
  std::vector<uint8_t> bytes;
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(ConvF32Kernel, p, operands, 3, &bytes));
  float got;
  std::memcpy(&got, bytes.data(), 4);
  EXPECT_EQ(got, 1.0f);  // ((1 + 1e8) - 1e8) + 1
}

TEST_F(ConvF32Test, NanPassesThroughTheClamp) {
  Random random(4);
  Case c = RandomCase(random, false);
  c.p.act_min = 0.0f;
  c.p.act_max = 6.0f;
  c.bias[0] = std::numeric_limits<float>::quiet_NaN();
  std::vector<uint8_t> bytes;
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(ConvF32Kernel, c.p, c.Operands(Isa::kGeneric), 3, &bytes));
  float got;
  std::memcpy(&got, &bytes[At(c.p.out, 0, 0, 0, 0) * 4], 4);
  EXPECT_TRUE(std::isnan(got));
}

TEST_F(ConvF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  Random random(5);
  Case good = RandomCase(random, false);
  while (!good.p.has_residual || good.p.out.dims[1] < 2) good = RandomCase(random, false);
  const std::vector<StepOperand> operands = good.Operands(Isa::kGeneric);
  ASSERT_EQ(VerifyStep(ConvF32Kernel, good.p, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    ConvF32Params p = good.p;
    damage(&p);
    return !VerifyStep(ConvF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->kernel_h = 0; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->kernel_w += 1; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->stride_h = 0; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->stride_w = -1; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->dilation_h = 0; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->stride_h = 1 << 20; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->pad_top = -1; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->pad_top = 1000; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->pad_left = INT32_MAX; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->groups = 0; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->groups = INT32_MIN; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->has_residual = 0; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->has_residual = 2; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->in.rank = 3; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->in.dims[3] += 1; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->in.dims[1] = 0; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->in.offset = -1; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->in.strides[3] = 2; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->out.dims[1] += 100; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->out.dims[1] = int64_t{1} << 62; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->out.dims[0] += 1; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->out.offset += 1 << 20; }));
  EXPECT_TRUE(refused([](ConvF32Params* p) { p->residual.dims[3] -= 1; }));
  for (size_t i = 0; i < operands.size(); ++i) {
    std::vector<StepOperand> shorter = operands;
    shorter[i].bytes.resize(2);  // less than any operand of any case
    EXPECT_FALSE(VerifyStep(ConvF32Kernel, good.p, shorter).ok()) << "operand " << i;
  }
  EXPECT_FALSE(VerifyStep(DwConvF32Kernel, good.p, operands).ok());
  EXPECT_FALSE(VerifyStep(ConvF32Kernel, int32_t{0}, operands).ok());
}

}  // namespace
}  // namespace omkit::kernels
