#include <cmath>
#include <cstring>

#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "backends/kernels/tier_agreement.h"
#include "base/quant.h"

namespace omkit::kernels {
namespace {

double Reference(const SoftmaxF32Params& p, const std::vector<float>& in, const std::vector<int64_t>& index) {
  int64_t at = p.in.offset;
  for (int d = 0; d < p.in.rank; ++d) at += index[d] * p.in.strides[d];
  const int64_t stride = p.in.strides[p.axis], first = at - index[p.axis] * stride;
  double max = -1e300, sum = 0;
  for (int64_t i = 0; i < p.in.dims[p.axis]; ++i) max = std::max<double>(max, in[first + i * stride]);
  for (int64_t i = 0; i < p.in.dims[p.axis]; ++i) sum += std::exp(in[first + i * stride] - max);
  return p.log_softmax ? in[at] - max - std::log(sum) : std::exp(in[at] - max) / sum;
}

class SoftmaxF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterSoftmaxF32Kernels(); }
};

TEST_F(SoftmaxF32Test, EqualsDoubleReferenceOnEveryTier) {
  Random random(31);
  for (int i = 0; i < 150; ++i) {
    std::vector<int64_t> dims = RandomDims(random, 2000);
    if (dims.empty()) dims.push_back(37);
    int64_t ni, no;
    SoftmaxF32Params p = {};
    p.in = RandomView(random, dims, 4, i % 3 == 0, &ni);
    p.out = RandomView(random, dims, 4, false, &no);
    p.axis = static_cast<int32_t>(Pick(random, 0, p.in.rank - 1));
    p.log_softmax = i % 2;
    const float range = i % 5 ? 4.0f : 80.0f;
    const std::vector<float> in = RandomFloats(random, ni, -range, range), out = RandomFloats(random, no);
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(
        SoftmaxF32Kernel, p, {Arena(in), Arena(out)}, 1, p.out, [&](const auto& at) { return Reference(p, in, at); }, p.log_softmax ? 1e-6 : 1e-5,
        p.log_softmax ? 2e-6 : 1e-38))
        << "case " << i;
  }
}

TEST_F(SoftmaxF32Test, InPlaceAndLargeValues) {
  const int64_t dims[2] = {3, 21};
  Random random(32);
  std::vector<float> data = RandomFloats(random, 63, 3e4f, 3.1e4f);
  for (int32_t axis = 0; axis < 2; ++axis) {
    SoftmaxF32Params p = {DenseView(dims, 2, 4), DenseView(dims, 2, 4), axis, 0, 0, 1.0f, 0};
    for (Isa isa : RunnableTiers()) {
      StepRunner separate(SoftmaxF32Kernel(isa), runtime::ParamBytes(p));
      separate.Add(runtime::Space::kArena, data);
      separate.Add(runtime::Space::kArena, std::vector<float>(63));
      ASSERT_EQ(separate.Run(2), absl::OkStatus());
      std::vector<float> shared = data;
      void* const operands[2] = {shared.data(), shared.data()};
      runtime::FindKernel(SoftmaxF32Kernel(isa))->run(separate.step(), {operands, nullptr, nullptr, 0, 1});
      EXPECT_EQ(Arena(shared).bytes, separate.Bytes(1)) << IsaName(isa);
    }
  }
}

// The bytes of the float result, rounded as a Quantize step rounds them.
TEST_F(SoftmaxF32Test, RoundsToBytes) {
  Random random(33);
  for (int i = 0; i < 60; ++i) {
    const int64_t dims[2] = {Pick(random, 1, 11), Pick(random, 1, 70)}, count = dims[0] * dims[1];
    SoftmaxF32Params p = {DenseView(dims, 2, 4), DenseView(dims, 2, 4), 1, 0, 0, 1.0f / 255, static_cast<int32_t>(Pick(random, 0, 40))};
    const std::vector<float> in = RandomFloats(random, count, -6.0f, 6.0f);
    std::vector<uint8_t> floats, bytes;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(SoftmaxF32Kernel, p, {Arena(in), Arena(std::vector<float>(count))}, 1, &floats));
    p.quantized = 1;
    p.out = DenseView(dims, 2, 1);
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(SoftmaxF32Kernel, p, {Arena(in), Arena(std::vector<uint8_t>(count))}, 1, &bytes));
    for (int64_t e = 0; e < count; ++e) {
      float value;
      std::memcpy(&value, &floats[e * 4], 4);
      ASSERT_EQ(bytes[e], QuantizeValue(value, p.scale, p.zero_point, 0, 255)) << "case " << i << " element " << e;
    }
  }
}

TEST_F(SoftmaxF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t dims[2] = {3, 21};
  const SoftmaxF32Params good = {DenseView(dims, 2, 4), DenseView(dims, 2, 4), 1, 0, 0, 1.0f, 0};
  const std::vector<StepOperand> operands(2, Arena(std::vector<float>(63)));
  ASSERT_EQ(VerifyStep(SoftmaxF32Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    SoftmaxF32Params p = good;
    damage(&p);
    return !VerifyStep(SoftmaxF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](SoftmaxF32Params* p) { p->axis = 2; }));
  EXPECT_TRUE(refused([](SoftmaxF32Params* p) { p->axis = -1; }));
  EXPECT_TRUE(refused([](SoftmaxF32Params* p) { p->in.rank = p->out.rank = 0; }));
  EXPECT_TRUE(refused([](SoftmaxF32Params* p) { p->out.dims[0] = 2; }));
  EXPECT_TRUE(refused([](SoftmaxF32Params* p) { p->in.strides[0] = 22; }));
  EXPECT_TRUE(refused([](SoftmaxF32Params* p) { p->log_softmax = 3; }));
  EXPECT_TRUE(refused([](SoftmaxF32Params* p) { p->quantized = 2; }));
  EXPECT_TRUE(refused([](SoftmaxF32Params* p) { p->quantized = 1; }));
  const auto rounded = [](SoftmaxF32Params* p) { p->quantized = 1, p->out.element_size = 1; };
  EXPECT_FALSE(refused(rounded));
  EXPECT_TRUE(refused([&](SoftmaxF32Params* p) { rounded(p), p->axis = 0; }));
  EXPECT_TRUE(refused([&](SoftmaxF32Params* p) { rounded(p), p->zero_point = 256; }));
  EXPECT_TRUE(refused([&](SoftmaxF32Params* p) { rounded(p), p->out.strides[1] = 2, p->out.dims[0] = 1; }));
}

}  // namespace
}  // namespace omkit::kernels
