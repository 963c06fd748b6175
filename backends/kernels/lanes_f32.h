// Sixteen float lanes with the same IEEE results on every tier: the float kernels are written on them once. Intrinsics where the
// compiler's generic vectors are slow, otherwise four vectors of 16 bytes (SSE2, NEON). Floor 4. Internal linkage only, see tier.h.
//
// Only exact operations live here (+ - * / sqrt fma, compares, bit and integer arithmetic), so order alone decides the bits.
#ifndef OMKIT_BACKENDS_KERNELS_LANES_F32_H_
#define OMKIT_BACKENDS_KERNELS_LANES_F32_H_

#include <cstdint>

#include "backends/kernels/tier.h"

#if defined(__AVX2__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined pass-through operand inside its own AVX-512 intrinsics for a bug of the caller.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace omkit::kernels {
namespace {

constexpr int kWidth = 16;

#if defined(__AVX512F__)

struct F32 {
  __m512 v;
};
struct S32 {
  __m512i v;
};
struct Mask {
  __mmask16 v;
};
OMKIT_INLINE __mmask16 First(int count) { return static_cast<__mmask16>((1u << count) - 1u); }
OMKIT_INLINE F32 Set(float x) { return {_mm512_set1_ps(x)}; }
OMKIT_INLINE S32 SetInt(int32_t x) { return {_mm512_set1_epi32(x)}; }
OMKIT_INLINE F32 Load(const float* from) { return {_mm512_loadu_ps(from)}; }
OMKIT_INLINE void Store(float* to, F32 x) { _mm512_storeu_ps(to, x.v); }
OMKIT_INLINE F32 LoadSome(const float* from, int count) { return {_mm512_maskz_loadu_ps(First(count), from)}; }
// Masked stores are slow on some CPUs.
OMKIT_INLINE void StoreSome(float* to, F32 x, int count) {
  if (count == kWidth) return Store(to, x);
  _mm512_mask_storeu_ps(to, First(count), x.v);
}
OMKIT_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
OMKIT_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
OMKIT_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
OMKIT_INLINE F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
OMKIT_INLINE F32 Sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
OMKIT_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
OMKIT_INLINE Mask operator<(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
OMKIT_INLINE Mask operator==(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
OMKIT_INLINE F32 Select(Mask m, F32 yes, F32 no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }
// a < b ? a : b and b < a ? a : b: the second operand when either is NaN.
OMKIT_INLINE F32 Min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
OMKIT_INLINE F32 Max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
OMKIT_INLINE S32 Bits(F32 a) { return {_mm512_castps_si512(a.v)}; }
OMKIT_INLINE F32 FromBits(S32 a) { return {_mm512_castsi512_ps(a.v)}; }
OMKIT_INLINE S32 operator+(S32 a, S32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
OMKIT_INLINE S32 operator-(S32 a, S32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
OMKIT_INLINE S32 operator&(S32 a, S32 b) { return {_mm512_and_si512(a.v, b.v)}; }
OMKIT_INLINE S32 operator|(S32 a, S32 b) { return {_mm512_or_si512(a.v, b.v)}; }
OMKIT_INLINE S32 operator^(S32 a, S32 b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int kCount>
OMKIT_INLINE S32 ShiftLeft(S32 a) {
  return {_mm512_slli_epi32(a.v, kCount)};
}
template <int kCount>
OMKIT_INLINE S32 ShiftRight(S32 a) {
  return {_mm512_srai_epi32(a.v, kCount)};
}
// Exact below 2^24.
OMKIT_INLINE F32 ToFloat(S32 a) { return {_mm512_cvtepi32_ps(a.v)}; }

#elif defined(__AVX2__)

struct F32 {
  __m256 v[2];
};
struct S32 {
  __m256i v[2];
};
struct Mask {
  __m256 v[2];
};
alignas(64) constexpr int32_t kFirst[48] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0,
                                            0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, 0, 0, 0, 0, 0, 0, 0};
OMKIT_INLINE __m256i First(int count, int half) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirst + kWidth - count + 8 * half)); }
OMKIT_INLINE F32 Set(float x) { return {{_mm256_set1_ps(x), _mm256_set1_ps(x)}}; }
OMKIT_INLINE S32 SetInt(int32_t x) { return {{_mm256_set1_epi32(x), _mm256_set1_epi32(x)}}; }
OMKIT_INLINE F32 Load(const float* from) { return {{_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}}; }
OMKIT_INLINE void Store(float* to, F32 x) {
  _mm256_storeu_ps(to, x.v[0]);
  _mm256_storeu_ps(to + 8, x.v[1]);
}
OMKIT_INLINE F32 LoadSome(const float* from, int count) {
  if (count == kWidth) return Load(from);
  return {{_mm256_maskload_ps(from, First(count, 0)), _mm256_maskload_ps(from + 8, First(count, 1))}};
}
// Masked stores are slow on some CPUs.
OMKIT_INLINE void StoreSome(float* to, F32 x, int count) {
  if (count == kWidth) return Store(to, x);
  if (count == kWidth / 2) return _mm256_storeu_ps(to, x.v[0]);
  _mm256_maskstore_ps(to, First(count, 0), x.v[0]);
  _mm256_maskstore_ps(to + 8, First(count, 1), x.v[1]);
}
OMKIT_INLINE F32 operator+(F32 a, F32 b) { return {{_mm256_add_ps(a.v[0], b.v[0]), _mm256_add_ps(a.v[1], b.v[1])}}; }
OMKIT_INLINE F32 operator-(F32 a, F32 b) { return {{_mm256_sub_ps(a.v[0], b.v[0]), _mm256_sub_ps(a.v[1], b.v[1])}}; }
OMKIT_INLINE F32 operator*(F32 a, F32 b) { return {{_mm256_mul_ps(a.v[0], b.v[0]), _mm256_mul_ps(a.v[1], b.v[1])}}; }
OMKIT_INLINE F32 operator/(F32 a, F32 b) { return {{_mm256_div_ps(a.v[0], b.v[0]), _mm256_div_ps(a.v[1], b.v[1])}}; }
OMKIT_INLINE F32 Sqrt(F32 a) { return {{_mm256_sqrt_ps(a.v[0]), _mm256_sqrt_ps(a.v[1])}}; }
OMKIT_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {{_mm256_fmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_ps(a.v[1], b.v[1], c.v[1])}}; }
OMKIT_INLINE Mask operator<(F32 a, F32 b) { return {{_mm256_cmp_ps(a.v[0], b.v[0], _CMP_LT_OQ), _mm256_cmp_ps(a.v[1], b.v[1], _CMP_LT_OQ)}}; }
OMKIT_INLINE Mask operator==(F32 a, F32 b) { return {{_mm256_cmp_ps(a.v[0], b.v[0], _CMP_EQ_OQ), _mm256_cmp_ps(a.v[1], b.v[1], _CMP_EQ_OQ)}}; }
OMKIT_INLINE F32 Select(Mask m, F32 yes, F32 no) {
  return {{_mm256_blendv_ps(no.v[0], yes.v[0], m.v[0]), _mm256_blendv_ps(no.v[1], yes.v[1], m.v[1])}};
}
OMKIT_INLINE F32 Min(F32 a, F32 b) { return {{_mm256_min_ps(a.v[0], b.v[0]), _mm256_min_ps(a.v[1], b.v[1])}}; }
OMKIT_INLINE F32 Max(F32 a, F32 b) { return {{_mm256_max_ps(a.v[0], b.v[0]), _mm256_max_ps(a.v[1], b.v[1])}}; }
OMKIT_INLINE S32 Bits(F32 a) { return {{_mm256_castps_si256(a.v[0]), _mm256_castps_si256(a.v[1])}}; }
OMKIT_INLINE F32 FromBits(S32 a) { return {{_mm256_castsi256_ps(a.v[0]), _mm256_castsi256_ps(a.v[1])}}; }
OMKIT_INLINE S32 operator+(S32 a, S32 b) { return {{_mm256_add_epi32(a.v[0], b.v[0]), _mm256_add_epi32(a.v[1], b.v[1])}}; }
OMKIT_INLINE S32 operator-(S32 a, S32 b) { return {{_mm256_sub_epi32(a.v[0], b.v[0]), _mm256_sub_epi32(a.v[1], b.v[1])}}; }
OMKIT_INLINE S32 operator&(S32 a, S32 b) { return {{_mm256_and_si256(a.v[0], b.v[0]), _mm256_and_si256(a.v[1], b.v[1])}}; }
OMKIT_INLINE S32 operator|(S32 a, S32 b) { return {{_mm256_or_si256(a.v[0], b.v[0]), _mm256_or_si256(a.v[1], b.v[1])}}; }
OMKIT_INLINE S32 operator^(S32 a, S32 b) { return {{_mm256_xor_si256(a.v[0], b.v[0]), _mm256_xor_si256(a.v[1], b.v[1])}}; }
template <int kCount>
OMKIT_INLINE S32 ShiftLeft(S32 a) {
  return {{_mm256_slli_epi32(a.v[0], kCount), _mm256_slli_epi32(a.v[1], kCount)}};
}
template <int kCount>
OMKIT_INLINE S32 ShiftRight(S32 a) {
  return {{_mm256_srai_epi32(a.v[0], kCount), _mm256_srai_epi32(a.v[1], kCount)}};
}
OMKIT_INLINE F32 ToFloat(S32 a) { return {{_mm256_cvtepi32_ps(a.v[0]), _mm256_cvtepi32_ps(a.v[1])}}; }

#else

typedef float Quad __attribute__((vector_size(16)));
typedef int32_t QuadInt __attribute__((vector_size(16)));
struct F32 {
  Quad v[4];
};
struct S32 {
  QuadInt v[4];
};
using Mask = S32;
#if defined(__aarch64__)
// Otherwise the compiler keeps the four in memory.
#define OMKIT_UNROLL_QUADS _Pragma("GCC unroll 4")
#else
#define OMKIT_UNROLL_QUADS
#endif
#define OMKIT_QUADS(type, expr)                                   \
  type r;                                                         \
  OMKIT_UNROLL_QUADS for (int i = 0; i < 4; ++i) r.v[i] = (expr); \
  return r
OMKIT_INLINE F32 Set(float x) { OMKIT_QUADS(F32, (Quad{x, x, x, x})); }
OMKIT_INLINE S32 SetInt(int32_t x) { OMKIT_QUADS(S32, (QuadInt{x, x, x, x})); }
#if defined(__aarch64__)
OMKIT_INLINE F32 Load(const float* from) { OMKIT_QUADS(F32, (Quad)vld1q_f32(from + 4 * i)); }
OMKIT_INLINE void Store(float* to, F32 x) { OMKIT_UNROLL_QUADS for (int i = 0; i < 4; ++i) vst1q_f32(to + 4 * i, (float32x4_t)x.v[i]); }
#else
OMKIT_INLINE F32 Load(const float* from) {
  F32 r;
  __builtin_memcpy(&r, from, sizeof r);
  return r;
}
OMKIT_INLINE void Store(float* to, F32 x) { __builtin_memcpy(to, &x, sizeof x); }
#endif
OMKIT_INLINE F32 LoadSome(const float* from, int count) {
  if (count == kWidth) return Load(from);
  F32 r = {};
  __builtin_memcpy(&r, from, static_cast<unsigned>(count) * sizeof(float));
  return r;
}
OMKIT_INLINE void StoreSome(float* to, F32 x, int count) {
  if (count == kWidth) Store(to, x);
  else __builtin_memcpy(to, &x, static_cast<unsigned>(count) * sizeof(float));
}
OMKIT_INLINE F32 operator+(F32 a, F32 b) { OMKIT_QUADS(F32, a.v[i] + b.v[i]); }
OMKIT_INLINE F32 operator-(F32 a, F32 b) { OMKIT_QUADS(F32, a.v[i] - b.v[i]); }
OMKIT_INLINE F32 operator*(F32 a, F32 b) { OMKIT_QUADS(F32, a.v[i] * b.v[i]); }
OMKIT_INLINE F32 operator/(F32 a, F32 b) { OMKIT_QUADS(F32, a.v[i] / b.v[i]); }
#if defined(__aarch64__)
OMKIT_INLINE F32 Fma(F32 a, F32 b, F32 c) { OMKIT_QUADS(F32, (Quad)vfmaq_f32((float32x4_t)c.v[i], (float32x4_t)a.v[i], (float32x4_t)b.v[i])); }
#else
// Sixteen calls of the C library: once here, not at every use.
[[maybe_unused]] __attribute__((noinline)) void FmaLanes(const float* a, const float* b, float* c) {
  for (int i = 0; i < kWidth; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
}
OMKIT_INLINE F32 Fma(F32 a, F32 b, F32 c) {
  FmaLanes(reinterpret_cast<const float*>(&a), reinterpret_cast<const float*>(&b), reinterpret_cast<float*>(&c));
  return c;
}
#endif
OMKIT_INLINE F32 Sqrt(F32 a) {
  OMKIT_QUADS(F32, (Quad{__builtin_sqrtf(a.v[i][0]), __builtin_sqrtf(a.v[i][1]), __builtin_sqrtf(a.v[i][2]), __builtin_sqrtf(a.v[i][3])}));
}
OMKIT_INLINE Mask operator<(F32 a, F32 b) { OMKIT_QUADS(Mask, a.v[i] < b.v[i]); }
OMKIT_INLINE Mask operator==(F32 a, F32 b) { OMKIT_QUADS(Mask, a.v[i] == b.v[i]); }
OMKIT_INLINE F32 Select(Mask m, F32 yes, F32 no) { OMKIT_QUADS(F32, (Quad)(((QuadInt)yes.v[i] & m.v[i]) | ((QuadInt)no.v[i] & ~m.v[i]))); }
OMKIT_INLINE F32 Min(F32 a, F32 b) { return Select(a < b, a, b); }
OMKIT_INLINE F32 Max(F32 a, F32 b) { return Select(b < a, a, b); }
OMKIT_INLINE S32 Bits(F32 a) { OMKIT_QUADS(S32, (QuadInt)a.v[i]); }
OMKIT_INLINE F32 FromBits(S32 a) { OMKIT_QUADS(F32, (Quad)a.v[i]); }
typedef uint32_t QuadWord __attribute__((vector_size(16)));
OMKIT_INLINE S32 operator+(S32 a, S32 b) { OMKIT_QUADS(S32, (QuadInt)((QuadWord)a.v[i] + (QuadWord)b.v[i])); }
OMKIT_INLINE S32 operator-(S32 a, S32 b) { OMKIT_QUADS(S32, (QuadInt)((QuadWord)a.v[i] - (QuadWord)b.v[i])); }
OMKIT_INLINE S32 operator&(S32 a, S32 b) { OMKIT_QUADS(S32, a.v[i] & b.v[i]); }
OMKIT_INLINE S32 operator|(S32 a, S32 b) { OMKIT_QUADS(S32, a.v[i] | b.v[i]); }
OMKIT_INLINE S32 operator^(S32 a, S32 b) { OMKIT_QUADS(S32, a.v[i] ^ b.v[i]); }
template <int kCount>
OMKIT_INLINE S32 ShiftLeft(S32 a) {
  OMKIT_QUADS(S32, (QuadInt)((QuadWord)a.v[i] << kCount));
}
template <int kCount>
OMKIT_INLINE S32 ShiftRight(S32 a) {
  OMKIT_QUADS(S32, a.v[i] >> kCount);
}
OMKIT_INLINE F32 ToFloat(S32 a) { OMKIT_QUADS(F32, (__builtin_convertvector(a.v[i], Quad))); }
#undef OMKIT_QUADS
#undef OMKIT_UNROLL_QUADS

#endif

// Elements `stride` apart; zeros behind the first `count`.
OMKIT_INLINE F32 LoadStrided(const float* from, int64_t stride, int count) {
  if (stride == 1) return LoadSome(from, count);
  if (stride == 0) return Set(*from);
  alignas(64) float lanes[kWidth] = {};
  for (int i = 0; i < count; ++i) lanes[i] = from[i * stride];
  return Load(lanes);
}
OMKIT_INLINE void StoreStrided(float* to, int64_t stride, F32 x, int count) {
  if (stride == 1) return StoreSome(to, x, count);
  alignas(64) float lanes[kWidth];
  Store(lanes, x);
  for (int i = 0; i < count; ++i) to[i * stride] = lanes[i];
}
// `x` in the first `count` lanes, `rest` behind them.
OMKIT_INLINE F32 Keep(F32 x, int count, float rest) {
  if (count == kWidth) return x;
#if defined(__AVX512F__)
  return {_mm512_mask_mov_ps(_mm512_set1_ps(rest), First(count), x.v)};
#elif defined(__AVX2__)
  return {{_mm256_blendv_ps(_mm256_set1_ps(rest), x.v[0], _mm256_castsi256_ps(First(count, 0))),
           _mm256_blendv_ps(_mm256_set1_ps(rest), x.v[1], _mm256_castsi256_ps(First(count, 1)))}};
#else
  alignas(64) float lanes[kWidth];
  Store(lanes, x);
  for (int i = count; i < kWidth; ++i) lanes[i] = rest;
  return Load(lanes);
#endif
}
// `first` in the first `count` lanes, `rest` behind them.
OMKIT_INLINE F32 KeepFirst(F32 first, F32 rest, int count) {
  alignas(64) float from[kWidth], to[kWidth];
  Store(from, first);
  Store(to, rest);
  for (int i = 0; i < count; ++i) to[i] = from[i];
  return Load(to);
}
// NaN passes through both bounds.
OMKIT_INLINE F32 ClampTo(F32 x, F32 lo, F32 hi) { return Min(hi, Max(lo, x)); }

// ((l0 op l8) op (l4 op l12)) ...: halves folded onto each other, the fixed order in which every reduction ends.
template <typename Op>
OMKIT_INLINE float Fold(F32 x, const Op& op) {
  alignas(64) float lanes[kWidth];
  Store(lanes, x);
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] = op(lanes[i], lanes[i + half]);
  }
  return lanes[0];
}
#if defined(__AVX2__)
#if defined(__AVX512F__)
OMKIT_INLINE __m256 LowHalf(F32 x) { return _mm512_castps512_ps256(x.v); }
OMKIT_INLINE __m256 HighHalf(F32 x) { return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x.v), 1)); }
#else
OMKIT_INLINE __m256 LowHalf(F32 x) { return x.v[0]; }
OMKIT_INLINE __m256 HighHalf(F32 x) { return x.v[1]; }
#endif
OMKIT_INLINE float FoldSum(F32 x) {
  const __m256 eight = _mm256_add_ps(LowHalf(x), HighHalf(x));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
OMKIT_INLINE float FoldMax(F32 x) {
  const __m256 eight = _mm256_max_ps(LowHalf(x), HighHalf(x));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}
#else
OMKIT_INLINE float FoldSum(F32 x) {
  return Fold(x, [](float a, float b) { return a + b; });
}
OMKIT_INLINE float FoldMax(F32 x) {
  return Fold(x, [](float a, float b) { return b < a ? a : b; });
}
#endif

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_LANES_F32_H_
