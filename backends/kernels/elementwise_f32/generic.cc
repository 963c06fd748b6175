// One loop per function, instantiated from the table of functions, over contiguous blocks; a walk that all functions share gives them rows
// as they lie, or by way of the stack where elements are strided or broadcast.
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

// Whole vectors without a mask.
OMKIT_INLINE F32 LoadLanes(const float* from, int lanes) { return lanes == kWidth ? Load(from) : LoadSome(from, lanes); }
OMKIT_INLINE int LanesAt(int64_t i, int64_t count) { return count - i < kWidth ? static_cast<int>(count - i) : kWidth; }

template <UnaryF32 kKind>
void Block(const UnaryF32Params& p, const float* x, float* z, int64_t count) {
  const Constants c = {Set(p.alpha), Set(p.beta)};
  const F32 lo = Set(p.act_min), hi = Set(p.act_max);
  for (int64_t i = 0; i < count; i += kWidth) {
    const int lanes = LanesAt(i, count);
    StoreSome(z + i, ClampTo(Apply<kKind>(LoadLanes(x + i, lanes), c), lo, hi), lanes);
  }
}

template <BinaryF32 kKind>
void Block(const BinaryF32Params& p, const float* x, const float* y, float* z, int64_t count) {
  const F32 lo = Set(p.act_min), hi = Set(p.act_max);
  for (int64_t i = 0; i < count; i += kWidth) {
    const int lanes = LanesAt(i, count);
    StoreSome(z + i, ClampTo(Apply<kKind>(LoadLanes(x + i, lanes), LoadLanes(y + i, lanes)), lo, hi), lanes);
  }
}

// A piece of a row whose elements do not lie side by side.
constexpr int64_t kStaged = 16 * kWidth;
struct Stage {
  alignas(64) float values[kStaged];
};
OMKIT_INLINE int64_t NextBlock(int64_t left, bool direct) { return direct || left < kStaged ? left : kStaged; }

// The block where it lies, or gathered in `stage`.
OMKIT_INLINE const float* Read(const float* from, int64_t stride, int64_t count, Stage* stage) {
  if (stride == 1) return from;
  if (stride == 0) {
    for (int64_t i = 0; i < count; i += kWidth) Store(stage->values + i, Set(*from));
  } else {
    for (int64_t i = 0; i < count; ++i) stage->values[i] = from[i * stride];
  }
  return stage->values;
}
OMKIT_INLINE void Write(float* to, int64_t stride, int64_t count, const Stage& stage) {
  for (int64_t i = 0; i < count; ++i) to[i * stride] = stage.values[i];
}

void Run(const UnaryF32Params& p, const KernelArgs& args, void (*block)(const UnaryF32Params&, const float*, float*, int64_t)) {
  const float* in = static_cast<const float*>(args.operands[0]);
  float* out = static_cast<float*>(args.operands[1]);
  const View* const views[2] = {&p.in, &p.out};
  const Nest<2> nest = MakeNest<2>(views);
  const int64_t si = nest.strides[0][nest.rank - 1], so = nest.strides[1][nest.rank - 1];
  Stage from, to;
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    for (int64_t i = begin, count; i < end; i += count) {
      count = NextBlock(end - i, si == 1 && so == 1);
      float* z = out + at[1] + i * so;
      block(p, Read(in + at[0] + i * si, si, count, &from), so == 1 ? z : to.values, count);
      if (so != 1) Write(z, so, count, to);
    }
  });
}

void Run(const BinaryF32Params& p, const KernelArgs& args, void (*block)(const BinaryF32Params&, const float*, const float*, float*, int64_t)) {
  const float* a = static_cast<const float*>(args.operands[0]);
  const float* b = static_cast<const float*>(args.operands[1]);
  float* out = static_cast<float*>(args.operands[2]);
  const View* const views[3] = {&p.a, &p.b, &p.out};
  const Nest<3> nest = MakeNest<3>(views);
  const int row = nest.rank - 1;
  const int64_t sa = nest.strides[0][row], sb = nest.strides[1][row], so = nest.strides[2][row];
  Stage left, right, to;
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    for (int64_t i = begin, count; i < end; i += count) {
      count = NextBlock(end - i, sa == 1 && sb == 1 && so == 1);
      float* z = out + at[2] + i * so;
      block(p, Read(a + at[0] + i * sa, sa, count, &left), Read(b + at[1] + i * sb, sb, count, &right), so == 1 ? z : to.values, count);
      if (so != 1) Write(z, so, count, to);
    }
  });
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void UnaryF32(const KernelArgs& args) {
  UnaryF32Params p;
  LoadParams(args, &p);
#define OMKIT_UNARY_F32(name, number) \
  if (p.kind == K::k##name) return Run(p, args, Block<K::k##name>);
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
}

void BinaryF32(const KernelArgs& args) {
  BinaryF32Params p;
  LoadParams(args, &p);
#define OMKIT_BINARY_F32(name, number) \
  if (p.kind == B::k##name) return Run(p, args, Block<B::k##name>);
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
