#include <cmath>
#include <cstring>

#include "backends/kernels/layernorm_f32/layernorm_f32.h"
#include "backends/kernels/tier_agreement.h"
#include "base/quant.h"

namespace omkit::kernels {
namespace {

class LayerNormF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterLayerNormF32Kernels(); }
};

TEST_F(LayerNormF32Test, EqualsDoubleReferenceOnEveryTier) {
  Random random(61);
  for (int i = 0; i < 80; ++i) {
    LayerNormF32Params p = {Pick(random, 1, 20), Pick(random, 1, 200), Pick(random, 1, 6), static_cast<NormForm>(i % 3), 1e-3f, 0, 1.0f, 0};
    const int64_t table = p.form == NormForm::kInstance ? p.channels : p.inner;
    const std::vector<float> in = RandomFloats(random, p.rows * p.inner, -1.0f, 3.0f), gamma = RandomFloats(random, table),
                             beta = RandomFloats(random, table);
    const int64_t dims[2] = {p.rows, p.inner};
    const auto reference = [&](const std::vector<int64_t>& at) {
      double mean = 0, variance = 0;
      for (int64_t k = 0; k < p.inner; ++k) mean += in[at[0] * p.inner + k];
      mean = p.form == NormForm::kRms ? 0 : mean / p.inner;
      for (int64_t k = 0; k < p.inner; ++k) variance += std::pow(in[at[0] * p.inner + k] - mean, 2);
      const int64_t j = p.form == NormForm::kInstance ? at[0] % p.channels : at[1];
      return (in[at[0] * p.inner + at[1]] - mean) / std::sqrt(variance / p.inner + p.epsilon) * gamma[j] + beta[j];
    };
    ASSERT_NO_FATAL_FAILURE(
        CheckFloatStep(LayerNormF32Kernel, p, {Arena(in), Arena(gamma), Arena(beta), Arena(in)}, 3, DenseView(dims, 2, 4), reference, 1e-5, 1e-5))
        << "case " << i;
  }
}

TEST_F(LayerNormF32Test, RoundsItsFloatsToBytes) {
  Random random(62);
  for (int i = 0; i < 60; ++i) {
    LayerNormF32Params p = {Pick(random, 1, 20), Pick(random, 1, 200), Pick(random, 1, 6), static_cast<NormForm>(i % 3), 1e-3f, 0, 1.0f, 0};
    p.scale = i % 7 == 0 ? 1e-38f : RandomFloats(random, 1, 1e-3f, 0.1f)[0];
    p.zero_point = static_cast<int32_t>(Pick(random, 0, 255));
    const int64_t table = p.form == NormForm::kInstance ? p.channels : p.inner, count = p.rows * p.inner;
    std::vector<float> in = RandomFloats(random, count, -1.0f, 3.0f);
    if (i % 5 == 0) in[static_cast<size_t>(Pick(random, 0, count - 1))] = i % 2 == 0 ? std::nanf("") : 3e38f;
    const StepOperand gamma = Arena(RandomFloats(random, table)), beta = Arena(RandomFloats(random, table));
    std::vector<uint8_t> floats, bytes;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(LayerNormF32Kernel, p, {Arena(in), gamma, beta, Arena(std::vector<float>(count))}, 3, &floats));
    p.quantized = 1;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(LayerNormF32Kernel, p, {Arena(in), gamma, beta, Arena(std::vector<uint8_t>(count))}, 3, &bytes));
    for (int64_t e = 0; e < count; ++e) {
      float value;
      std::memcpy(&value, &floats[e * 4], 4);
      ASSERT_EQ(bytes[e], QuantizeValue(value, p.scale, p.zero_point, 0, 255)) << "case " << i << " element " << e << " of value " << value;
    }
  }
}

TEST_F(LayerNormF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const LayerNormF32Params good = {4, 10, 2, NormForm::kLayer, 1e-5f, 0, 1.0f, 0};
  const StepOperand data = Arena(std::vector<float>(40)), table = Arena(std::vector<float>(10));
  const std::vector<StepOperand> operands = {data, table, table, data};
  ASSERT_EQ(VerifyStep(LayerNormF32Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    LayerNormF32Params p = good;
    damage(&p);
    return !VerifyStep(LayerNormF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](LayerNormF32Params* p) { p->rows = 5; }));
  EXPECT_TRUE(refused([](LayerNormF32Params* p) { p->rows = -4; }));
  EXPECT_TRUE(refused([](LayerNormF32Params* p) { p->inner = 0; }));
  EXPECT_TRUE(refused([](LayerNormF32Params* p) { p->rows = p->inner = int64_t{1} << 40; }));
  EXPECT_TRUE(refused([](LayerNormF32Params* p) { p->form = NormForm::kInstance; }));
  EXPECT_TRUE(refused([](LayerNormF32Params* p) { p->form = NormForm::kInstance, p->channels = 0; }));
  EXPECT_TRUE(refused([](LayerNormF32Params* p) { p->quantized = 2; }));
  EXPECT_TRUE(refused([](LayerNormF32Params* p) { p->zero_point = -1; }));
}

}  // namespace
}  // namespace omkit::kernels
