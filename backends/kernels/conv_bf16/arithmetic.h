// The arithmetic of conv_bf16's sums without VDPBF16PS: a float multiply-add whose denormal results are zeros. Floor 4. Internal linkage only, see
// tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_BF16_ARITHMETIC_H_
#define OMKIT_BACKENDS_KERNELS_CONV_BF16_ARITHMETIC_H_

#include <cstdint>

#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

constexpr float kLeastNormal = 1.17549435e-38f;

#if defined(__AVX2__)

// walk.cc has set MXCSR.
OMKIT_INLINE F32 Flushed(F32 x) { return x; }
OMKIT_INLINE F32 AddProduct(F32 x, F32 w, F32 sum) { return Fma(x, w, sum); }

#else

inline float FlushedLane(float x) { return __builtin_fabsf(x) < kLeastNormal ? __builtin_copysignf(0.0f, x) : x; }
[[maybe_unused]] __attribute__((noinline)) void FlushLanes(float* x) {
  for (int i = 0; i < kWidth; ++i) x[i] = FlushedLane(x[i]);
}
OMKIT_INLINE F32 Flushed(F32 x) {
  FlushLanes(reinterpret_cast<float*>(&x));
  return x;
}

// Also sums that became the least normal number by rounding: with 24 bits and an exponent of any size some would be less, which is what counts.
[[maybe_unused]] __attribute__((noinline)) void FlushSums(const float* x, const float* w, const float* before, float* sum) {
  constexpr float kScale = 16777216.0f;
  for (int i = 0; i < kWidth; ++i) {
    if (__builtin_fabsf(sum[i]) != kLeastNormal) sum[i] = FlushedLane(sum[i]);
    else if (__builtin_fabsf(__builtin_fmaf(x[i] * kScale, w[i], before[i] * kScale)) < kLeastNormal * kScale) sum[i] *= 0.0f;
  }
}
// A lane that is not zero and at most the least normal number.
OMKIT_INLINE bool AnyTiny(F32 x) {
  typedef int64_t Halves __attribute__((vector_size(16)));
  QuadInt tiny = {};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const QuadWord below = ((QuadWord)x.v[i] & 0x7FFFFFFFu) - 1u;  // zero becomes the largest
    tiny |= (QuadInt)(below < 0x00800000u);
  }
  const Halves halves = (Halves)tiny;
  return (halves[0] | halves[1]) != 0;
}
OMKIT_INLINE F32 AddProduct(F32 x, F32 w, F32 sum) {
  F32 result = Fma(x, w, sum);
  if (AnyTiny(result)) {
    FlushSums(reinterpret_cast<const float*>(&x), reinterpret_cast<const float*>(&w), reinterpret_cast<const float*>(&sum),
              reinterpret_cast<float*>(&result));
  }
  return result;
}

#endif

// To nearest even; a NaN becomes a quiet one, a denormal number a zero.
OMKIT_INLINE F32 RoundToBFloat16(F32 x) {
  const S32 bits = Bits(x);
  const S32 odd = ShiftRight<16>(bits) & SetInt(1);
  const F32 rounded = FromBits((bits + SetInt(0x7FFF) + odd) & SetInt(-0x10000));
  const F32 quiet = FromBits((bits | SetInt(0x400000)) & SetInt(-0x10000));
  const F32 zero = FromBits(bits & SetInt(INT32_MIN));
  const F32 magnitude = FromBits(bits & SetInt(INT32_MAX));
  return Select(magnitude < Set(kLeastNormal), zero, Select(x == x, rounded, quiet));
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_BF16_ARITHMETIC_H_
