// The scores of eight rows by VPDPBUSD, their largest kept on the way, and the softmax of four rows with fewer operations for its bytes, which are
// those of strip_lanes.h. A share is rounded from one multiplication where that is certain (A. Ziv, "Fast evaluation of elementary mathematical
// functions with correctly rounded last bit", ACM TOMS 1991): share / scale = e * (total / scale) is known to 2.5 units of 2^-15, and rows with a
// share within 4 units of a half between two bytes are rounded again, as strip_lanes.h does.
#include "backends/kernels/attention_u8/strip.h"
#include "backends/kernels/attention_u8/strip_lanes.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

constexpr int kTileRows = 8;

// A number of [256, 512) has this unit: its bits from 15 on are the integer above 256.
constexpr float kUnit = 1.0f / 32768;
constexpr int32_t kNearHalf = 0x7ff8;  // none of these bits: less than 8 units above an integer

OMKIT_INLINE __mmask16 LanesOf(int64_t count) {
  return count >= kWidth ? static_cast<__mmask16>(0xffff) : First(count < 0 ? 0 : static_cast<int>(count));
}

// Four vectors to four numbers, each in the order of Fold.
template <typename Op128, typename Op256>
OMKIT_INLINE __m128 FoldFour(const F32 (&x)[kLines], const Op128& op, const Op256& op256) {
  __m128 f[kLines];
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) {
    const __m256 eight = op256(LowHalf(x[r]), HighHalf(x[r]));
    f[r] = op(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  }
  _MM_TRANSPOSE4_PS(f[0], f[1], f[2], f[3]);
  return op(op(f[0], f[2]), op(f[1], f[3]));
}

OMKIT_INLINE __m128 FoldMaxima(const F32 (&x)[kLines]) {
  return FoldFour(
      x, [](__m128 a, __m128 b) { return _mm_max_ps(a, b); }, [](__m256 a, __m256 b) { return _mm256_max_ps(a, b); });
}

OMKIT_INLINE __m128 FoldSums(const F32 (&x)[kLines]) {
  return FoldFour(
      x, [](__m128 a, __m128 b) { return _mm_add_ps(a, b); }, [](__m256 a, __m256 b) { return _mm256_add_ps(a, b); });
}

// terms = factor * (sum of `count` bytes - behind) of four rows; `count` is a multiple of 32.
OMKIT_INLINE void FourTerms(const uint8_t* from, int64_t stride, int64_t count, int32_t behind, int32_t factor, int32_t* terms) {
  __m256i sum[kLines];
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) sum[r] = _mm256_setzero_si256();
  for (int64_t i = 0; i < count; i += 32) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + r * stride + i));
      sum[r] = _mm256_add_epi64(sum[r], _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
    }
  }
  const __m256i first = _mm256_add_epi64(_mm256_unpacklo_epi64(sum[0], sum[1]), _mm256_unpackhi_epi64(sum[0], sum[1]));
  const __m256i second = _mm256_add_epi64(_mm256_unpacklo_epi64(sum[2], sum[3]), _mm256_unpackhi_epi64(sum[2], sum[3]));
  const __m256i all = _mm256_add_epi64(_mm256_permute2x128_si256(first, second, 0x20), _mm256_permute2x128_si256(first, second, 0x31));
  const __m128i own = _mm_sub_epi32(_mm256_cvtepi64_epi32(all), _mm_set1_epi32(behind));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(terms), _mm_mullo_epi32(own, _mm_set1_epi32(factor)));
}

// Scores of eight rows and the 32 keys from `column` on, without a mask; sizes are a multiple of 32. `top`: the largest of each lane so far.
__attribute__((noinline)) void Tile(const Strip& s, int64_t row, int64_t column, F32 (&top)[kTileRows]) {
  const AttentionU8Params& p = *s.p;
  const int64_t stride = p.q.strides[2], size = p.q.dims[3], width = s.sizes->width;
  const uint8_t* const q = s.q + row * stride;
  const int8_t* packed = s.packed_keys + column / kPackedColumns * s.sizes->key_block;
  const __m512i low = _mm512_loadu_si512(s.key_terms + column), high = _mm512_loadu_si512(s.key_terms + column + kWidth);
  __m512i acc[kTileRows][2];
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
    const __m512i term = _mm512_set1_epi32(s.row_terms[row + r]);
    acc[r][0] = _mm512_add_epi32(low, term);
    acc[r][1] = _mm512_add_epi32(high, term);
  }
  for (int64_t i = 0; i < size; i += 4, packed += 128) {
    const __m512i first = _mm512_loadu_si512(packed), second = _mm512_loadu_si512(packed + 64);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
      const __m512i x = _mm512_set1_epi32(LoadDword(q + r * stride + i));
      acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], x, first);
      acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], x, second);
    }
  }
  const __m512 multiplier = _mm512_set1_ps(p.score_multiplier);
  const __mmask16 lanes = LanesOf(s.keys - column), more = LanesOf(s.keys - column - kWidth);
  float* scores = s.scores + row * width + column;
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r, scores += width) {
    const __m512 left = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][0]), multiplier), right = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][1]), multiplier);
    _mm512_storeu_ps(scores, left);
    _mm512_storeu_ps(scores + kWidth, right);
    top[r].v = _mm512_mask_max_ps(top[r].v, lanes, left, top[r].v);
    top[r].v = _mm512_mask_max_ps(top[r].v, more, right, top[r].v);
  }
}

