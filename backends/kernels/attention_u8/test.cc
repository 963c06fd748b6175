#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/kernels/attention_u8/attention_u8.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "backends/kernels/tier_agreement.h"
#include "base/quant.h"

namespace omkit::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Case {
  AttentionU8Params p = {};
  std::vector<uint8_t> q, k, v, out, bytes;
  std::vector<float> added;

  std::vector<StepOperand> Operands() const {
    std::vector<StepOperand> operands = {Arena(q), Arena(k), Arena(v), Arena(out)};
    if (p.masking == ScoreMask::kAdded) operands.push_back(Arena(added));
    else if (p.masking != ScoreMask::kNone) operands.push_back(Arena(bytes));
    return operands;
  }
};

// Masks are whole, or broadcast along some dimensions.
void AddMask(Random& random, Case* c) {
  AttentionU8Params& p = c->p;
  p.masking = static_cast<ScoreMask>(Pick(random, 1, 3));
  const int64_t dims[] = {p.q.dims[0], p.q.dims[1], p.q.dims[2], p.k.dims[2]};
  const int size = p.masking == ScoreMask::kAdded ? 4 : 1;
  p.mask = DenseView(dims, 4, size);
  int64_t elements = p.mask.elements();
  if (Pick(random, 0, 3) == 0) p.mask = RandomView(random, {dims[0], dims[1], dims[2], dims[3]}, size, true, &elements);
  const float lows[] = {-kInf, -10000.0f, std::numeric_limits<float>::lowest(), -90.0f};
  p.low = lows[Pick(random, 0, 3)];
  const bool all = Pick(random, 0, 9) == 0;  // a row that sees nothing
  for (int64_t i = 0; i < elements; ++i) {
    const bool hides = all || Pick(random, 0, 2) == 0;
    c->added.push_back(hides ? p.low : Pick(random, 0, 1) ? 0.0f : static_cast<float>(Pick(random, -100, 100)) * 0.01f);
    c->bytes.push_back(static_cast<uint8_t>(hides ? 0 : Pick(random, 1, 255)));
  }
  for (int64_t& stride : {std::ref(p.mask.strides[0]), std::ref(p.mask.strides[1]), std::ref(p.mask.strides[2]), std::ref(p.mask.strides[3])}) {
    if (Pick(random, 0, 2) == 0) stride = 0;
  }
}

