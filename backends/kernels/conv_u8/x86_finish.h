// The epilogue of the convolution on 512-bit registers: scales the sums of a few pixels, adds the residual, rounds and stores. Floor 4. Internal
// linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_X86_FINISH_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_X86_FINISH_H_

#include "backends/kernels/conv_u8/tiles.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

// Constants of the epilogue.
struct Finish {
  __m512i zero_point, clamp_min, clamp_max;
  int32_t residual_zero;
  bool has_residual;
  float residual_multiplier, act_min, act_max;
};

OMKIT_INLINE uint32_t MaskOf(const Block& b) { return b.count >= 32 ? 0xffffffffu : (1u << b.count) - 1; }

// kLimited is kPlain and kResidual for scaled sums that may leave int32; it is rare, and small rather than fast.
enum class Mode { kPlain, kResidual, kLimited, kFloat };

template <Mode kMode>
OMKIT_INLINE __m512i Rounded(__m512 v) {
  return kMode == Mode::kLimited ? RoundBelow(v) : _mm512_cvtps_epi32(v);
}

// The residual of one pixel in slot order: (q - zero) * multiplier. Words under the exponent of 2^23 are the floats 2^23 + q; both
// differences are exact.
template <int kHalves>
OMKIT_INLINE void LoadResidual(const Block& b, const Finish& f, const uint8_t* residual, __m512 (&side)[kHalves]) {
  const __m512 multiplier = _mm512_set1_ps(f.residual_multiplier);
  if constexpr (kHalves == 1) {
    const __m512i q = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(static_cast<__mmask16>(MaskOf(b)), residual + b.oc));
    side[0] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(q, _mm512_set1_epi32(f.residual_zero))), multiplier);
  } else {
    const __m512i words = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(MaskOf(b), residual + b.oc));
    const __m512i exponent = _mm512_set1_epi16(0x4b00);
    const __m512 zero = _mm512_set1_ps(8388608.0f + static_cast<float>(f.residual_zero));
    side[0] = _mm512_mul_ps(_mm512_sub_ps(_mm512_castsi512_ps(_mm512_unpacklo_epi16(words, exponent)), zero), multiplier);
    side[1] = _mm512_mul_ps(_mm512_sub_ps(_mm512_castsi512_ps(_mm512_unpackhi_epi16(words, exponent)), zero), multiplier);
  }
}

template <Mode kMode, int kHalves>
OMKIT_INLINE void Scale(const Block& b, const Finish& f, const __m512i (&acc)[kHalves], const __m512 (&multiplier)[kHalves], const uint8_t* residual,
                        __m512 (&v)[kHalves]) {
  v[0] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[0]), multiplier[0]);
  if constexpr (kHalves == 2) v[1] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[1]), multiplier[1]);
  if (kMode == Mode::kResidual || (kMode != Mode::kPlain && f.has_residual)) {
    __m512 side[kHalves];
    LoadResidual<kHalves>(b, f, residual, side);
    v[0] = _mm512_add_ps(v[0], side[0]);
    if constexpr (kHalves == 2) v[1] = _mm512_add_ps(v[1], side[1]);
  }
}

// One pixel of float outputs.
template <int kHalves>
OMKIT_INLINE void StoreFloats(const Block& b, const Finish& f, __m512 (&v)[kHalves], uint8_t* out) {
  const __m512 lo = _mm512_set1_ps(f.act_min), hi = _mm512_set1_ps(f.act_max);
  // Operand order makes a NaN pass as the comparisons of the contract do.
  for (int h = 0; h < kHalves; ++h) v[h] = _mm512_min_ps(hi, _mm512_max_ps(lo, v[h]));
  float* to = reinterpret_cast<float*>(out) + b.oc;
  if constexpr (kHalves == 1) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>(MaskOf(b)), v[0]);
  } else {
    const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i high = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>(MaskOf(b)), _mm512_permutex2var_ps(v[0], low, v[1]));
    _mm512_mask_storeu_ps(to + 16, static_cast<__mmask16>(MaskOf(b) >> 16), _mm512_permutex2var_ps(v[0], high, v[1]));
  }
}