void EightRows(const Strip& s, int64_t row) {
  const int64_t stride = s.p->q.strides[2];
  for (int64_t first = row; first < row + kTileRows; first += kLines) {
    FourTerms(s.q + first * stride, stride, s.p->q.dims[3], 0, 128 - s.p->k_zero, s.row_terms + first);
  }
  F32 top[kTileRows];
  for (F32& t : top) t = Set(-kInfinity);
  for (int64_t column = 0; column < s.keys; column += kPackedColumns) Tile(s, row, column, top);
  for (int first = 0; first < kTileRows; first += kLines) {
    const F32 four[kLines] = {top[first], top[first + 1], top[first + 2], top[first + 3]};
    _mm_storeu_ps(s.largest + row + first, FoldMaxima(four));
  }
}

// The largest scores of four rows that came without, or have changed. kAdds: adds a mask whose keys are neighbours.
template <bool kAdds>
__attribute__((noinline)) void FindLargest(const Strip& s, int64_t row) {
  const int64_t width = s.sizes->width, stride = s.p->mask.strides[2];
  float* const scores = s.scores + row * width;
  const float* added[kLines] = {};
  F32 top[kLines];
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) {
    // Behind the last row, the last row's.
    if (kAdds) added[r] = static_cast<const float*>(s.mask) + s.mask_at + (row + r < s.rows ? row + r : s.rows - 1) * stride;
    top[r] = Set(-kInfinity);
  }
  for (int64_t i = 0; i < s.keys; i += kWidth) {
    const __mmask16 lanes = LanesOf(s.keys - i);
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      F32 score = Load(scores + r * width + i);
      if (kAdds) {
        score.v = _mm512_add_ps(score.v, _mm512_maskz_loadu_ps(lanes, added[r] + i));
        Store(scores + r * width + i, score);
      }
      top[r].v = _mm512_mask_max_ps(top[r].v, lanes, score.v, top[r].v);
    }
  }
  _mm_storeu_ps(s.largest + row, FoldMaxima(top));
}

OMKIT_INLINE F32 Lane(__m128 x, int lane) { return {_mm512_permutexvar_ps(_mm512_set1_epi32(lane), _mm512_castps128_ps512(x))}; }

// The scores of four rows become powers, zeros behind the last key. Returns their sums.
__attribute__((noinline)) __m128 Powers(const Strip& s, int64_t row) {
  const int64_t width = s.sizes->width, whole = s.keys / kWidth * kWidth;
  const __m128 largest = _mm_loadu_ps(s.largest + row);
  float* const scores = s.scores + row * width;
  F32 top[kLines], sum[kLines];
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) {
    top[r] = Lane(largest, r);
    sum[r] = Set(0.0f);
  }
  for (int64_t i = 0; i < whole; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      const F32 e = ExpNonPositive(Load(scores + r * width + i) - top[r]);
      sum[r] = sum[r] + e;
      Store(scores + r * width + i, e);
    }
  }
  for (int64_t i = whole; i < width; i += kWidth) {
    const __mmask16 lanes = LanesOf(s.keys - i);
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      const F32 e = {_mm512_maskz_mov_ps(lanes, ExpNonPositive(Load(scores + r * width + i) - top[r]).v)};
      sum[r] = sum[r] + e;
      Store(scores + r * width + i, e);
    }
  }
  return FoldSums(sum);
}

// Shares of one row as strip_lanes.h rounds them.
__attribute__((noinline)) void RoundAgain(const Strip& s, int64_t row, float reciprocal) {
  const int64_t width = s.sizes->width;
  const Rounder rounder = MakeRounder(s.p->share_scale, s.p->share_zero);
  for (int64_t i = row * width; i < (row + 1) * width; i += kWidth) {
    StoreSome(s.shares + i, rounder.Bytes<true>(Load(s.scores + i) * Set(reciprocal)), kLanes);
  }
}

