#include <cstring>
#include <set>

#include "backends/kernels/conv_u8/reference.h"
#include "backends/kernels/tier_agreement.h"
#include "backends/kernels/wide_conv_u8/wide_conv_u8.h"
#include "base/quant.h"

namespace omkit::kernels {
namespace {

struct Case {
  ConvCase conv;
  WideConvU8Params params;
  std::vector<int16_t> weights;  // [count][taps][ic]
  std::vector<int32_t> channels, bias;
  std::vector<float> multiplier;

  std::vector<StepOperand> Operands() const {
    std::vector<StepOperand> operands = {Arena(conv.input),    Constant(weights),  Constant(bias),
                                         Constant(multiplier), Arena(conv.output), Constant(channels)};
    if (conv.params.has_residual) operands.push_back(Arena(conv.residual));
    return operands;
  }
};

Case RandomCase(Random& random, const ConvChoice& choice) {
  Case c;
  c.conv = RandomConvCase(random, choice);
  const ConvU8Params& p = c.conv.params;
  std::set<int32_t> channels;
  for (int64_t i = Pick(random, 1, 4); i > 0; --i) channels.insert(static_cast<int32_t>(Pick(random, 0, p.out.dims[3] - 1)));
  c.channels.assign(channels.begin(), channels.end());
  c.params = {p, static_cast<int32_t>(c.channels.size())};
  for (const int32_t channel : c.channels) {
    c.bias.push_back(c.conv.bias[channel]);
    c.multiplier.push_back(c.conv.multiplier[channel]);
  }
  c.weights.resize(c.channels.size() * p.kernel_h * p.kernel_w * (p.in.dims[3] / p.groups));
  for (int16_t& w : c.weights) w = static_cast<int16_t>(Pick(random, -255, 255));
  return c;
}

Case RandomCase(Random& random, bool depthwise) {
  ConvChoice choice;
  choice.depthwise = depthwise;
  return RandomCase(random, choice);
}

// The output operand: wide channels computed with nested loops, everything else as it was.
std::vector<uint8_t> Reference(const Case& c) {
  const ConvU8Params& p = c.conv.params;
  std::vector<uint8_t> out = c.conv.output;
  const int64_t ic = p.in.dims[3] / p.groups, per_group = p.out.dims[3] / p.groups;
  ForEach({&p.out}, [&](const std::vector<int64_t>& i, const std::vector<int64_t>& at) {
    const auto wide = std::find(c.channels.begin(), c.channels.end(), i[3]);
    if (wide == c.channels.end()) return;
    const size_t k = wide - c.channels.begin();
    int32_t acc = c.bias[k];
    for (int64_t ky = 0; ky < p.kernel_h; ++ky) {
      for (int64_t kx = 0; kx < p.kernel_w; ++kx) {
        const int64_t iy = i[1] * p.stride_h + ky * p.dilation_h - p.pad_top, ix = i[2] * p.stride_w + kx * p.dilation_w - p.pad_left;
        for (int64_t ch = 0; ch < ic; ++ch) {
          acc += c.conv.input[At(p.in, i[0], iy, ix, i[3] / per_group * ic + ch)] * c.weights[((k * p.kernel_h + ky) * p.kernel_w + kx) * ic + ch];
        }
      }
    }
    const int32_t residual = p.has_residual ? c.conv.residual[At(p.residual, i[0], i[1], i[2], i[3])] - p.residual_zero : 0;
    if (p.float_output) {
      float v = static_cast<float>(acc) * c.multiplier[k];
      if (p.has_residual) v = v + static_cast<float>(residual) * p.residual_multiplier;
      v = std::min(std::max(v, p.act_min), p.act_max);
      std::memcpy(&out[at[0] * 4], &v, 4);
    } else if (p.has_residual) {
      out[at[0]] = static_cast<uint8_t>(RequantizeAdd(acc, c.multiplier[k], residual, p.residual_multiplier, p.out_zero, p.clamp_min, p.clamp_max));
    } else {
      out[at[0]] = static_cast<uint8_t>(Requantize(acc, c.multiplier[k], p.out_zero, p.clamp_min, p.clamp_max));
    }
  });
  return out;
}

class WideConvU8Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterWideConvU8Kernels(); }
};

