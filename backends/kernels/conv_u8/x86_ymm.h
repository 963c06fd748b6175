// The end of a convolution on 256-bit registers: sixteen output channels of a pixel in two accumulators, in the slot order of
// blocks.h (first: channels 0-3 and 8-11, second: 4-7 and 12-15). Floor 4. Internal linkage only; for AVX2 and AVX-VNNI sources.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_X86_YMM_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_X86_YMM_H_

#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

struct YmmFinish {
  __m256i zero_point, clamp_min, clamp_max, residual_zero;
  __m256 residual_multiplier, act_min, act_max;
  bool has_residual;
};

[[maybe_unused]] OMKIT_INLINE YmmFinish MakeYmmFinish(const ConvU8Params& p) {
  return {_mm256_set1_epi16(static_cast<int16_t>(p.out_zero)),
          _mm256_set1_epi8(static_cast<char>(p.clamp_min)),
          _mm256_set1_epi8(static_cast<char>(p.clamp_max)),
          _mm256_set1_epi32(p.residual_zero),
          _mm256_set1_ps(p.residual_multiplier),
          _mm256_set1_ps(p.act_min),
          _mm256_set1_ps(p.act_max),
          p.has_residual != 0};
}

// The first `count` of 16 bytes, zeros behind them; touches no other byte.
OMKIT_INLINE __m128i LoadBytes(const uint8_t* from, int count) {
  if (count >= 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  uint8_t bytes[16] = {};
  for (int i = 0; i < count; ++i) bytes[i] = from[i];
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}
OMKIT_INLINE void StoreBytes(uint8_t* to, __m128i v, int count) {
  if (count >= 16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v);
  uint8_t bytes[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), v);
  for (int i = 0; i < count; ++i) to[i] = bytes[i];
}

// acc * multiplier (+ residual); `residual` points to the block's channels and is read only with a residual.
OMKIT_INLINE void ScaleYmm(const YmmFinish& f, __m256i first, __m256i second, const float* multiplier, const uint8_t* residual, int count,
                           __m256 (&v)[2]) {
  v[0] = _mm256_mul_ps(_mm256_cvtepi32_ps(first), _mm256_loadu_ps(multiplier));
  v[1] = _mm256_mul_ps(_mm256_cvtepi32_ps(second), _mm256_loadu_ps(multiplier + 8));
  if (!f.has_residual) return;
  const __m256i words = _mm256_cvtepu8_epi16(LoadBytes(residual, count)), zero = _mm256_setzero_si256();
  const __m256i low = _mm256_sub_epi32(_mm256_unpacklo_epi16(words, zero), f.residual_zero);
  const __m256i high = _mm256_sub_epi32(_mm256_unpackhi_epi16(words, zero), f.residual_zero);
  v[0] = _mm256_add_ps(v[0], _mm256_mul_ps(_mm256_cvtepi32_ps(low), f.residual_multiplier));
  v[1] = _mm256_add_ps(v[1], _mm256_mul_ps(_mm256_cvtepi32_ps(high), f.residual_multiplier));
}

// Sixteen channels as 16-bit words with the zero point added, in channel order.
OMKIT_INLINE __m256i RoundYmm(const YmmFinish& f, const __m256 (&v)[2]) {
  return _mm256_adds_epi16(_mm256_packs_epi32(RoundBelow(v[0]), RoundBelow(v[1])), f.zero_point);
}

// Two pixels of RoundYmm.
OMKIT_INLINE void StoreYmm(const YmmFinish& f, __m256i a, __m256i b, uint8_t* out_a, uint8_t* out_b, int count) {
  const __m256i bytes = _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(a, b), f.clamp_min), f.clamp_max);
  const __m256i ordered = _mm256_permute4x64_epi64(bytes, 0xD8);
  StoreBytes(out_a, _mm256_castsi256_si128(ordered), count);
  if (out_b) StoreBytes(out_b, _mm256_extracti128_si256(ordered, 1), count);
}

// Operand order makes a NaN pass as the comparisons of the contract do.
OMKIT_INLINE void StoreYmmFloats(const YmmFinish& f, const __m256 (&v)[2], uint8_t* out, int count) {
  const __m256 a = _mm256_min_ps(f.act_max, _mm256_max_ps(f.act_min, v[0])), b = _mm256_min_ps(f.act_max, _mm256_max_ps(f.act_min, v[1]));
  float ordered[16];
  _mm256_storeu_ps(ordered, _mm256_permute2f128_ps(a, b, 0x20));
  _mm256_storeu_ps(ordered + 8, _mm256_permute2f128_ps(a, b, 0x31));
  for (int i = 0; i < count; ++i) __builtin_memcpy(out + i * 4, &ordered[i], 4);
}

// acc += the products of 16-bit pairs.
OMKIT_INLINE __m256i MultiplyAddWords(__m256i acc, __m256i x, __m256i w) {
#if defined(OMKIT_DOT_EVEX)
  return _mm256_dpwssd_epi32(acc, x, w);
#elif defined(__AVXVNNI__)
  return _mm256_dpwssd_avx_epi32(acc, x, w);
#else
  return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w));
#endif
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_X86_YMM_H_