// Shares of four rows; `reciprocals` of their sums.
__attribute__((noinline)) void Shares(const Strip& s, int64_t row, const float* reciprocals) {
  const int64_t width = s.sizes->width;
  const float zero = static_cast<float>(s.p->share_zero), per_scale = 1.0f / s.p->share_scale;
  // Bytes that saturate end in the middle between two halves.
  const F32 shift = Set(256.5f + zero + 4 * kUnit), most = Set(511.5f);
  const __m512i near_half = _mm512_set1_epi32(kNearHalf);
  const __m512i pick = _mm512_castsi256_si512(_mm256_setr_epi8(2, 6, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 54, 58, 62, 66, 70, 74, 78, 82, 86,
                                                               90, 94, 98, 102, 106, 110, 114, 118, 122, 126));
  const float* const powers = s.scores + row * width;
  uint8_t* const shares = s.shares + row * width;
  F32 factor[kLines];
  __m512i least[kLines];
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) {
    factor[r] = Set(reciprocals[r] * per_scale);
    least[r] = near_half;
  }
  for (int64_t i = 0; i < width; i += kPackedColumns) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      const float* from = powers + r * width + i;
      const __m512i left = Bits(Min(Fma(Load(from), factor[r], shift), most)).v,
                    right = Bits(Min(Fma(Load(from + kWidth), factor[r], shift), most)).v;
      least[r] = _mm512_min_epu32(least[r], _mm512_min_epu32(_mm512_and_si512(left, near_half), _mm512_and_si512(right, near_half)));
      // Doubled, so that the integer is a byte.
      const __m512i bytes = _mm512_permutex2var_epi8(_mm512_add_epi32(left, left), pick, _mm512_add_epi32(right, right));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(shares + r * width + i), _mm512_castsi512_si256(bytes));
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kLines; ++r) {
    if (__builtin_expect(_mm512_testn_epi32_mask(least[r], least[r]) != 0, 0)) RoundAgain(s, row + r, reciprocals[r]);
  }
}

Strip RowsFrom(const Strip& s, int64_t row, int64_t count) {
  Strip part = s;
  part.rows = count;
  part.q += row * s.p->q.strides[2];
  part.mask_at += row * s.p->mask.strides[2];
  part.scores += row * s.sizes->width;
  part.shares += row * s.sizes->width;
  return part;
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ScoreU8(const Strip& s) {
  const AttentionU8Params& p = *s.p;
  int64_t tiled = 0;
  for (; !p.rounds_scores && p.q.dims[3] % 32 == 0 && tiled + kTileRows <= s.rows; tiled += kTileRows) EightRows(s, tiled);
  if (tiled < s.rows) MultiplyKeys(RowsFrom(s, tiled, s.rows - tiled));
  if (p.masking == ScoreMask::kAdded && p.mask.strides[3] == 1) {
    for (int64_t row = 0; row < s.rows; row += kLines) FindLargest<true>(s, row);
    return;
  }
  if (p.masking != ScoreMask::kNone) {
    for (int64_t row = 0; row < s.rows; ++row) MaskRow(s, row);
    tiled = 0;
  }
  for (int64_t row = tiled; row < s.rows; row += kLines) FindLargest<false>(s, row);
}

void ShareU8(const Strip& s) {
  const bool ordinary = s.p->share_scale > 1e-30f && s.p->share_scale < 1e30f;
  float sums[kStripRows], reciprocals[kStripRows];
  // Lines behind the last row hold what an earlier strip, or nobody, has left there.
  for (int64_t row = 0; row < s.rows; row += kLines) {
    const __m128 four = Powers(s, row);
    _mm_storeu_ps(sums + row, four);
    _mm_storeu_ps(reciprocals + row, _mm_div_ps(_mm_set1_ps(1.0f), four));
  }
  for (int64_t row = 0; row < s.rows && ordinary; row += kLines) Shares(s, row, reciprocals + row);
  for (int64_t row = 0; row < s.rows; ++row) {
    if (ordinary && sums[row] >= 1.0f) continue;
    // Infinities, NaN, or a row that sees nothing.
    const Strip one = RowsFrom(s, row, 1);
    ScoreStrip(one);
    Softmax<1>(one, 0);
    __builtin_memset(one.shares + s.keys, s.p->share_zero, static_cast<uint64_t>(s.sizes->width - s.keys));
  }
  // Behind the last key every share is the zero point.
  const int64_t width = s.sizes->width;
  const int32_t behind = static_cast<int32_t>((width - s.keys) * s.p->share_zero);
  for (int64_t row = 0; row < s.rows; row += kLines) FourTerms(s.shares + row * width, width, width, behind, 128 - s.p->v_zero, s.row_terms + row);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
