#include "backends/kernels/elementwise_f32/elementwise_f32.h"

#include <cmath>
#include <limits>

#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

double Reference(UnaryF32 kind, double x, double a, double b) {
  using K = UnaryF32;
  const auto clamp = [](double v, double lo, double hi) { return v < lo ? lo : v > hi ? hi : v; };
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const auto softplus = [](double v) { return v > 50 ? v : std::log1p(std::exp(v)); };
  switch (kind) {
    case K::kIdentity: return x;
    case K::kRelu: return x < 0 ? 0 : x;
    case K::kClip: return clamp(x, a, b);
    case K::kLeakyRelu: return x < 0 ? a * x : x;
    case K::kSigmoid: return sigmoid(x);
    case K::kHardSigmoid: return clamp(a * x + b, 0, 1);
    case K::kHardSwish: return x * clamp(x / 6 + 0.5, 0, 1);
    case K::kTanh: return std::tanh(x);
    case K::kExp: return std::exp(x);
    case K::kLog: return std::log(x);
    case K::kSqrt: return std::sqrt(x);
    case K::kNeg: return -x;
    case K::kAbs: return std::fabs(x);
    case K::kReciprocal: return 1 / x;
    case K::kErf: return std::erf(x);
    case K::kGelu: return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5)));
    case K::kGeluTanh: return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case K::kSwish: return x * sigmoid(static_cast<float>(a * x));  // the product rounds, and e^-y multiplies its error by y
    case K::kMish: return x * std::tanh(softplus(x));
    case K::kSoftplus: return softplus(x);
    case K::kElu: return x < 0 ? a * std::expm1(x) : x;
    case K::kSelu: return b * (x <= 0 ? a * std::expm1(x) : x);
    case K::kFloor: return std::floor(x);
    case K::kCeil: return std::ceil(x);
    case K::kRound: return std::nearbyint(x);
    case K::kSign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case K::kSoftsign: return x / (1 + std::fabs(x));
    case K::kSquare: return x * x;
    case K::kAffine: return a * x + b;
  }
  return kNan;
}

double Reference(BinaryF32 kind, double a, double b) {
  switch (kind) {
    case BinaryF32::kAdd: return a + b;
    case BinaryF32::kSub: return a - b;
    case BinaryF32::kMul: return a * b;
    case BinaryF32::kDiv: return a / b;
    case BinaryF32::kMax: return std::isnan(a) || std::isnan(b) ? kNan : std::max(a, b);
    case BinaryF32::kMin: return std::isnan(a) || std::isnan(b) ? kNan : std::min(a, b);
    case BinaryF32::kPow: return std::pow(a, b);
    case BinaryF32::kPRelu: return a < 0 ? a * b : a;
  }
  return kNan;
}

std::string NameOf(UnaryF32 kind) {
  switch (kind) {
#define OMKIT_UNARY_F32(name, number) \
  case UnaryF32::k##name: return #name;
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
  }
  return "?";
}

const std::vector<UnaryF32> kUnary = {
#define OMKIT_UNARY_F32(name, number) UnaryF32::k##name,
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
};
const std::vector<BinaryF32> kBinary = {
#define OMKIT_BINARY_F32(name, number) BinaryF32::k##name,
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
};

// Cancellation near the zero of these leaves a bound that is absolute, not relative.
double AbsoluteBound(UnaryF32 kind) {
  switch (kind) {
    case UnaryF32::kGelu: case UnaryF32::kGeluTanh: return 4e-7;
    case UnaryF32::kHardSigmoid: case UnaryF32::kHardSwish: case UnaryF32::kAffine: return 1e-7;
    default: return 1e-38;
  }
}

std::vector<float> EveryKindOfFloat() {
  std::vector<float> v = {0.0f, -0.0f, 0.5f, -0.5f, 1.5f, -1.5f, 2.5f, -2.5f, 8388607.5f, -8388607.5f, 1e-40f, -1e-40f, 3e38f, -3e38f, 1e30f};
  for (int i = -1100; i <= 1100; ++i) v.push_back(static_cast<float>(i) / 10.0f);
  for (int i = -4000; i <= 4000; ++i) v.push_back(static_cast<float>(i) / 1000.0f);
  Random random(8);
  for (int i = 0; i < 4000; ++i) v.push_back(std::ldexp(RandomFloats(random, 1)[0], static_cast<int>(Pick(random, -140, 120))));
  return v;
}

class ElementwiseF32Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterElementwiseF32Kernels(); }
};

