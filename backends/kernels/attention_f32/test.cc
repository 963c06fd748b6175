#include <cmath>

#include "backends/kernels/attention_f32/attention_f32.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

struct Case {
  AttentionF32Params p = {};
  std::vector<float> q, k, v, out, added;
  std::vector<uint8_t> visible;

  std::vector<StepOperand> Operands() const {
    std::vector<StepOperand> operands = {Arena(q), Arena(k), Arena(v), Arena(out)};
    if (p.masking == AttentionMask::kAdded) operands.push_back(Arena(added));
    if (p.masking == AttentionMask::kVisible) operands.push_back(Arena(visible));
    return operands;
  }
};

Case RandomCase(Random& random) {
  Case c;
  AttentionF32Params& p = c.p;
  const int64_t batch = Pick(random, 1, 2), kv_heads = Pick(random, 1, 2), heads = kv_heads * Pick(random, 1, 2);
  const int64_t rows = Pick(random, 0, 3) == 0 ? Pick(random, 80, 100) : Pick(random, 1, 20), keys = Pick(random, 1, 40);
  const int64_t size = Pick(random, 1, 33), values = Pick(random, 1, 33);
  int64_t elements;
  const int64_t q[] = {batch, heads, rows, size}, wide[] = {batch, heads, rows, values + Pick(random, 0, 2)};
  p.q = DenseView(q, 4, 4);
  c.q = RandomFloats(random, p.q.elements(), -2, 2);
  p.k = RandomView(random, {batch, kv_heads, keys, size}, 4, Pick(random, 0, 1), &elements);
  c.k = RandomFloats(random, elements);
  p.v = RandomView(random, {batch, kv_heads, keys, values}, 4, Pick(random, 0, 1), &elements);
  c.v = RandomFloats(random, elements);
  p.out = DenseView(wide, 4, 4);
  c.out = RandomFloats(random, p.out.elements());
  p.out.dims[3] = values;
  p.scale = 0.5f;
  p.causal = Pick(random, 0, 2) == 0 ? 1 : 0;
  p.masking = static_cast<AttentionMask>(Pick(random, 0, 2));
  if (p.masking == AttentionMask::kNone) return c;
  const int64_t mask[] = {batch, heads, rows, keys};
  p.mask = DenseView(mask, 4, p.masking == AttentionMask::kAdded ? 4 : 1);
  c.added = RandomFloats(random, p.mask.elements());
  for (float& x : c.added) x = Pick(random, 0, 3) == 0 ? -std::numeric_limits<float>::infinity() : x;
  for (int64_t i = 0; i < p.mask.elements(); ++i) c.visible.push_back(Pick(random, 0, 2) == 0 ? 0 : 1);
  for (int d = 0; d < 2; ++d) {
    if (Pick(random, 0, 1) == 0) p.mask.strides[d] = 0;
  }
  return c;
}

double Reference(const Case& c, const std::vector<int64_t>& at) {
  const AttentionF32Params& p = c.p;
  const auto element = [](const View& view, int64_t a, int64_t b, int64_t r, int64_t i) {
    return view.offset + a * view.strides[0] + b * view.strides[1] + r * view.strides[2] + i * view.strides[3];
  };
  const int64_t kv = at[1] / (p.q.dims[1] / p.k.dims[1]);
  double sum = 0, result = 0;
  for (int64_t j = 0; j < p.k.dims[2]; ++j) {
    double score = 0;
    for (int64_t i = 0; i < p.q.dims[3]; ++i)
      score += static_cast<double>(c.q[element(p.q, at[0], at[1], at[2], i)]) * c.k[element(p.k, at[0], kv, j, i)];
    score *= p.scale;
    if (p.masking == AttentionMask::kAdded) score += c.added[element(p.mask, at[0], at[1], at[2], j)];
    if (p.masking == AttentionMask::kVisible && c.visible[element(p.mask, at[0], at[1], at[2], j)] == 0) continue;
    if (p.causal != 0 && j > at[2]) continue;
    sum += std::exp(score);
    result += std::exp(score) * c.v[element(p.v, at[0], kv, j, at[3])];
  }
  return sum == 0 ? 0 : result / sum;
}

class AttentionF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterAttentionF32Kernels(); }
};

TEST_F(AttentionF32Test, EqualsDoubleReferenceOnEveryTier) {
  Random random(83);
  for (int i = 0; i < 60; ++i) {
    const Case c = RandomCase(random);
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(
        AttentionF32Kernel, c.p, c.Operands(), 3, c.p.out, [&](const auto& at) { return Reference(c, at); }, 1e-5, 1e-5))
        << "case " << i;
  }
}

TEST_F(AttentionF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t q[] = {2, 4, 5, 6}, k[] = {2, 2, 7, 6}, v[] = {2, 2, 7, 3}, out[] = {2, 4, 5, 3}, mask[] = {2, 4, 5, 7};
  AttentionF32Params good = {DenseView(q, 4, 4),   DenseView(k, 4, 4), DenseView(v, 4, 4), DenseView(out, 4, 4), DenseView(mask, 4, 4), 1.0f, 0,
                             AttentionMask::kAdded};
  const std::vector<StepOperand> operands = {Arena(std::vector<float>(240)), Arena(std::vector<float>(168)), Arena(std::vector<float>(84)),
                                             Arena(std::vector<float>(120)), Arena(std::vector<float>(280))};
  ASSERT_EQ(VerifyStep(AttentionF32Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    AttentionF32Params p = good;
    damage(&p);
    return !VerifyStep(AttentionF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->q.dims[3] = 5; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->k.dims[1] = 3; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->k.dims[2] = 8; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->v.dims[2] = 6; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->out.dims[2] = 4; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->out.strides[0] = 64; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->q.strides[3] = 2; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->mask.dims[3] = 6; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->mask.strides[2] = 8; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->masking = AttentionMask::kNone; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->masking = static_cast<AttentionMask>(3); }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->causal = 2; }));
  EXPECT_TRUE(refused([](AttentionF32Params* p) { p->q.rank = p->k.rank = p->v.rank = p->out.rank = 3; }));
  // Broadcast keys would be packed into more memory than they take.
  EXPECT_TRUE(refused([](AttentionF32Params* p) {
    p->k.dims[2] = p->v.dims[2] = p->mask.dims[3] = int64_t{1} << 36;
    p->k.strides[2] = p->v.strides[2] = p->mask.strides[3] = 0;
  }));
}

}  // namespace
}  // namespace omkit::kernels
