// Softmax of four rows in fewer operations where no power is denormal: the exponent is then added as bits, and the clamps of exponential and
// rounding have nothing to do. What such a row may not have (infinities, NaN, scores far below the largest) shows in its least score and in its
// sum; the row then takes the general way. The bits are the same either way.
#include "backends/kernels/attention_u8/strip.h"
#include "backends/kernels/attention_u8/strip_lanes.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

// e^-87 is the least normal power, roughly.
constexpr float kLeast = -87.0f;

OMKIT_INLINE __mmask16 LanesOf(int64_t count) { return count >= kWidth ? static_cast<__mmask16>(0xffff) : First(static_cast<int>(count)); }

// e^x for kLeast <= x <= 0, the bits of ExpNonPositive.
OMKIT_INLINE F32 Power(F32 x) {
  const Reduced e = ReduceExp(x);
  return FromBits(Bits(e.expm1 + Set(1.0f)) + ShiftLeft<23>(e.n));
}

struct Rows {
  const float* scores[kLines];
  uint8_t* shares[kLines];
};

// Returns a bit for each row whose shares are not right.
__attribute__((noinline)) int FourRows(const Rows& rows, int64_t keys, float* powers, int64_t width, const Rounder& shared) {
  const Rounder rounder = shared;  // a copy, which the stores of bytes cannot change
  const int64_t whole = keys / kWidth * kWidth;
  const __mmask16 rest = LanesOf(keys - whole);
  F32 top[kLines], sum[kLines];
  S32 least[kLines];
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) {
    top[r] = {_mm512_mask_loadu_ps(Set(-kInfinity).v, rest, rows.scores[r] + whole)};
    sum[r] = Set(0.0f);
    least[r] = SetInt(0);
  }
  for (int64_t i = 0; i < whole; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) top[r] = Max(Load(rows.scores[r] + i), top[r]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) top[r] = Set(FoldMax(top[r]));
  // As unsigned numbers, floats below zero grow away from it.
  const auto power = [&](int r, int64_t i, __mmask16 lanes) __attribute__((always_inline)) {
    const F32 x = {_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, rows.scores[r] + i), top[r].v)};
    const F32 e = Power(x);
    least[r] = {_mm512_mask_max_epu32(least[r].v, lanes, least[r].v, Bits(x).v)};
    sum[r] = {_mm512_mask_add_ps(sum[r].v, lanes, sum[r].v, e.v)};
    Store(powers + r * width + i, e);
  };
  for (int64_t i = 0; i < whole; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) power(r, i, 0xffff);
  }
  if (rest != 0) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) power(r, whole, rest);
  }
  int wrong = 0;
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) {
    const float total = FoldSum(sum[r]);
    const bool far = _mm512_cmpgt_epu32_mask(least[r].v, Bits(Set(kLeast)).v) != 0;
    wrong |= (far || !(total >= 1.0f)) << r;
    sum[r] = Set(1.0f) / Set(total);
  }
  const __m512i zero = _mm512_set1_epi32(rounder.to.zero_point);
  for (int64_t i = 0; i < keys; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      const F32 share = Load(powers + r * width + i) * sum[r], near = share * rounder.reciprocal;
      const F32 quotient = Fma(Fma(near, rounder.minus_scale, share), rounder.reciprocal, near);
      // What exceeds int32 comes out as 2^31.
      const __m512i rounded = _mm512_add_epi32(_mm512_cvtps_epi32(quotient.v), zero);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(rows.shares[r] + i), _mm512_cvtusepi32_epi8(rounded));
    }
  }
  return wrong;
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ScoreU8(const Strip& strip) { ScoreStrip(strip); }

void ShareU8(const Strip& s) {
  const Rounder rounder = MakeRounder(s.p->share_scale, s.p->share_zero);
  const int64_t width = s.sizes->width;
  for (int64_t first = 0; first < s.rows; first += kLines) {
    Rows rows;
    // Behind the last row, the last row again.
    for (int r = 0; r < kLines; ++r) {
      const int64_t row = first + r < s.rows ? first + r : s.rows - 1;
      rows.scores[r] = s.scores + row * width;
      rows.shares[r] = s.shares + row * width;
    }
    const int wrong = rounder.corrects ? FourRows(rows, s.keys, s.powers, width, rounder) : (1 << kLines) - 1;
    for (int r = 0; wrong != 0 && r < kLines && first + r < s.rows; ++r) {
      if ((wrong >> r & 1) != 0) Softmax<1>(s, first + r);
    }
  }
  ShareTerms(s);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
