// 256-bit registers for the avx2 and avxvnni tiers: four rows by sixteen columns, four k per step, by VPDPBUSD or by products of 16-bit
// pairs, none of which leaves int32. Packed columns: [group of 16][step of 4 k][16][4], zeros behind the last k and the last column.
#include "backends/kernels/lanes.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/matmul_u8/product.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

constexpr int kRowsPerTile = 4;
constexpr int kStepBytes = kLanes * 4;

// Eight columns of a step, and the four bytes of a row that meet them.
#if defined(__AVXVNNI__) || defined(OMKIT_DOT_EVEX)
struct Weights {
  __m256i bytes;
};
using Bytes = __m256i;
OMKIT_INLINE Weights Spread(__m256i bytes) { return {bytes}; }
OMKIT_INLINE Bytes Broadcast(int32_t four) { return _mm256_set1_epi32(four); }
OMKIT_INLINE __m256i Dot(__m256i acc, Bytes x, const Weights& w) {
#if defined(OMKIT_DOT_EVEX)
  return _mm256_dpbusd_epi32(acc, x, w.bytes);
#else
  return _mm256_dpbusd_avx_epi32(acc, x, w.bytes);
#endif
}
#else
struct Weights {
  __m256i even, odd;  // words
};
struct Bytes {
  __m256i even, odd;
};
OMKIT_INLINE Weights Spread(__m256i bytes) { return {_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)}; }
OMKIT_INLINE Bytes Broadcast(int32_t four) {
  const __m256i x = _mm256_set1_epi32(four);
  return {_mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(x, 8)};
}
OMKIT_INLINE __m256i Dot(__m256i acc, const Bytes& x, const Weights& w) {
  return _mm256_add_epi32(acc, _mm256_add_epi32(_mm256_madd_epi16(x.even, w.even), _mm256_madd_epi16(x.odd, w.odd)));
}
#endif

struct Ymm {
  // Columns that are contiguous along k: a column's dwords go 64 bytes apart.
  static void PackColumn(const uint8_t* from, int64_t k, int8_t* to) {
    int64_t i = 0;
    for (; i + 4 <= k; i += 4, to += kStepBytes) {
      const int32_t value = LoadDword(from + i) ^ INT32_C(-0x7F7F7F80);
      __builtin_memcpy(to, &value, 4);
    }
    for (; i < k; ++i) *to++ = static_cast<int8_t>(from[i] ^ 0x80);
  }