TEST_F(WideConvU8Test, EqualsNestedLoopsOnEveryTierAndWritesNothingElse) {
  Random random(31);
  for (int i = 0; i < 150; ++i) {
    const Case c = RandomCase(random, i % 2 == 1);
    std::vector<uint8_t> bytes;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(WideConvU8Kernel, c.params, c.Operands(), 4, &bytes)) << "case " << i;
    ASSERT_TRUE(bytes == Reference(c)) << "case " << i;
  }
}

// Images of one to three channels without space between pixels, as convolutions over row runs read them: nothing behind the last one is read.
TEST_F(WideConvU8Test, ReadsNothingBehindPackedPixels) {
  Random random(33);
  for (int64_t channels = 1; channels <= 3; ++channels) {
    ConvChoice choice;
    choice.dense = true;
    choice.kernel = 3;
    choice.batch = choice.groups = 1;
    choice.in_channels = 4;
    choice.out_channels = 8;
    choice.height = 7;
    choice.width = 19;
    Case c = RandomCase(random, choice);
    ConvU8Params& p = c.conv.params;
    p.pad_top = p.pad_left = 0;
    const int64_t in[4] = {1, p.out.dims[1] - 1 + p.kernel_h + (p.out.dims[1] - 1) * (p.stride_h - 1),
                           p.out.dims[2] - 1 + p.kernel_w + (p.out.dims[2] - 1) * (p.stride_w - 1), channels};
    p.in = DenseView(in, 4, 1);
    c.conv.input = RandomBytes(random, p.in.elements());
    c.params.conv = p;
    c.weights.resize(c.channels.size() * p.kernel_h * p.kernel_w * channels);
    std::vector<uint8_t> bytes;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(WideConvU8Kernel, c.params, c.Operands(), 4, &bytes)) << channels;
    ASSERT_TRUE(bytes == Reference(c)) << channels;
  }
}

TEST_F(WideConvU8Test, RefusesStepsThatWouldLeaveTheirOperands) {
  Random random(32);
  Case c = RandomCase(random, false);
  while (!c.conv.params.has_residual) c = RandomCase(random, false);
  const std::vector<StepOperand> operands = c.Operands();
  ASSERT_EQ(VerifyStep(WideConvU8Kernel, c.params, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    WideConvU8Params p = c.params;
    damage(&p);
    return !VerifyStep(WideConvU8Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](WideConvU8Params* p) { p->count = 0; }));
  EXPECT_TRUE(refused([](WideConvU8Params* p) { p->count += 1; }));
  EXPECT_TRUE(refused([](WideConvU8Params* p) { p->conv.groups = 0; }));
  EXPECT_TRUE(refused([](WideConvU8Params* p) { p->conv.kernel_h += 1; }));
  EXPECT_TRUE(refused([](WideConvU8Params* p) { p->conv.out.offset += 1 << 20; }));
  EXPECT_TRUE(refused([](WideConvU8Params* p) { p->conv.in.offset = -1; }));
  EXPECT_TRUE(refused([](WideConvU8Params* p) { p->conv.has_residual = 0; }));
  for (size_t i = 0; i < operands.size(); ++i) {
    std::vector<StepOperand> shorter = operands;
    shorter[i].bytes.resize(shorter[i].bytes.size() / 2);
    EXPECT_FALSE(VerifyStep(WideConvU8Kernel, c.params, shorter).ok()) << "operand " << i;
  }
  for (const int32_t channel : {-1, static_cast<int32_t>(c.conv.params.out.dims[3])}) {
    Case wrong = c;
    wrong.channels[0] = channel;
    StepRunner runner(WideConvU8Kernel(Isa::kGeneric), runtime::ParamBytes(wrong.params));
    for (const StepOperand& o : wrong.Operands()) runner.Add(o.space, o.bytes.data(), o.bytes.size());
    EXPECT_FALSE(runner.Run(1).ok()) << channel;
  }
}

}  // namespace
}  // namespace omkit::kernels
