// VPDPBUSD on 512-bit registers: eight rows by 32 columns, four k per step. Packed columns: [step of 4 k][32][4], zeros behind the last k.
#include <cstring>

#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/matmul_u8/product.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

constexpr int kRowsPerTile = 8;

// The first `count` of four bytes, zeros behind them.
OMKIT_INLINE int32_t LoadBytes(const uint8_t* from, int64_t count) {
  if (count >= 4) return LoadDword(from);
  uint32_t value = 0;
  for (int64_t i = 0; i < count; ++i) value |= static_cast<uint32_t>(from[i]) << (8 * i);
  return static_cast<int32_t>(value);
}

struct Vnni {
  // Four columns of eight steps that are contiguous along k: four dwords of a step side by side.
  static OMKIT_INLINE void TurnColumns(const uint8_t* from, int64_t stride, int8_t* to) {
    __m256i c[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      c[i] = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i * stride)), _mm256_set1_epi8(static_cast<char>(0x80)));
    }
    const __m256i a = _mm256_unpacklo_epi32(c[0], c[1]), b = _mm256_unpackhi_epi32(c[0], c[1]);
    const __m256i d = _mm256_unpacklo_epi32(c[2], c[3]), e = _mm256_unpackhi_epi32(c[2], c[3]);
    const __m256i step[4] = {_mm256_unpacklo_epi64(a, d), _mm256_unpackhi_epi64(a, d), _mm256_unpacklo_epi64(b, e), _mm256_unpackhi_epi64(b, e)};
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * 128), _mm256_castsi256_si128(step[i]));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + (i + 4) * 128), _mm256_extracti128_si256(step[i], 1));
    }
  }

  // Columns that are contiguous along k: a column's dwords go 128 bytes apart.
  static void PackColumns(const Product& product, const Columns& columns, int64_t steps) {
    const uint8_t* from = product.b + columns.first * product.b_column;
    const int64_t together = columns.count / 4 * 4, turned = product.k / 32 * 8;  // columns, steps
    for (int64_t c = 0; c < together; c += 4) {
      for (int64_t s = 0; s < turned; s += 8) TurnColumns(from + c * product.b_column + s * 4, product.b_column, columns.packed + c * 4 + s * 128);
    }
    for (int64_t c = 0; c < columns.count; ++c, from += product.b_column) {
      int8_t* to = columns.packed + c * 4;
      const int64_t whole = product.k / 4;
      for (int64_t s = c < together ? turned : 0; s < whole; ++s) {
        const int32_t value = LoadDword(from + s * 4) ^ INT32_C(-0x7F7F7F80);
        std::memcpy(to + s * 128, &value, 4);
      }
      if (whole == steps) continue;
      int8_t last[4] = {};
      for (int64_t i = whole * 4; i < product.k; ++i) last[i - whole * 4] = static_cast<int8_t>(from[i] - 128);
      std::memcpy(to + whole * 128, last, 4);
    }
  }

  // Rows that are contiguous along n: four of them interleaved byte by byte.
  static void PackRows(const Product& product, const Columns& columns, int64_t steps) {
    const __mmask32 mask = columns.count >= 32 ? 0xffffffffu : (1u << columns.count) - 1;
    const __m256i sign = _mm256_set1_epi8(static_cast<char>(0x80));
    const uint8_t* from = product.b + columns.first;
    int8_t* to = columns.packed;
    for (int64_t s = 0; s < steps; ++s, to += 128) {
      __m256i row[4];
      for (int i = 0; i < 4; ++i) {
        const int64_t k = s * 4 + i;
        // An absent row counts as b' = 0.
        row[i] = k < product.k ? _mm256_xor_si256(_mm256_maskz_loadu_epi8(mask, from + k * product.b_row), sign) : _mm256_setzero_si256();
      }
      // Permuted so that the unpacks, which work in 128-bit halves, leave whole groups of sixteen columns in order.
      const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
      const __m512i low = _mm512_permutexvar_epi64(order, _mm512_castsi256_si512(row[0])),
                    high = _mm512_permutexvar_epi64(order, _mm512_castsi256_si512(row[1]));
      const __m512i low2 = _mm512_permutexvar_epi64(order, _mm512_castsi256_si512(row[2])),
                    high2 = _mm512_permutexvar_epi64(order, _mm512_castsi256_si512(row[3]));
      const __m512i first = _mm512_unpacklo_epi8(low, high), second = _mm512_unpacklo_epi8(low2, high2);
      // Each 128-bit half holds eight columns as pairs (k0, k1); joined with (k2, k3) they are four columns a half.
      const __m512i even = _mm512_unpacklo_epi16(first, second), odd = _mm512_unpackhi_epi16(first, second);
      const __m512i head = _mm512_permutex2var_epi64(even, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), odd);
      const __m512i tail = _mm512_permutex2var_epi64(even, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), odd);
      _mm512_storeu_si512(to, head);
      _mm512_storeu_si512(to + 64, tail);
    }
  }

  static void Pack(const Product& product, const MatMulU8Params& p, const Columns& columns) {
    const int64_t steps = (product.k + 3) / 4;
    if (product.b_column == 1) {
      PackRows(product, columns, steps);
    } else if (product.b_row == 1) {
      PackColumns(product, columns, steps);
    } else {
      for (int64_t k = 0; k < steps * 4; ++k) {
        for (int64_t c = 0; c < columns.count; ++c) {
          const int value = k < product.k ? product.b[k * product.b_row + (columns.first + c) * product.b_column] - 128 : 0;
          columns.packed[k / 4 * 128 + c * 4 + k % 4] = static_cast<int8_t>(value);
        }
      }
    }
    __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    const __m512i ones = _mm512_set1_epi8(1);
    if (p.a_zero != 0) {
      for (int64_t s = 0; s < steps; ++s) {
        for (int h = 0; h < 2; ++h) sums[h] = _mm512_dpbusd_epi32(sums[h], ones, _mm512_loadu_si512(columns.packed + s * 128 + h * 64));
      }
    }
    const __m512i constant = _mm512_set1_epi32(static_cast<int32_t>(product.k * p.a_zero * (p.b_zero - 128)));
    const __m512i zero = _mm512_set1_epi32(p.a_zero);
    for (int h = 0; h < 2; ++h) _mm512_storeu_si512(columns.terms + 16 * h, _mm512_sub_epi32(constant, _mm512_mullo_epi32(sums[h], zero)));
  }

  static void Rows(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kRowsPerTile <= end; i += kRowsPerTile) Tile<kRowsPerTile>(product, p, columns, i);
    for (; i + 2 <= end; i += 2) Tile<2>(product, p, columns, i);
    if (i < end) Tile<1>(product, p, columns, i);
  }

  template <int kRows>
  static __attribute__((noinline)) void Tile(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t row) {
    __m512i acc[kRows][2];
    const __m512i low = _mm512_loadu_si512(columns.terms), high = _mm512_loadu_si512(columns.terms + 16);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m512i term = _mm512_set1_epi32(columns.row_terms[row + r]);
      acc[r][0] = _mm512_add_epi32(low, term);
      acc[r][1] = _mm512_add_epi32(high, term);
    }
    const uint8_t* a = product.a + row * product.a_row;
    const int64_t stride = product.a_row, whole = product.k / 4;
    const int8_t* packed = columns.packed;
    for (int64_t s = 0; s < whole; ++s, packed += 128) {
      const __m512i first = _mm512_loadu_si512(packed), second = _mm512_loadu_si512(packed + 64);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512i x = _mm512_set1_epi32(LoadDword(a + r * stride + s * 4));
        acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], x, first);
        acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], x, second);
      }
    }
    if (const int64_t rest = product.k - whole * 4) {
      const __m512i first = _mm512_loadu_si512(packed), second = _mm512_loadu_si512(packed + 64);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512i x = _mm512_set1_epi32(LoadBytes(a + r * stride + whole * 4, rest));
        acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], x, first);
        acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], x, second);
      }
    }
    Finish<kRows>(product, p, columns, row, acc);
  }

  template <int kRows>
  OMKIT_INLINE static void Finish(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t row,
                                  const __m512i (&acc)[kRows][2]) {
    const __m512 multiplier = _mm512_set1_ps(p.multiplier);
    const uint32_t mask = columns.count >= 32 ? 0xffffffffu : (1u << columns.count) - 1;
    uint8_t* out = product.out + (row * product.out_row + columns.first) * (p.float_output ? 4 : 1);
    if (p.float_output && mask == 0xffffffffu && p.act_min == -__builtin_inff() && p.act_max == __builtin_inff()) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r, out += product.out_row * 4) {
        _mm512_storeu_ps(out, _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][0]), multiplier));
        _mm512_storeu_ps(out + 64, _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][1]), multiplier));
      }
      return;
    }
    if (p.float_output) {
      const __m512 lo = _mm512_set1_ps(p.act_min), hi = _mm512_set1_ps(p.act_max);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r, out += product.out_row * 4) {
        const __m512 low = _mm512_min_ps(hi, _mm512_max_ps(lo, _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][0]), multiplier)));
        const __m512 high = _mm512_min_ps(hi, _mm512_max_ps(lo, _mm512_mul_ps(_mm512_cvtepi32_ps(acc[r][1]), multiplier)));
        _mm512_mask_storeu_ps(out, static_cast<__mmask16>(mask), low);
        _mm512_mask_storeu_ps(out + 64, static_cast<__mmask16>(mask >> 16), high);
      }
      return;
    }
    // Saturating packs do the clamp of RoundToQuantized to [0, 255]; the narrower clamp follows on bytes.
    const __m512i zero = _mm512_set1_epi16(static_cast<int16_t>(p.out_zero));
    const __m512i lo = _mm512_set1_epi8(static_cast<char>(p.clamp_min)), hi = _mm512_set1_epi8(static_cast<char>(p.clamp_max));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const auto rounded = [&](__m512i sum) { return RoundBelow(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), multiplier)); };
    const auto words = [&](int r) { return _mm512_adds_epi16(_mm512_packs_epi32(rounded(acc[r][0]), rounded(acc[r][1])), zero); };
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r += 2, out += 2 * product.out_row) {
      const __m512i bytes = _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(words(r), words(r + 1 < kRows ? r + 1 : r)), lo), hi);
      const __m512i pair = _mm512_permutexvar_epi32(order, bytes);
      StoreRow(out, mask, _mm512_castsi512_si256(pair));
      if (r + 1 < kRows) StoreRow(out + product.out_row, mask, _mm512_extracti64x4_epi64(pair, 1));
    }
  }

  // Masked stores are slow on some CPUs.
  OMKIT_INLINE static void StoreRow(uint8_t* to, uint32_t mask, __m256i bytes) {
    if (mask == 0xffffffffu) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
    else _mm256_mask_storeu_epi8(to, mask, bytes);
  }
};

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void PackMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns) { Vnni::Pack(product, p, columns); }
void RowTermsMatMulU8(const Product& product, int32_t b_zero, int64_t begin, int64_t end, int32_t* terms) {
  RowTerms(product, b_zero, begin, end, terms);
}
void MultiplyMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end) {
  Vnni::Rows(product, p, columns, begin, end);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
