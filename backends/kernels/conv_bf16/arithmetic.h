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

#if defined(__AVX2__) || defined(__aarch64__)

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

#endif

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

// `sum` is before + x * w, rounded. It may have become the least normal number by rounding: with 24 bits and an exponent of any size it would be
// less, and what is less counts as zero.
inline float FlushedSum(float x, float w, float before, float sum) {
  constexpr float kScale = 16777216.0f;
  if (__builtin_fabsf(sum) != kLeastNormal) return FlushedLane(sum);
  const bool less = __builtin_fabsf(__builtin_fmaf(x * kScale, w, before * kScale)) < kLeastNormal * kScale;
  return less ? __builtin_copysignf(0.0f, sum) : sum;
}

#if defined(__aarch64__)

[[maybe_unused]] __attribute__((noinline)) void FlushSums(const float* x, const float* w, const float* before, float* sum) {
  for (int i = 0; i < kWidth; ++i) sum[i] = FlushedSum(x[i], w[i], before[i], sum[i]);
}
// A lane that is not zero and at most the least normal number.
OMKIT_INLINE bool AnyTiny(F32 x) {
  uint32x4_t tiny = vdupq_n_u32(0);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const uint32x4_t below = vsubq_u32(vandq_u32((uint32x4_t)x.v[i], vdupq_n_u32(0x7FFFFFFFu)), vdupq_n_u32(1));  // zero becomes the largest
    tiny = vorrq_u32(tiny, vcltq_u32(below, vdupq_n_u32(0x00800000u)));
  }
  return vmaxvq_u32(tiny) != 0;
}
OMKIT_INLINE F32 AddProduct(F32 x, F32 w, F32 sum) {
  F32 result = Fma(x, w, sum);
  if (AnyTiny(result)) {
    FlushSums(reinterpret_cast<const float*>(&x), reinterpret_cast<const float*>(&w), reinterpret_cast<const float*>(&sum),
              reinterpret_cast<float*>(&result));
  }
  return result;
}

#else

// One lane after the other, in little code: the C library's fmaf takes the time.
[[maybe_unused]] __attribute__((noinline)) void AddProducts(const float* x, const float* w, float* sum) {
  for (int i = 0; i < kWidth; ++i) sum[i] = FlushedSum(x[i], w[i], sum[i], __builtin_fmaf(x[i], w[i], sum[i]));
}
OMKIT_INLINE F32 AddProduct(F32 x, F32 w, F32 sum) {
  AddProducts(reinterpret_cast<const float*>(&x), reinterpret_cast<const float*>(&w), reinterpret_cast<float*>(&sum));
  return sum;
}

[[maybe_unused]] __attribute__((noinline)) void RoundLanes(float* x) {
  for (int i = 0; i < kWidth; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    if (x[i] != x[i]) bits |= 0x400000u;
    else if (__builtin_fabsf(x[i]) < kLeastNormal) bits &= 0x80000000u;
    else bits += 0x7FFFu + ((bits >> 16) & 1);
    bits &= 0xFFFF0000u;
    __builtin_memcpy(x + i, &bits, sizeof bits);
  }
}
OMKIT_INLINE F32 RoundToBFloat16(F32 x) {
  RoundLanes(reinterpret_cast<float*>(&x));
  return x;
}

#endif
#endif

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_BF16_ARITHMETIC_H_