TEST_F(ElementwiseF32Test, UnaryFunctionsAreWithinAFewUlp) {
  const std::vector<float> x = EveryKindOfFloat();
  const int64_t dims[1] = {static_cast<int64_t>(x.size())};
  for (UnaryF32 kind : kUnary) {
    UnaryF32Params p = {DenseView(dims, 1, 4), DenseView(dims, 1, 4), kind, 0.75f, 1.25f, -kInf, kInf};
    const auto reference = [&](const std::vector<int64_t>& i) -> double {
      const double want = Reference(kind, x[i[0]], 0.75, 1.25);
      return std::fabs(want) > std::numeric_limits<float>::max() ? std::copysign(kInf, want) : want;
    };
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(UnaryF32Kernel, p, {Arena(x), Arena(std::vector<float>(x.size()))}, 1, p.out, reference, 4e-7,
                                           AbsoluteBound(kind)))
        << NameOf(kind);
  }
}

TEST_F(ElementwiseF32Test, UnaryFunctionsOfInfinityAndNan) {
  const std::vector<float> x = {kNan, kInf, -kInf};
  const int64_t dims[1] = {3};
  for (UnaryF32 kind : kUnary) {
    UnaryF32Params p = {DenseView(dims, 1, 4), DenseView(dims, 1, 4), kind, 0.75f, 1.25f, -kInf, kInf};
    std::vector<float> got;
    for (Isa isa : RunnableTiers()) {
      StepRunner runner(UnaryF32Kernel(isa), runtime::ParamBytes(p));
      runner.Add(runtime::Space::kArena, x);
      runner.Add(runtime::Space::kArena, x);
      ASSERT_EQ(runner.Run(1), absl::OkStatus()) << NameOf(kind);
      const std::vector<uint8_t> bytes = runner.Bytes(1);
      std::vector<float> values(x.size());
      std::memcpy(values.data(), bytes.data(), bytes.size());
      if (got.empty()) got = values;
      // Which NaN it is depends on the order of operands that a compiler chooses; that it is one does not.
      for (size_t i = 0; i < x.size(); ++i) {
        const bool same_bits = std::memcmp(&values[i], &got[i], sizeof values[i]) == 0;
        EXPECT_TRUE(same_bits || (std::isnan(values[i]) && std::isnan(got[i]))) << NameOf(kind) << " of " << x[i] << " on " << IsaName(isa);
      }
    }
    EXPECT_TRUE(std::isnan(got[0])) << NameOf(kind);
    if (kind == UnaryF32::kSoftsign) continue;  // infinity / infinity
    const double want = Reference(kind, kInf, 0.75, 1.25);
    EXPECT_EQ(got[1], want) << NameOf(kind);
  }
}

TEST_F(ElementwiseF32Test, UnaryOnAnyViews) {
  Random random(9);
  for (int i = 0; i < 100; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 2000);
    int64_t ni, no;
    UnaryF32Params p = {};
    p.in = RandomView(random, dims, 4, i % 2, &ni);
    p.out = RandomView(random, dims, 4, false, &no);
    p.kind = kUnary[i % kUnary.size()];
    p.alpha = 0.5f;
    p.beta = 2.0f;
    p.act_min = i % 3 ? 0.25f : -kInf;
    p.act_max = i % 4 ? 1.0f : kInf;
    const std::vector<float> in = RandomFloats(random, ni, 0.1f, 2.0f), out = RandomFloats(random, no);
    const auto reference = [&](const std::vector<int64_t>& index) {
      int64_t at = p.in.offset;
      for (int d = 0; d < p.in.rank; ++d) at += index[d] * p.in.strides[d];
      return std::min<double>(std::max<double>(Reference(p.kind, in[at], 0.5, 2.0), p.act_min), p.act_max);
    };
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(UnaryF32Kernel, p, {Arena(in), Arena(out)}, 1, p.out, reference, 1e-6, 1e-6)) << "case " << i;
  }
}

TEST_F(ElementwiseF32Test, BinaryOnAnyViews) {
  Random random(10);
  for (int i = 0; i < 160; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 2000);
    int64_t na, nb, no;
    BinaryF32Params p = {};
    p.a = RandomView(random, dims, 4, i % 2, &na);
    p.b = RandomView(random, dims, 4, i % 3, &nb);
    p.out = RandomView(random, dims, 4, false, &no);
    p.kind = kBinary[i % kBinary.size()];
    p.act_min = i % 5 ? -kInf : -0.5f;
    p.act_max = i % 7 ? kInf : 0.5f;
    const float lo = p.kind == BinaryF32::kPow ? 0.01f : -2.0f;
    const std::vector<float> a = RandomFloats(random, na, lo, 9.0f), b = RandomFloats(random, nb, -4.0f, 4.0f), out = RandomFloats(random, no);
    const auto reference = [&](const std::vector<int64_t>& index) {
      int64_t x = p.a.offset, y = p.b.offset;
      for (int d = 0; d < p.a.rank; ++d) x += index[d] * p.a.strides[d], y += index[d] * p.b.strides[d];
      return std::min<double>(std::max<double>(Reference(p.kind, a[x], b[y]), p.act_min), p.act_max);
    };
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(BinaryF32Kernel, p, {Arena(a), Arena(b), Arena(out)}, 2, p.out, reference, 1e-7, 1e-7)) << "case " << i;
  }
}