Case RandomCase(Random& random) {
  Case c;
  AttentionU8Params& p = c.p;
  const int64_t batch = Pick(random, 1, 2), heads = Pick(random, 1, 3);
  const int64_t rows = Pick(random, 1, 37), keys = Pick(random, 0, 9) == 0 ? Pick(random, 500, 540) : Pick(random, 1, 80);
  const int64_t size = Pick(random, 1, 70), values = Pick(random, 1, 70);
  int64_t elements;
  const int64_t q[] = {batch, heads, rows, size}, wide[] = {batch, rows, heads, values + Pick(random, 0, 2)};
  p.q = DenseView(q, 4, 1);
  c.q = RandomBytes(random, p.q.elements());
  // Some keys and values lie as a projection leaves them, some turned.
  p.k = RandomView(random, {batch, heads, keys, size}, 1, false, &elements);
  c.k = RandomBytes(random, elements);
  p.v = RandomView(random, {batch, heads, keys, values}, 1, false, &elements);
  c.v = RandomBytes(random, elements);
  p.float_output = static_cast<int32_t>(Pick(random, 0, 1));
  p.out = DenseView(wide, 4, p.float_output ? 4 : 1);
  c.out = RandomBytes(random, p.out.elements() * p.out.element_size);
  std::swap(p.out.dims[1], p.out.dims[2]);
  std::swap(p.out.strides[1], p.out.strides[2]);
  p.out.dims[3] = values;
  for (int d = 0; d < 2; ++d) {
    if (Pick(random, 0, 5) == 0) p.k.strides[d] = p.v.strides[d] = 0;
  }
  const auto zero = [&] { return static_cast<int32_t>(Pick(random, 0, 2) == 0 ? 128 : Pick(random, 0, 255)); };
  p.q_zero = zero(), p.k_zero = zero(), p.v_zero = zero(), p.score_zero = zero(), p.out_zero = zero();
  p.share_zero = Pick(random, 0, 3) == 0 ? zero() : 0;
  // From shares that are alike to rows where one key takes all, and scores that are far apart.
  const float spread[] = {1e-30f, 1e-6f, 2e-5f, 1.0f / 2048, 0.01f, 30.0f};
  p.score_multiplier = spread[Pick(random, 0, 5)];
  p.rounds_scores = Pick(random, 0, 3) == 0 ? 1 : 0;
  p.score_scale = p.rounds_scores ? static_cast<float>(Pick(random, 1, 100)) * 0.01f : 1.0f;
  if (p.rounds_scores) p.score_multiplier = 1.0f / 1024;
  // Shares up to 1, up to a smaller bound that some exceed, halfway between two bytes where all are alike, and scales whose reciprocal is not used.
  const float scales[] = {1.0f / 255, static_cast<float>(Pick(random, 1, 1000)) * 1e-5f,
                          1.0f / (static_cast<float>(keys) * (static_cast<float>(Pick(random, 0, 20)) + 0.5f)), Pick(random, 0, 1) ? 1e-38f : 1e31f};
  p.share_scale = scales[Pick(random, 0, 15) == 0 ? 3 : Pick(random, 0, 2)];
  p.out_multiplier = p.share_scale < 1e-30f ? 1e-4f : p.share_scale * 0.7f;
  p.clamp_min = Pick(random, 0, 1) ? 0 : static_cast<int32_t>(Pick(random, 0, 255));
  p.clamp_max = Pick(random, 0, 1) ? 255 : static_cast<int32_t>(Pick(random, p.clamp_min, 255));
  if (Pick(random, 0, 1) == 0) AddMask(random, &c);
  return c;
}

int64_t Element(const View& view, const std::vector<int64_t>& at) {
  int64_t element = view.offset;
  for (int d = 0; d < view.rank; ++d) element += at[d] * view.strides[d];
  return element;
}

// One step of its own on the portable tier.
template <typename Params>
std::vector<uint8_t> Step(const std::string& kernel, const Params& params, const std::vector<StepOperand>& operands) {
  StepRunner runner(kernel, runtime::ParamBytes(params));
  for (const StepOperand& o : operands) runner.Add(o.space, o.bytes.data(), o.bytes.size());
  EXPECT_EQ(runner.Run(1), absl::OkStatus()) << kernel;
  return runner.Bytes(static_cast<int>(operands.size()) - 1);
}

