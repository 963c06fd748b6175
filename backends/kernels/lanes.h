// Sixteen lanes of portable vector arithmetic and the rounding steps of base/quant.h on them: the generic kernels are written on these
// once and compiled per tier. Sixteen lanes are one to four registers ("pieces") of the tier. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_LANES_H_
#define OMKIT_BACKENDS_KERNELS_LANES_H_

#include <cstdint>

#include "backends/kernels/tier.h"
#if defined(__x86_64__)
#include "backends/kernels/x86.h"
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace omkit::kernels {
namespace {

constexpr int kLanes = 16;
#if defined(__AVX512BW__) && defined(__AVX512VL__)
constexpr int kPieceBytes = 64;
#elif defined(__AVX2__)
constexpr int kPieceBytes = 32;
#else
constexpr int kPieceBytes = 16;
#endif
constexpr int kPieces = 64 / kPieceBytes;
constexpr int kWordPieceBytes = kPieceBytes < 32 ? kPieceBytes : 32, kWordPieces = 32 / kWordPieceBytes;

typedef float PieceF32 __attribute__((vector_size(kPieceBytes)));
typedef int32_t PieceS32 __attribute__((vector_size(kPieceBytes)));
typedef int16_t PieceS16 __attribute__((vector_size(kWordPieceBytes)));
typedef uint8_t LanesU8 __attribute__((vector_size(16)));
typedef int8_t LanesS8 __attribute__((vector_size(16)));
struct LanesF32 {
  PieceF32 v[kPieces];
};
struct LanesS32 {
  PieceS32 v[kPieces];
};
struct LanesS16 {
  PieceS16 v[kWordPieces];
};

#define OMKIT_LANES_OPERATOR(Lanes, pieces, op)                                         \
  OMKIT_INLINE Lanes operator op(const Lanes& a, const Lanes& b) {                      \
    Lanes r;                                                                            \
    _Pragma("GCC unroll 4") for (int i = 0; i < pieces; ++i) r.v[i] = a.v[i] op b.v[i]; \
    return r;                                                                           \
  }
OMKIT_LANES_OPERATOR(LanesF32, kPieces, +)
OMKIT_LANES_OPERATOR(LanesF32, kPieces, -)
OMKIT_LANES_OPERATOR(LanesF32, kPieces, *)
OMKIT_LANES_OPERATOR(LanesF32, kPieces, /)
OMKIT_LANES_OPERATOR(LanesS32, kPieces, +)
OMKIT_LANES_OPERATOR(LanesS32, kPieces, -)
OMKIT_LANES_OPERATOR(LanesS32, kPieces, *)
OMKIT_LANES_OPERATOR(LanesS16, kWordPieces, *)
#undef OMKIT_LANES_OPERATOR

OMKIT_INLINE LanesF32 Splat(float x) {
  LanesF32 r;
#pragma GCC unroll 4
  for (int i = 0; i < kPieces; ++i) r.v[i] = PieceF32{} + x;
  return r;
}
OMKIT_INLINE LanesS32 Splat(int32_t x) {
  LanesS32 r;
#pragma GCC unroll 4
  for (int i = 0; i < kPieces; ++i) r.v[i] = PieceS32{} + x;
  return r;
}
OMKIT_INLINE LanesS16 Splat(int16_t x) {
  LanesS16 r;
#pragma GCC unroll 2
  for (int i = 0; i < kWordPieces; ++i) r.v[i] = PieceS16{} + x;
  return r;
}

template <typename Lanes>
OMKIT_INLINE Lanes Load(const void* from) {
  Lanes lanes;
  __builtin_memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
// The first `count` elements, zeros behind them; touches no other byte.
template <typename Lanes>
OMKIT_INLINE Lanes LoadSome(const void* from, int count) {
  if (count >= kLanes) return Load<Lanes>(from);
  constexpr int kSize = sizeof(Lanes) / kLanes;
  uint8_t bytes[sizeof(Lanes)] = {};
  for (int i = 0; i < count; ++i) __builtin_memcpy(bytes + i * kSize, static_cast<const uint8_t*>(from) + i * kSize, kSize);
  return Load<Lanes>(bytes);
}
template <typename Lanes>
OMKIT_INLINE void StoreSome(void* to, const Lanes& lanes, int count) {
  constexpr int kSize = sizeof(Lanes) / kLanes;
  if (count >= kLanes) {
    __builtin_memcpy(to, &lanes, sizeof lanes);
    return;
  }
  uint8_t bytes[sizeof(Lanes)];
  __builtin_memcpy(bytes, &lanes, sizeof lanes);
  for (int i = 0; i < count; ++i) __builtin_memcpy(static_cast<uint8_t*>(to) + i * kSize, bytes + i * kSize, kSize);
}

#if defined(__AVX512BW__) && defined(__AVX512VL__)
OMKIT_INLINE LanesF32 ToFloat(const LanesS32& x) { return {{reinterpret_cast<PieceF32>(_mm512_cvtepi32_ps(reinterpret_cast<__m512i>(x.v[0])))}}; }
OMKIT_INLINE LanesS32 Widen(LanesU8 x) { return {{reinterpret_cast<PieceS32>(_mm512_cvtepu8_epi32(reinterpret_cast<__m128i>(x)))}}; }
OMKIT_INLINE LanesS32 Widen(const LanesS16& x) { return {{reinterpret_cast<PieceS32>(_mm512_cvtepi16_epi32(reinterpret_cast<__m256i>(x.v[0])))}}; }
OMKIT_INLINE LanesS16 ToWords(LanesU8 x) { return {{reinterpret_cast<PieceS16>(_mm256_cvtepu8_epi16(reinterpret_cast<__m128i>(x)))}}; }
OMKIT_INLINE LanesS16 ToWords(LanesS8 x) { return {{reinterpret_cast<PieceS16>(_mm256_cvtepi8_epi16(reinterpret_cast<__m128i>(x)))}}; }
// Of values in [0, 255].
OMKIT_INLINE LanesU8 Narrow(const LanesS32& x) { return reinterpret_cast<LanesU8>(_mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(x.v[0]))); }
// Comparisons that let a NaN in `v` pass.
OMKIT_INLINE PieceF32 ClampPiece(PieceF32 v, float lo, float hi) {
  return reinterpret_cast<PieceF32>(_mm512_min_ps(_mm512_set1_ps(hi), _mm512_max_ps(_mm512_set1_ps(lo), reinterpret_cast<__m512>(v))));
}
OMKIT_INLINE PieceF32 ZeroIfNanPiece(PieceF32 v) {
  const __m512 x = reinterpret_cast<__m512>(v);
  return reinterpret_cast<PieceF32>(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x));
}
OMKIT_INLINE LanesU8 Max(LanesU8 a, LanesU8 b) {
  return reinterpret_cast<LanesU8>(_mm_max_epu8(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
}
#elif defined(__AVX2__)
OMKIT_INLINE LanesF32 ToFloat(const LanesS32& x) {
  return {{reinterpret_cast<PieceF32>(_mm256_cvtepi32_ps(reinterpret_cast<__m256i>(x.v[0]))),
           reinterpret_cast<PieceF32>(_mm256_cvtepi32_ps(reinterpret_cast<__m256i>(x.v[1])))}};
}
OMKIT_INLINE LanesS32 Widen(LanesU8 x) {
  const __m128i b = reinterpret_cast<__m128i>(x);
  return {{reinterpret_cast<PieceS32>(_mm256_cvtepu8_epi32(b)), reinterpret_cast<PieceS32>(_mm256_cvtepu8_epi32(_mm_srli_si128(b, 8)))}};
}
OMKIT_INLINE LanesS32 Widen(const LanesS16& x) {
  const __m256i w = reinterpret_cast<__m256i>(x.v[0]);
  return {{reinterpret_cast<PieceS32>(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(w))),
           reinterpret_cast<PieceS32>(_mm256_cvtepi16_epi32(_mm256_extracti128_si256(w, 1)))}};
}
OMKIT_INLINE LanesS16 ToWords(LanesU8 x) { return {{reinterpret_cast<PieceS16>(_mm256_cvtepu8_epi16(reinterpret_cast<__m128i>(x)))}}; }
OMKIT_INLINE LanesS16 ToWords(LanesS8 x) { return {{reinterpret_cast<PieceS16>(_mm256_cvtepi8_epi16(reinterpret_cast<__m128i>(x)))}}; }
// Of values in [0, 255].
OMKIT_INLINE LanesU8 Narrow(const LanesS32& x) {
  const __m256i words = _mm256_packs_epi32(reinterpret_cast<__m256i>(x.v[0]), reinterpret_cast<__m256i>(x.v[1]));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
  return reinterpret_cast<LanesU8>(_mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
}
// Comparisons that let a NaN in `v` pass.
OMKIT_INLINE PieceF32 ClampPiece(PieceF32 v, float lo, float hi) {
  return reinterpret_cast<PieceF32>(_mm256_min_ps(_mm256_set1_ps(hi), _mm256_max_ps(_mm256_set1_ps(lo), reinterpret_cast<__m256>(v))));
}
OMKIT_INLINE PieceF32 ZeroIfNanPiece(PieceF32 v) {
  const __m256 x = reinterpret_cast<__m256>(v);
  return reinterpret_cast<PieceF32>(_mm256_and_ps(_mm256_cmp_ps(x, x, _CMP_ORD_Q), x));
}
OMKIT_INLINE LanesU8 Max(LanesU8 a, LanesU8 b) {
  return reinterpret_cast<LanesU8>(_mm_max_epu8(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
}
#elif defined(__SSE2__)
OMKIT_INLINE LanesF32 ToFloat(const LanesS32& x) {
  LanesF32 r;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) r.v[i] = reinterpret_cast<PieceF32>(_mm_cvtepi32_ps(reinterpret_cast<__m128i>(x.v[i])));
  return r;
}
OMKIT_INLINE LanesS32 Widen(const LanesS16& x) {
  LanesS32 r;
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const __m128i w = reinterpret_cast<__m128i>(x.v[i]);
    r.v[2 * i] = reinterpret_cast<PieceS32>(_mm_srai_epi32(_mm_unpacklo_epi16(w, w), 16));
    r.v[2 * i + 1] = reinterpret_cast<PieceS32>(_mm_srai_epi32(_mm_unpackhi_epi16(w, w), 16));
  }
  return r;
}
OMKIT_INLINE LanesS16 ToWords(LanesU8 x) {
  const __m128i b = reinterpret_cast<__m128i>(x), zero = _mm_setzero_si128();
  return {{reinterpret_cast<PieceS16>(_mm_unpacklo_epi8(b, zero)), reinterpret_cast<PieceS16>(_mm_unpackhi_epi8(b, zero))}};
}
OMKIT_INLINE LanesS16 ToWords(LanesS8 x) {
  const __m128i b = reinterpret_cast<__m128i>(x);
  return {{reinterpret_cast<PieceS16>(_mm_srai_epi16(_mm_unpacklo_epi8(b, b), 8)),
           reinterpret_cast<PieceS16>(_mm_srai_epi16(_mm_unpackhi_epi8(b, b), 8))}};
}
OMKIT_INLINE LanesS32 Widen(LanesU8 x) { return Widen(ToWords(x)); }
// Of values in [0, 255].
OMKIT_INLINE LanesU8 Narrow(const LanesS32& x) {
  const __m128i low = _mm_packs_epi32(reinterpret_cast<__m128i>(x.v[0]), reinterpret_cast<__m128i>(x.v[1]));
  const __m128i high = _mm_packs_epi32(reinterpret_cast<__m128i>(x.v[2]), reinterpret_cast<__m128i>(x.v[3]));
  return reinterpret_cast<LanesU8>(_mm_packus_epi16(low, high));
}
// Comparisons that let a NaN in `v` pass.
OMKIT_INLINE PieceF32 ClampPiece(PieceF32 v, float lo, float hi) {
  return reinterpret_cast<PieceF32>(_mm_min_ps(_mm_set1_ps(hi), _mm_max_ps(_mm_set1_ps(lo), reinterpret_cast<__m128>(v))));
}
OMKIT_INLINE PieceF32 ZeroIfNanPiece(PieceF32 v) {
  const __m128 x = reinterpret_cast<__m128>(v);
  return reinterpret_cast<PieceF32>(_mm_and_ps(_mm_cmpord_ps(x, x), x));
}
OMKIT_INLINE LanesU8 Max(LanesU8 a, LanesU8 b) {
  return reinterpret_cast<LanesU8>(_mm_max_epu8(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
}
#elif defined(__aarch64__)
OMKIT_INLINE LanesF32 ToFloat(const LanesS32& x) {
  LanesF32 r;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) r.v[i] = reinterpret_cast<PieceF32>(vcvtq_f32_s32(reinterpret_cast<int32x4_t>(x.v[i])));
  return r;
}
OMKIT_INLINE LanesS32 Widen(const LanesS16& x) {
  LanesS32 r;
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const int16x8_t w = reinterpret_cast<int16x8_t>(x.v[i]);
    r.v[2 * i] = reinterpret_cast<PieceS32>(vmovl_s16(vget_low_s16(w)));
    r.v[2 * i + 1] = reinterpret_cast<PieceS32>(vmovl_high_s16(w));
  }
  return r;
}
OMKIT_INLINE LanesS16 ToWords(LanesU8 x) {
  const uint8x16_t b = reinterpret_cast<uint8x16_t>(x);
  return {{reinterpret_cast<PieceS16>(vmovl_u8(vget_low_u8(b))), reinterpret_cast<PieceS16>(vmovl_high_u8(b))}};
}
OMKIT_INLINE LanesS16 ToWords(LanesS8 x) {
  const int8x16_t b = reinterpret_cast<int8x16_t>(x);
  return {{reinterpret_cast<PieceS16>(vmovl_s8(vget_low_s8(b))), reinterpret_cast<PieceS16>(vmovl_high_s8(b))}};
}
OMKIT_INLINE LanesS32 Widen(LanesU8 x) { return Widen(ToWords(x)); }
// Of values in [0, 255].
OMKIT_INLINE LanesU8 Narrow(const LanesS32& x) {
  const int16x8_t low = vcombine_s16(vmovn_s32(reinterpret_cast<int32x4_t>(x.v[0])), vmovn_s32(reinterpret_cast<int32x4_t>(x.v[1])));
  const int16x8_t high = vcombine_s16(vmovn_s32(reinterpret_cast<int32x4_t>(x.v[2])), vmovn_s32(reinterpret_cast<int32x4_t>(x.v[3])));
  return reinterpret_cast<LanesU8>(vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}
// Comparisons that let a NaN in `v` pass: the selects of the contract.
OMKIT_INLINE PieceF32 ClampPiece(PieceF32 v, float lo, float hi) {
  float32x4_t x = reinterpret_cast<float32x4_t>(v);
  x = vbslq_f32(vcltq_f32(x, vdupq_n_f32(lo)), vdupq_n_f32(lo), x);
  return reinterpret_cast<PieceF32>(vbslq_f32(vcgtq_f32(x, vdupq_n_f32(hi)), vdupq_n_f32(hi), x));
}
OMKIT_INLINE PieceF32 ZeroIfNanPiece(PieceF32 v) {
  const float32x4_t x = reinterpret_cast<float32x4_t>(v);
  return reinterpret_cast<PieceF32>(vbslq_f32(vceqq_f32(x, x), x, vdupq_n_f32(0.0f)));
}
OMKIT_INLINE LanesU8 Max(LanesU8 a, LanesU8 b) {
  return reinterpret_cast<LanesU8>(vmaxq_u8(reinterpret_cast<uint8x16_t>(a), reinterpret_cast<uint8x16_t>(b)));
}
#else
OMKIT_INLINE LanesF32 ToFloat(const LanesS32& x) {
  LanesF32 r;
  for (int i = 0; i < kPieces; ++i) r.v[i] = __builtin_convertvector(x.v[i], PieceF32);
  return r;
}
OMKIT_INLINE LanesS32 Widen(LanesU8 x) {
  LanesS32 r;
  for (int i = 0; i < kLanes; ++i) r.v[i / 4][i % 4] = x[i];
  return r;
}
OMKIT_INLINE LanesS32 Widen(const LanesS16& x) {
  LanesS32 r;
  for (int i = 0; i < kLanes; ++i) r.v[i / 4][i % 4] = x.v[i / 8][i % 8];
  return r;
}
template <typename Bytes>
OMKIT_INLINE LanesS16 ToWords(Bytes x) {
  LanesS16 r;
  for (int i = 0; i < kLanes; ++i) r.v[i / 8][i % 8] = x[i];
  return r;
}
// Of values in [0, 255].
OMKIT_INLINE LanesU8 Narrow(const LanesS32& x) {
  LanesU8 r;
  for (int i = 0; i < kLanes; ++i) r[i] = static_cast<uint8_t>(x.v[i / 4][i % 4]);
  return r;
}
// Comparisons that let a NaN in `v` pass.
OMKIT_INLINE PieceF32 ClampPiece(PieceF32 v, float lo, float hi) {
  for (int i = 0; i < 4; ++i) v[i] = v[i] < lo ? lo : v[i] > hi ? hi : v[i];
  return v;
}
OMKIT_INLINE PieceF32 ZeroIfNanPiece(PieceF32 v) {
  for (int i = 0; i < 4; ++i) v[i] = v[i] == v[i] ? v[i] : 0.0f;
  return v;
}
OMKIT_INLINE LanesU8 Max(LanesU8 a, LanesU8 b) {
  for (int i = 0; i < kLanes; ++i) a[i] = a[i] > b[i] ? a[i] : b[i];
  return a;
}
#endif

OMKIT_INLINE LanesF32 Clamp(const LanesF32& x, float lo, float hi) {
  LanesF32 r;
#pragma GCC unroll 4
  for (int i = 0; i < kPieces; ++i) r.v[i] = ClampPiece(x.v[i], lo, hi);
  return r;
}
OMKIT_INLINE LanesF32 ZeroIfNan(const LanesF32& x) {
  LanesF32 r;
#pragma GCC unroll 4
  for (int i = 0; i < kPieces; ++i) r.v[i] = ZeroIfNanPiece(x.v[i]);
  return r;
}

// The clamped end of an INT8 operator: RoundToQuantized of base/quant.h on 16 values.
struct Rounding {
  float lo, hi;  // clamp bounds minus the zero point
  int32_t zero_point;
};
OMKIT_INLINE Rounding MakeRounding(int32_t zero_point, int32_t clamp_min, int32_t clamp_max) {
  return {static_cast<float>(clamp_min - zero_point), static_cast<float>(clamp_max - zero_point), zero_point};
}
// Values inside [-255, 255] plus 1.5 * 2^23 are rounded to nearest even by the addition itself.
OMKIT_INLINE LanesU8 Round(const LanesF32& x, const Rounding& to) {
  const LanesF32 shifted = Clamp(x, to.lo, to.hi) + Splat(12582912.0f);
  LanesS32 bits;
#pragma GCC unroll 4
  for (int i = 0; i < kPieces; ++i) {
    // Wraps around for a NaN, which good models do not have.
    typedef uint32_t PieceU32 __attribute__((vector_size(kPieceBytes)));
    bits.v[i] = reinterpret_cast<PieceS32>(reinterpret_cast<PieceU32>(shifted.v[i]) + (static_cast<uint32_t>(to.zero_point) - 0x4B400000u));
  }
  return Narrow(bits);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_LANES_H_