TEST_F(ElementwiseF32Test, PowFollowsC99) {
  const std::vector<float> values = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, -0.5f, 2.0f, -2.0f, 3.0f, -3.0f, 2.5f, -2.5f, 1e-40f, 1e30f, -1e30f, 16777217.0f, 33554431.0f, kInf, -kInf, kNan};
  std::vector<float> a, b;
  for (float x : values) {
    for (float y : values) a.push_back(x), b.push_back(y);
  }
  const int64_t dims[1] = {static_cast<int64_t>(a.size())};
  BinaryF32Params p = {DenseView(dims, 1, 4), DenseView(dims, 1, 4), DenseView(dims, 1, 4), BinaryF32::kPow, -kInf, kInf};
  const auto reference = [&](const std::vector<int64_t>& i) -> double { return static_cast<float>(std::pow(static_cast<double>(a[i[0]]), b[i[0]])); };
  ASSERT_NO_FATAL_FAILURE(CheckFloatStep(BinaryF32Kernel, p, {Arena(a), Arena(b), Arena(a)}, 2, p.out, reference, 1e-7, 1e-44));
}

TEST_F(ElementwiseF32Test, MaxAndMinKeepNan) {
  const std::vector<float> a = {kNan, 1.0f, kNan}, b = {1.0f, kNan, kNan};
  const int64_t dims[1] = {3};
  for (BinaryF32 kind : {BinaryF32::kMax, BinaryF32::kMin}) {
    BinaryF32Params p = {DenseView(dims, 1, 4), DenseView(dims, 1, 4), DenseView(dims, 1, 4), kind, -kInf, kInf};
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(BinaryF32Kernel, p, {Arena(a), Arena(b), Arena(a)}, 2, p.out, [](const auto&) -> double { return kNan; }, 0, 0));
  }
}

TEST_F(ElementwiseF32Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t dims[2] = {4, 5};
  const std::vector<float> data(20);
  const BinaryF32Params good = {DenseView(dims, 2, 4), DenseView(dims, 2, 4), DenseView(dims, 2, 4), BinaryF32::kAdd, -kInf, kInf};
  const std::vector<StepOperand> operands = {Arena(data), Arena(data), Arena(data)};
  ASSERT_EQ(VerifyStep(BinaryF32Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    BinaryF32Params p = good;
    damage(&p);
    return !VerifyStep(BinaryF32Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](BinaryF32Params* p) { p->kind = static_cast<BinaryF32>(99); }));
  EXPECT_TRUE(refused([](BinaryF32Params* p) { p->kind = static_cast<BinaryF32>(-1); }));
  EXPECT_TRUE(refused([](BinaryF32Params* p) { p->a.rank = 7; }));
  EXPECT_TRUE(refused([](BinaryF32Params* p) { p->a.dims[0] = 3; }));
  EXPECT_TRUE(refused([](BinaryF32Params* p) { p->b.strides[0] = 6; }));
  EXPECT_TRUE(refused([](BinaryF32Params* p) { p->b.strides[0] = -5; }));
  EXPECT_TRUE(refused([](BinaryF32Params* p) { p->out.offset = 1; }));
  EXPECT_TRUE(refused([](BinaryF32Params* p) { p->out.element_size = 1; }));
  UnaryF32Params u = {DenseView(dims, 2, 4), DenseView(dims, 2, 4), UnaryF32::kExp, 0, 0, -kInf, kInf};
  ASSERT_EQ(VerifyStep(UnaryF32Kernel, u, {Arena(data), Arena(data)}), absl::OkStatus());
  EXPECT_FALSE(VerifyStep(UnaryF32Kernel, u, {Arena(data)}).ok());
  u.kind = static_cast<UnaryF32>(1000);
  EXPECT_FALSE(VerifyStep(UnaryF32Kernel, u, {Arena(data), Arena(data)}).ok());
}

}  // namespace
}  // namespace omkit::kernels
