#include <cmath>
#include <limits>

#include "backends/kernels/matmul_f32/matmul_f32.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Case {
  MatMulF32Params p = {};
  std::vector<float> a, b, out;
};

Case RandomCase(Random& random) {
  Case c;
  MatMulF32Params& p = c.p;
  std::vector<int64_t> batch(Pick(random, 0, 2));
  for (int64_t& d : batch) d = Pick(random, 1, 3);
  const int64_t m = Pick(random, 1, 40), k = Pick(random, 1, 70), n = Pick(random, 1, 70);
  const auto shape = [&](int64_t x, int64_t y) {
    std::vector<int64_t> dims = batch;
    dims.push_back(x);
    dims.push_back(y);
    return dims;
  };
  p.a = DenseView(shape(m, k).data(), static_cast<int>(batch.size()) + 2, 4);
  c.a = RandomFloats(random, p.a.elements());
  int64_t elements;
  p.b = RandomView(random, shape(k, n), 4, Pick(random, 0, 1), &elements);
  c.b = RandomFloats(random, elements);
  const std::vector<int64_t> wide = shape(m, n + Pick(random, 0, 3));
  p.out = DenseView(wide.data(), static_cast<int>(wide.size()), 4);
  c.out = RandomFloats(random, p.out.elements());
  p.out.dims[batch.size() + 1] = n;
  if (!batch.empty() && Pick(random, 0, 2) == 0) p.a.strides[0] = 0;
  p.alpha = Pick(random, 0, 1) ? 1.0f : 0.125f;
  p.act_min = Pick(random, 0, 1) ? -kInf : -1.0f;
  p.act_max = Pick(random, 0, 1) ? kInf : 1.0f;
  return c;
}

double Reference(const Case& c, const std::vector<int64_t>& i) {
  const MatMulF32Params& p = c.p;
  const int rank = p.out.rank;
  int64_t a = p.a.offset + i[rank - 2] * p.a.strides[rank - 2], b = p.b.offset + i[rank - 1] * p.b.strides[rank - 1];
  for (int d = 0; d < rank - 2; ++d) a += i[d] * p.a.strides[d], b += i[d] * p.b.strides[d];
  double sum = 0;
  for (int64_t k = 0; k < p.a.dims[rank - 1]; ++k) sum += static_cast<double>(c.a[a + k]) * c.b[b + k * p.b.strides[rank - 2]];
  return std::min<double>(std::max<double>(sum * p.alpha, p.act_min), p.act_max);
}

class MatMulF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterMatMulF32Kernels(); }
};

TEST_F(MatMulF32Test, EqualsDoubleReferenceOnEveryTier) {
  Random random(51);
  for (int i = 0; i < 150; ++i) {
    const Case c = RandomCase(random);
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(
        MatMulF32Kernel, c.p, {Arena(c.a), Arena(c.b), Arena(c.out)}, 2, c.p.out, [&](const auto& at) { return Reference(c, at); }, 5e-6, 5e-6))
        << "case " << i;
  }
}

TEST_F(MatMulF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t a[3] = {2, 5, 7}, b[3] = {2, 7, 9}, out[3] = {2, 5, 9};
  const MatMulF32Params good = {DenseView(a, 3, 4), DenseView(b, 3, 4), DenseView(out, 3, 4), 1.0f, -kInf, kInf};
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(70)), Arena(std::vector<float>(126)), Arena(std::vector<float>(90))};
  ASSERT_EQ(VerifyStep(MatMulF32Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    MatMulF32Params p = good;
    damage(&p);
    return !VerifyStep(MatMulF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->a.dims[2] = 6; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->a.dims[1] = 4; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->b.dims[2] = 8; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->b.dims[0] = 1; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->b.strides[0] = 64; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->a.strides[2] = 0; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->out.strides[2] = -1; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->out.rank = 2; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->a.rank = p->b.rank = p->out.rank = 1; }));
  EXPECT_TRUE(refused([](MatMulF32Params* p) { p->a.dims[2] = p->b.dims[1] = int64_t{1} << 39; }));
}

}  // namespace
}  // namespace omkit::kernels
