// One loop over rows per function, instantiated from the table of functions.
#include "backends/kernels/elementwise_f32/elementwise_f32.h"
#include "backends/kernels/math_f32.h"
#include "backends/kernels/nest.h"

namespace omkit::kernels {
namespace {

struct Constants {
  F32 alpha, beta;
};
using K = UnaryF32;

template <UnaryF32 kKind>
OMKIT_INLINE F32 Apply(F32 x, const Constants& c) {
  const F32 zero = Set(0.0f), one = Set(1.0f), half = Set(0.5f);
  if constexpr (kKind == K::kIdentity) return x;
  if constexpr (kKind == K::kRelu) return Max(zero, x);
  if constexpr (kKind == K::kClip) return ClampTo(x, c.alpha, c.beta);
  if constexpr (kKind == K::kLeakyRelu) return Select(x < zero, x * c.alpha, x);
  if constexpr (kKind == K::kSigmoid) return Sigmoid(x);
  if constexpr (kKind == K::kHardSigmoid) return ClampTo(Fma(c.alpha, x, c.beta), zero, one);
  if constexpr (kKind == K::kHardSwish) return x * ClampTo(Fma(x, Set(1.0f / 6.0f), half), zero, one);
  if constexpr (kKind == K::kTanh) return Tanh(x);
  if constexpr (kKind == K::kExp) return Exp(x);
  if constexpr (kKind == K::kLog) return Log(x);
  if constexpr (kKind == K::kSqrt) return Sqrt(x);
  if constexpr (kKind == K::kNeg) return Negate(x);
  if constexpr (kKind == K::kAbs) return Abs(x);
  if constexpr (kKind == K::kReciprocal) return one / x;
  if constexpr (kKind == K::kErf) return Erf(x);
  if constexpr (kKind == K::kGelu) return half * x * (one + Erf(x * Set(0.70710678118f)));
  if constexpr (kKind == K::kGeluTanh) {
    const F32 inner = x * Fma(x * x, Set(0.044715f), one);
    return half * x * (one + Tanh(inner * Set(0.79788456080f)));
  }
  if constexpr (kKind == K::kSwish) return x * Sigmoid(c.alpha * x);
  if constexpr (kKind == K::kMish) return Mish(x);
  if constexpr (kKind == K::kSoftplus) return Softplus(x);
  if constexpr (kKind == K::kElu) return Select(x < zero, c.alpha * Expm1(x), x);
  if constexpr (kKind == K::kSelu) return c.beta * Select(zero < x, x, c.alpha * Expm1(x));
  if constexpr (kKind == K::kFloor) return Floor(x);
  if constexpr (kKind == K::kCeil) return Ceil(x);
  if constexpr (kKind == K::kRound) return RoundEven(x);
  if constexpr (kKind == K::kSign) return Select(x < zero, Set(-1.0f), Select(zero < x, one, x));
  if constexpr (kKind == K::kSoftsign) return x / (one + Abs(x));
  if constexpr (kKind == K::kSquare) return x * x;
  if constexpr (kKind == K::kAffine) return Fma(c.alpha, x, c.beta);
}

using B = BinaryF32;

template <BinaryF32 kKind>
OMKIT_INLINE F32 Apply(F32 a, F32 b) {
  if constexpr (kKind == B::kAdd) return a + b;
  if constexpr (kKind == B::kSub) return a - b;
  if constexpr (kKind == B::kMul) return a * b;
  if constexpr (kKind == B::kDiv) return a / b;
  if constexpr (kKind == B::kMax) return Select(b == b, Max(b, a), b);
  if constexpr (kKind == B::kMin) return Select(b == b, Min(b, a), b);
  if constexpr (kKind == B::kPow) return Pow(a, b);
  if constexpr (kKind == B::kPRelu) return Select(a < Set(0.0f), a * b, a);
}

template <UnaryF32 kKind>
void Run(const UnaryF32Params& p, const KernelArgs& args) {
  const float* in = static_cast<const float*>(args.operands[0]);
  float* out = static_cast<float*>(args.operands[1]);
  const View* const views[2] = {&p.in, &p.out};
  const Nest<2> nest = MakeNest<2>(views);
  const int64_t si = nest.strides[0][nest.rank - 1], so = nest.strides[1][nest.rank - 1];
  const Constants c = {Set(p.alpha), Set(p.beta)};
  const F32 lo = Set(p.act_min), hi = Set(p.act_max);
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    const float* x = in + at[0];
    float* z = out + at[1];
    int64_t i = begin;
    if (si == 1 && so == 1) {
      for (; i + kWidth <= end; i += kWidth) Store(z + i, ClampTo(Apply<kKind>(Load(x + i), c), lo, hi));
    }
    for (; i < end; i += kWidth) {
      const int count = end - i < kWidth ? static_cast<int>(end - i) : kWidth;
      StoreStrided(z + i * so, so, ClampTo(Apply<kKind>(LoadStrided(x + i * si, si, count), c), lo, hi), count);
    }
  });
}

template <BinaryF32 kKind>
void Run(const BinaryF32Params& p, const KernelArgs& args) {
  const float* a = static_cast<const float*>(args.operands[0]);
  const float* b = static_cast<const float*>(args.operands[1]);
  float* out = static_cast<float*>(args.operands[2]);
  const View* const views[3] = {&p.a, &p.b, &p.out};
  const Nest<3> nest = MakeNest<3>(views);
  const int row = nest.rank - 1;
  const int64_t sa = nest.strides[0][row], sb = nest.strides[1][row], so = nest.strides[2][row];
  const F32 lo = Set(p.act_min), hi = Set(p.act_max);
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    const float *x = a + at[0], *y = b + at[1];
    float* z = out + at[2];
    int64_t i = begin;
    if (sa == 1 && sb == 1 && so == 1) {
      for (; i + kWidth <= end; i += kWidth) Store(z + i, ClampTo(Apply<kKind>(Load(x + i), Load(y + i)), lo, hi));
    }
    for (; i < end; i += kWidth) {
      const int count = end - i < kWidth ? static_cast<int>(end - i) : kWidth;
      const F32 left = LoadStrided(x + i * sa, sa, count), right = LoadStrided(y + i * sb, sb, count);
      StoreStrided(z + i * so, so, ClampTo(Apply<kKind>(left, right), lo, hi), count);
    }
  });
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void UnaryF32(const KernelArgs& args) {
  UnaryF32Params p;
  LoadParams(args, &p);
  switch (p.kind) {
#define OMKIT_UNARY_F32(name, number) \
  case K::k##name:                    \
    return Run<K::k##name>(p, args);
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
  }
}

void BinaryF32(const KernelArgs& args) {
  BinaryF32Params p;
  LoadParams(args, &p);
  switch (p.kind) {
#define OMKIT_BINARY_F32(name, number) \
  case B::k##name:                     \
    return Run<B::k##name>(p, args);
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