// Saturating packs do the clamp of RoundToQuantized to [0, 255]; the narrower clamp follows on bytes.
template <int kPixels, bool kWhole>
OMKIT_INLINE void StoreWide(const Block& b, const Finish& f, const __m512i (&words)[kPixels], uint8_t* const* out) {
  const __m512i lo = f.clamp_min, hi = f.clamp_max;
  const int64_t oc = b.oc;
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
#pragma GCC unroll 4
  for (int r = 0; r < kPixels; r += 2) {
    const __m512i bytes = _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(words[r], words[r + 1 < kPixels ? r + 1 : r]), lo), hi);
    const __m512i pair = _mm512_permutexvar_epi64(order, bytes);
    const __m256i first = _mm512_castsi512_si256(pair), second = _mm512_extracti64x4_epi64(pair, 1);
    if constexpr (kWhole) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[r] + oc), first);
      if (r + 1 < kPixels) _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[r + 1] + oc), second);
    } else {
      _mm256_mask_storeu_epi8(out[r] + oc, MaskOf(b), first);
      if (r + 1 < kPixels) _mm256_mask_storeu_epi8(out[r + 1] + oc, MaskOf(b), second);
    }
  }
}

template <int kPixels, bool kWhole>
OMKIT_INLINE void StoreHalf(const Block& b, const Finish& f, const __m512i (&q)[kPixels], uint8_t* const* out) {
  const __m512i lo = f.clamp_min, hi = f.clamp_max, zero_point = f.zero_point;
  const int64_t oc = b.oc;
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
#pragma GCC unroll 2
  for (int r = 0; r < kPixels; r += 4) {
    const auto at = [&](int i) { return q[r + i < kPixels ? r + i : r]; };
    const __m512i first = _mm512_adds_epi16(_mm512_packs_epi32(at(0), at(1)), zero_point);
    const __m512i second = _mm512_adds_epi16(_mm512_packs_epi32(at(2), at(3)), zero_point);
    const __m512i four = _mm512_permutexvar_epi32(order, _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(first, second), lo), hi));
    const __m128i each[4] = {_mm512_castsi512_si128(four), _mm512_extracti32x4_epi32(four, 1), _mm512_extracti32x4_epi32(four, 2),
                             _mm512_extracti32x4_epi32(four, 3)};
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      if (r + i >= kPixels) break;
      if constexpr (kWhole) _mm_storeu_si128(reinterpret_cast<__m128i*>(out[r + i] + oc), each[i]);
      else _mm_mask_storeu_epi8(out[r + i] + oc, static_cast<__mmask16>(MaskOf(b)), each[i]);
    }
  }
}

// Scales pixel kPixel and those behind it; u8 outputs are left in `packed` for StoreWide or StoreHalf.
template <int kPixel, Mode kMode, int kPixels, int kHalves>
OMKIT_INLINE void FinishPixels(const Block& b, const Finish& f, const __m512i (&acc)[kPixels][kHalves], const __m512 (&multiplier)[kHalves],
                               uint8_t* const* out, const uint8_t* const* residual, __m512i (&packed)[kPixels]) {
  __m512 v[kHalves];
  Scale<kMode, kHalves>(b, f, acc[kPixel], multiplier, residual[kPixel], v);
  if constexpr (kMode == Mode::kFloat) StoreFloats<kHalves>(b, f, v, out[kPixel]);
  else if constexpr (kHalves == 1) packed[kPixel] = Rounded<kMode>(v[0]);
  else packed[kPixel] = _mm512_adds_epi16(_mm512_packs_epi32(Rounded<kMode>(v[0]), Rounded<kMode>(v[1])), f.zero_point);
  if constexpr (kPixel + 1 < kPixels) FinishPixels<kPixel + 1, kMode>(b, f, acc, multiplier, out, residual, packed);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_X86_FINISH_H_
