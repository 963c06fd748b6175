#include <cmath>
#include <limits>

#include "backends/kernels/reduce_f32/reduce_f32.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

constexpr int kKinds = 10;

double Reference(const ReduceF32Params& p, const std::vector<float>& in, const std::vector<int64_t>& out_index) {
  std::vector<double> values;
  ForEach({&p.in}, [&](const std::vector<int64_t>& index, const std::vector<int64_t>& at) {
    for (int d = 0; d < p.in.rank; ++d) {
      if (!(p.axes >> d & 1) && index[d] != out_index[d]) return;
    }
    values.push_back(in[at[0]]);
  });
  double sum = 0, squares = 0, magnitudes = 0, max = -INFINITY, min = INFINITY, product = 1, exponentials = 0;
  for (double v : values) {
    sum += v, squares += v * v, magnitudes += std::fabs(v), product *= v, exponentials += std::exp(v);
    max = std::max(max, v), min = std::min(min, v);
  }
  switch (p.kind) {
    case ReduceF32::kSum: return sum;
    case ReduceF32::kMean: return sum / values.size();
    case ReduceF32::kMax: return max;
    case ReduceF32::kMin: return min;
    case ReduceF32::kL1: return magnitudes;
    case ReduceF32::kL2: return std::sqrt(squares);
    case ReduceF32::kSumSquare: return squares;
    case ReduceF32::kProd: return product;
    case ReduceF32::kLogSum: return std::log(sum);
    case ReduceF32::kLogSumExp: return std::log(exponentials);
  }
  return NAN;
}

class ReduceF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterReduceF32Kernels(); }
};

TEST_F(ReduceF32Test, EqualsDoubleReferenceOnEveryTier) {
  Random random(41);
  for (int i = 0; i < 240; ++i) {
    std::vector<int64_t> dims = RandomDims(random, 600);
    if (dims.empty()) dims.push_back(1);
    int64_t ni, no;
    ReduceF32Params p = {};
    p.in = RandomView(random, dims, 4, i % 3 == 0, &ni);
    p.kind = static_cast<ReduceF32>(i % kKinds);
    p.axes = static_cast<uint32_t>(Pick(random, 1, (1 << dims.size()) - 1));
    std::vector<int64_t> kept = dims;
    for (size_t d = 0; d < dims.size(); ++d) kept[d] = p.axes >> d & 1 ? 1 : dims[d];
    p.out = RandomView(random, kept, 4, false, &no);
    const bool positive = p.kind == ReduceF32::kLogSum || p.kind == ReduceF32::kProd;
    const std::vector<float> in = RandomFloats(random, ni, positive ? 0.5f : -2.0f, 1.5f), out = RandomFloats(random, no);
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(
        ReduceF32Kernel, p, {Arena(in), Arena(out)}, 1, p.out, [&](const auto& at) { return Reference(p, in, at); }, 4e-5,
        p.kind == ReduceF32::kProd ? 1e-30 : 4e-5))
        << "case " << i;
  }
}

TEST_F(ReduceF32Test, LogSumExpOfLargeAndInfiniteValues) {
  const int64_t dims[2] = {3, 2}, out[2] = {3, 1};
  const std::vector<float> in = {1000.0f, 1000.0f, -INFINITY, -INFINITY, INFINITY, 0.0f};
  const ReduceF32Params p = {DenseView(dims, 2, 4), DenseView(out, 2, 4), ReduceF32::kLogSumExp, 2};
  const double want[3] = {1000 + std::log(2.0), -INFINITY, INFINITY};
  ASSERT_NO_FATAL_FAILURE(CheckFloatStep(
      ReduceF32Kernel, p, {Arena(in), Arena(std::vector<float>(3))}, 1, p.out, [&](const auto& at) { return want[at[0]]; }, 1e-6, 0));
}

TEST_F(ReduceF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t dims[2] = {3, 21}, out[2] = {3, 1};
  const ReduceF32Params good = {DenseView(dims, 2, 4), DenseView(out, 2, 4), ReduceF32::kSum, 2};
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(63)), Arena(std::vector<float>(3))};
  ASSERT_EQ(VerifyStep(ReduceF32Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    ReduceF32Params p = good;
    damage(&p);
    return !VerifyStep(ReduceF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->axes = 0; }));
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->axes = 1; }));
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->axes = 6; }));
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->axes = UINT32_MAX; }));
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->kind = static_cast<ReduceF32>(kKinds); }));
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->in.dims[1] = 0; }));
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->in.dims[1] = 22; }));
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->out.rank = 1; }));
  EXPECT_TRUE(refused([](ReduceF32Params* p) { p->in.rank = p->out.rank = 0; }));
}

}  // namespace
}  // namespace omkit::kernels