template <typename T>
std::vector<T> As(const std::vector<uint8_t>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

// What the step stands for. `scores` gets the masked scores.
std::vector<uint8_t> InThreeSteps(const Case& c, std::vector<float>* scores) {
  const AttentionU8Params& p = c.p;
  const int64_t dims[] = {p.q.dims[0], p.q.dims[1], p.q.dims[2], p.k.dims[2]};
  const View floats = DenseView(dims, 4, 4), bytes = DenseView(dims, 4, 1);
  View turned = p.k;
  std::swap(turned.dims[2], turned.dims[3]);
  std::swap(turned.strides[2], turned.strides[3]);
  const MatMulU8Params by_keys = {
      p.q,   turned, p.rounds_scores ? bytes : floats, p.q_zero, p.k_zero, p.score_multiplier, p.rounds_scores ? 0 : 1, p.score_zero, 0, 255,
      -kInf, kInf};
  const auto product = Step(MatMulU8Kernel(Isa::kGeneric), by_keys,
                            {Arena(c.q), Arena(c.k), Arena(std::vector<uint8_t>(floats.elements() * (p.rounds_scores ? 1 : 4)))});
  scores->assign(floats.elements(), 0);
  const std::vector<float> real = As<float>(product);
  ForEach({&floats}, [&](const std::vector<int64_t>& index, const std::vector<int64_t>& at) {
    float& score = (*scores)[at[0]];
    score = p.rounds_scores ? DequantizeValue(product[at[0]], p.score_scale, p.score_zero) : real[at[0]];
    if (p.masking == ScoreMask::kNone) return;
    const int64_t m = Element(p.mask, index);
    if (p.masking == ScoreMask::kAdded) score += c.added[m];
    else if ((c.bytes[m] != 0) == (p.masking == ScoreMask::kHidden)) score = p.low;
  });
  const auto shares = Step(SoftmaxF32Kernel(Isa::kGeneric), SoftmaxF32Params{floats, bytes, 3, 0, 1, p.share_scale, p.share_zero},
                           {Arena(*scores), Arena(std::vector<uint8_t>(floats.elements()))});
  const MatMulU8Params by_values = {bytes,          p.v,        p.out,       p.share_zero, p.v_zero, p.out_multiplier,
                                    p.float_output, p.out_zero, p.clamp_min, p.clamp_max,  -kInf,    kInf};
  return Step(MatMulU8Kernel(Isa::kGeneric), by_values, {Arena(shares), Arena(c.v), Arena(c.out)});
}

// The output in double, without rounding of scores and shares, differs by no more than rounding of the shares allows.
void CheckReals(const Case& c, const std::vector<float>& scores, const std::vector<uint8_t>& got) {
  const AttentionU8Params& p = c.p;
  const int64_t keys = p.k.dims[2];
  const std::vector<float> floats = As<float>(got);
  std::vector<double> shares(keys);  // of a row, in units of their scale
  ForEach({&p.out}, [&](const std::vector<int64_t>& index, const std::vector<int64_t>& at) {
    const float* row = &scores[((index[0] * p.q.dims[1] + index[1]) * p.q.dims[2] + index[2]) * keys];
    const double top = *std::max_element(row, row + keys);
    if (top == -kInf) return;
    if (index[3] == 0) {
      double sum = 0;
      for (int64_t j = 0; j < keys; ++j) sum += shares[j] = std::exp(row[j] - top);
      for (double& share : shares) share /= sum * p.share_scale;
    }
    double want = 0, bound = 1e-6;
    for (int64_t j = 0; j < keys; ++j) {
      const double centered = c.v[Element(p.v, {index[0], index[1], j, index[3]})] - p.v_zero;
      want += std::min(shares[j], 255.0 - p.share_zero) * centered;
      bound += (0.501 + shares[j] * 1e-5) * std::fabs(centered);
    }
    want *= p.out_multiplier, bound *= p.out_multiplier;
    if (p.float_output) {
      ASSERT_NEAR(floats[at[0]], want, bound);
      return;
    }
    ASSERT_NEAR(got[at[0]], std::clamp(want + p.out_zero, 1.0 * p.clamp_min, 1.0 * p.clamp_max), bound + 0.501);
  });
}

class AttentionU8Test : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    RegisterAttentionU8Kernels();
    RegisterMatMulU8Kernels();
    RegisterSoftmaxF32Kernels();
  }
};

TEST_F(AttentionU8Test, GivesTheBitsOfThreeStepsOnEveryTier) {
  Random random(89);
  for (int i = 0; i < 150; ++i) {
    SCOPED_TRACE(i);
    const Case c = RandomCase(random);
    std::vector<uint8_t> bytes;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(AttentionU8Kernel, c.p, c.Operands(), 3, &bytes));
    std::vector<float> scores;
    const std::vector<uint8_t> want = InThreeSteps(c, &scores);
    ASSERT_EQ(bytes.size(), want.size());
    ASSERT_EQ(std::memcmp(bytes.data(), want.data(), want.size()), 0);
    ASSERT_NO_FATAL_FAILURE(CheckReals(c, scores, bytes));
  }
}