  // Whole steps of sixteen columns that are contiguous along n, interleaved byte by byte; returns the k behind.
  static int64_t PackRows(const uint8_t* from, int64_t step, int64_t k, int8_t* to) {
    const __m128i sign = _mm_set1_epi8(static_cast<char>(0x80));
    int64_t i = 0;
    for (; i + 4 <= k; i += 4, to += kStepBytes) {
      __m128i row[4];
      for (int r = 0; r < 4; ++r) row[r] = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + (i + r) * step)), sign);
      const __m128i low = _mm_unpacklo_epi8(row[0], row[1]), low2 = _mm_unpacklo_epi8(row[2], row[3]);
      const __m128i high = _mm_unpackhi_epi8(row[0], row[1]), high2 = _mm_unpackhi_epi8(row[2], row[3]);
      __m128i* out = reinterpret_cast<__m128i*>(to);
      _mm_storeu_si128(out, _mm_unpacklo_epi16(low, low2));
      _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(low, low2));
      _mm_storeu_si128(out + 2, _mm_unpacklo_epi16(high, high2));
      _mm_storeu_si128(out + 3, _mm_unpackhi_epi16(high, high2));
    }
    return i;
  }

  static void PackGroup(const Product& product, int64_t first, int64_t count, int8_t* packed) {
    const int64_t steps = (product.k + 3) / 4;
    const uint8_t* from = product.b + first * product.b_column;
    if (count < kLanes || product.k % 4 != 0) __builtin_memset(packed, 0, static_cast<uint64_t>(steps * kStepBytes));
    if (product.b_row == 1) {
      for (int64_t c = 0; c < count; ++c) PackColumn(from + c * product.b_column, product.k, packed + c * 4);
      return;
    }
    const int64_t done = product.b_column == 1 && count == kLanes ? PackRows(from, product.b_row, product.k, packed) : 0;
    for (int64_t k = done; k < product.k; ++k) {
      int8_t* to = packed + k / 4 * kStepBytes + k % 4;
      for (int64_t c = 0; c < count; ++c) to[c * 4] = static_cast<int8_t>(from[k * product.b_row + c * product.b_column] ^ 0x80);
    }
  }

  static void Pack(const Product& product, const MatMulU8Params& p, const Columns& columns) {
    const int64_t group_bytes = (product.k + 3) / 4 * kStepBytes;
    const Bytes ones = Broadcast(0x01010101);
    const __m256i constant = _mm256_set1_epi32(static_cast<int32_t>(product.k * p.a_zero * (p.b_zero - 128))), zero = _mm256_set1_epi32(p.a_zero);
    for (int64_t first = 0; first < columns.count; first += kLanes) {
      const int64_t left = columns.count - first;
      int8_t* packed = columns.packed + first / kLanes * group_bytes;
      PackGroup(product, columns.first + first, left < kLanes ? left : kLanes, packed);
      for (int half = 0; half < 2; ++half) {
        __m256i sum = _mm256_setzero_si256();
        for (int64_t at = half * 32; at < group_bytes; at += kStepBytes) {
          sum = Dot(sum, ones, Spread(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(packed + at))));
        }
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(columns.terms + first + half * 8), _mm256_sub_epi32(constant, _mm256_mullo_epi32(sum, zero)));
      }
    }
  }

  static void Rows(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end) {
    for (int64_t first = 0; first < columns.count; first += kLanes) {
      int64_t i = begin;
      for (; i + kRowsPerTile <= end; i += kRowsPerTile) Tile<kRowsPerTile>(product, p, columns, i, first);
      for (; i < end; ++i) Tile<1>(product, p, columns, i, first);
    }
  }

  template <int kRows>
  static __attribute__((noinline)) void Tile(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t row, int64_t first) {
    __m256i acc[kRows][2];
    const __m256i* terms = reinterpret_cast<const __m256i*>(columns.terms + first);
    for (int r = 0; r < kRows; ++r) {
      const __m256i term = _mm256_set1_epi32(columns.row_terms[row + r]);
      acc[r][0] = _mm256_add_epi32(_mm256_loadu_si256(terms), term);
      acc[r][1] = _mm256_add_epi32(_mm256_loadu_si256(terms + 1), term);
    }
    const uint8_t* a = product.a + row * product.a_row;
    const int64_t whole = product.k / 4 * 4, rest = product.k - whole;
    const int8_t* packed = columns.packed + first * ((product.k + 3) / 4 * 4);
    const auto step = [&](const auto& bytes_of) {
      const __m256i* from = reinterpret_cast<const __m256i*>(packed);
      const Weights low = Spread(_mm256_loadu_si256(from)), high = Spread(_mm256_loadu_si256(from + 1));
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const Bytes x = Broadcast(bytes_of(a + r * product.a_row));
        acc[r][0] = Dot(acc[r][0], x, low);
        acc[r][1] = Dot(acc[r][1], x, high);
      }
    };
    for (int64_t k = 0; k < whole; k += 4, packed += kStepBytes) step([&](const uint8_t* from) { return LoadDword(from + k); });
    if (rest != 0) {
      step([&](const uint8_t* from) {
        int32_t value = 0;
        for (int64_t i = 0; i < rest; ++i) value |= static_cast<int32_t>(from[whole + i]) << (8 * i);
        return value;
      });
    }
    const Rounding rounding = MakeRounding(p.out_zero, p.clamp_min, p.clamp_max);
    const int64_t left = columns.count - first;
    const int count = static_cast<int>(left < kLanes ? left : kLanes);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      LanesS32 sums;
      static_assert(sizeof sums == sizeof acc[r], "two registers");
      __builtin_memcpy(&sums, acc[r], sizeof sums);
      const LanesF32 v = ToFloat(sums) * Splat(p.multiplier);
      const int64_t at = (row + r) * product.out_row + columns.first + first;
      if (p.float_output) StoreSome(product.out + at * 4, Clamp(v, p.act_min, p.act_max), count);
      else StoreSome(product.out + at, Round(v, rounding), count);
    }
  }
};

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void PackMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns) { Ymm::Pack(product, p, columns); }
void RowTermsMatMulU8(const Product& product, int32_t b_zero, int64_t begin, int64_t end, int32_t* terms) {
  RowTerms(product, b_zero, begin, end, terms);
}
void MultiplyMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end) {
  Ymm::Rows(product, p, columns, begin, end);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