TEST_F(AttentionU8Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t q[] = {2, 4, 5, 6}, k[] = {2, 4, 7, 6}, v[] = {2, 4, 7, 3}, out[] = {2, 4, 5, 3}, mask[] = {2, 4, 5, 7};
  AttentionU8Params good = {};
  good.q = DenseView(q, 4, 1);
  good.k = DenseView(k, 4, 1);
  good.v = DenseView(v, 4, 1);
  good.out = DenseView(out, 4, 1);
  good.mask = DenseView(mask, 4, 4);
  good.masking = ScoreMask::kAdded;
  good.score_multiplier = good.score_scale = good.share_scale = good.out_multiplier = 1.0f;
  good.clamp_max = 255;
  const std::vector<StepOperand> operands = {Arena(std::vector<uint8_t>(240)), Arena(std::vector<uint8_t>(336)), Arena(std::vector<uint8_t>(168)),
                                             Arena(std::vector<uint8_t>(120)), Arena(std::vector<float>(280))};
  ASSERT_EQ(VerifyStep(AttentionU8Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    AttentionU8Params p = good;
    damage(&p);
    return !VerifyStep(AttentionU8Kernel, p, operands).ok();
  };
  using P = AttentionU8Params;
  EXPECT_TRUE(refused([](P* p) { p->q.dims[3] = 5; }));
  EXPECT_TRUE(refused([](P* p) { p->q.strides[1] = 64; }));
  EXPECT_TRUE(refused([](P* p) { p->q.strides[3] = 0; }));
  EXPECT_TRUE(refused([](P* p) { p->q.rank = p->k.rank = p->v.rank = p->out.rank = 3; }));
  EXPECT_TRUE(refused([](P* p) { p->k.dims[1] = 2; }));
  EXPECT_TRUE(refused([](P* p) { p->k.dims[2] = 8; }));
  EXPECT_TRUE(refused([](P* p) { p->k.strides[2] = -6; }));
  EXPECT_TRUE(refused([](P* p) { p->v.dims[2] = 6; }));
  EXPECT_TRUE(refused([](P* p) { p->v.strides[0] = 100; }));
  EXPECT_TRUE(refused([](P* p) { p->out.dims[2] = 4; }));
  EXPECT_TRUE(refused([](P* p) { p->out.dims[3] = 2; }));
  EXPECT_TRUE(refused([](P* p) { p->out.strides[3] = -1; }));
  EXPECT_TRUE(refused([](P* p) { p->float_output = 1; }));
  EXPECT_TRUE(refused([](P* p) { p->float_output = 2; }));
  EXPECT_TRUE(refused([](P* p) { p->rounds_scores = 2; }));
  EXPECT_TRUE(refused([](P* p) { p->mask.dims[3] = 6; }));
  EXPECT_TRUE(refused([](P* p) { p->mask.strides[2] = 8; }));
  EXPECT_TRUE(refused([](P* p) { p->masking = ScoreMask::kNone; }));
  EXPECT_TRUE(refused([](P* p) { p->masking = ScoreMask::kVisible; }));
  EXPECT_TRUE(refused([](P* p) { p->masking = static_cast<ScoreMask>(4); }));
  for (int32_t P::*zero : {&P::q_zero, &P::k_zero, &P::v_zero, &P::score_zero, &P::share_zero, &P::out_zero}) {
    EXPECT_TRUE(refused([&](P* p) { p->*zero = 256; }));
    EXPECT_TRUE(refused([&](P* p) { p->*zero = -1; }));
  }
  EXPECT_TRUE(refused([](P* p) { p->clamp_min = -1; }));
  EXPECT_TRUE(refused([](P* p) { p->clamp_max = 256; }));
  // Broadcast keys would be packed into more memory than they take; sums over more than int32 holds.
  for (const int64_t keys : {int64_t{2000}, int64_t{1} << 36}) {
    EXPECT_TRUE(refused([&](P* p) {
      p->k.dims[2] = p->v.dims[2] = p->mask.dims[3] = keys;
      p->k.strides[2] = p->v.strides[2] = p->mask.strides[3] = 0;
    }));
  }
}

}  // namespace
}  // namespace omkit::kernels
