// arm64 registers for the neon, dotprod and i8mm tiers: a few rows by 16 columns (arm_dot.h). Packed columns: [16 columns] in the order
// of arm_dot.h, zeros behind the last k and the last column.
#include "backends/kernels/arm_dot.h"
#include "backends/kernels/arm_round.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/matmul_u8/product.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

struct ArmDot {
  static constexpr int kColumns = 16, kStepBytes = kColumns * kDotStep;
  // Bytes of k that lie together in a packed column.
#if defined(__ARM_FEATURE_DOTPROD)
  static constexpr int kPiece = kDotStep;
#else
  static constexpr int kPiece = 2;
#endif

  // Where the packed bytes k, k + 1, ... (to the end of the piece) of a column lie in its block.
  static OMKIT_INLINE int64_t At(int64_t k, int64_t column) {
    return k / kDotStep * kStepBytes + k % kDotStep / kPiece * (kColumns * kPiece) + column * kPiece + k % kPiece;
  }

  // Columns that are contiguous along k.
  static void PackColumn(const uint8_t* from, int64_t k, int64_t column, int8_t* to) {
    int64_t i = 0;
    for (; i + kPiece <= k; i += kPiece) {
      uint8_t piece[kPiece];
      __builtin_memcpy(piece, from + i, kPiece);
      for (uint8_t& byte : piece) byte ^= 0x80;
      __builtin_memcpy(to + At(i, column), piece, kPiece);
    }
    for (; i < k; ++i) to[At(i, column)] = static_cast<int8_t>(from[i] ^ 0x80);
  }

  // Sixteen columns of four rows that are contiguous along n, interleaved: four columns of four bytes in each register; neon: rows 0 and
  // 1 of columns 0-7 and 8-15, then rows 2 and 3.
  static OMKIT_INLINE void Interleave(const uint8_t* from, int64_t step, uint8x16_t (&columns)[4]) {
    const uint8x16_t sign = vdupq_n_u8(0x80);
    uint8x16_t row[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) row[i] = veorq_u8(vld1q_u8(from + i * step), sign);
    const uint8x16x2_t first = vzipq_u8(row[0], row[1]), second = vzipq_u8(row[2], row[3]);
#if defined(__ARM_FEATURE_DOTPROD)
    const uint16x8x2_t low = vzipq_u16(vreinterpretq_u16_u8(first.val[0]), vreinterpretq_u16_u8(second.val[0]));
    const uint16x8x2_t high = vzipq_u16(vreinterpretq_u16_u8(first.val[1]), vreinterpretq_u16_u8(second.val[1]));
    columns[0] = vreinterpretq_u8_u16(low.val[0]);
    columns[1] = vreinterpretq_u8_u16(low.val[1]);
    columns[2] = vreinterpretq_u8_u16(high.val[0]);
    columns[3] = vreinterpretq_u8_u16(high.val[1]);
#else
    columns[0] = first.val[0];
    columns[1] = first.val[1];
    columns[2] = second.val[0];
    columns[3] = second.val[1];
#endif
  }

  // Whole steps of sixteen columns that are contiguous along n; returns the k behind.
  static int64_t PackRows(const uint8_t* from, int64_t step, int64_t k, int8_t* packed) {
    uint8_t* to = reinterpret_cast<uint8_t*>(packed);
    int64_t i = 0;
    for (; i + kDotStep <= k; i += kDotStep, to += kStepBytes) {
      uint8x16_t columns[4];
      Interleave(from + i * step, step, columns);
#if defined(__ARM_FEATURE_MATMUL_INT8)
      uint8x16_t behind[4];
      Interleave(from + (i + 4) * step, step, behind);
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) {
        const uint32x4x2_t pair = vzipq_u32(vreinterpretq_u32_u8(columns[q]), vreinterpretq_u32_u8(behind[q]));
        vst1q_u8(to + 32 * q, vreinterpretq_u8_u32(pair.val[0]));
        vst1q_u8(to + 32 * q + 16, vreinterpretq_u8_u32(pair.val[1]));
      }
#else
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) vst1q_u8(to + 16 * q, columns[q]);
#endif
    }
    return i;
  }

  static void PackBlock(const Product& product, int64_t first, int64_t count, int8_t* packed) {
    const int64_t steps = (product.k + kDotStep - 1) / kDotStep;
    const uint8_t* from = product.b + first * product.b_column;
    if (count < kColumns || product.k % kDotStep != 0) __builtin_memset(packed, 0, static_cast<uint64_t>(steps * kStepBytes));
    if (product.b_row == 1) {
      for (int64_t c = 0; c < count; ++c) PackColumn(from + c * product.b_column, product.k, c, packed);
      return;
    }
    const int64_t done = product.b_column == 1 && count == kColumns ? PackRows(from, product.b_row, product.k, packed) : 0;
    for (int64_t k = done; k < product.k; ++k) {
      for (int64_t c = 0; c < count; ++c) packed[At(k, c)] = static_cast<int8_t>(from[k * product.b_row + c * product.b_column] ^ 0x80);
    }
  }

  // terms = K za zb' - za sum b', and what arm_dot.h leaves to its caller.
  static void Terms(const Product& product, const MatMulU8Params& p, const int8_t* packed, int32_t* terms) {
    uint8_t ones[64];
    __builtin_memset(ones, kDotTerms ? 129 : 1, sizeof ones);
    const uint8_t* rows[kDotRowsLeast];
    for (const uint8_t*& row : rows) row = ones;
    const int32_t none[kColumns] = {};
    DotSums<kDotRowsLeast, 4> sums;
    DotStart<kDotRowsLeast, 4>(none, &sums);
    for (int64_t left = (product.k + kDotStep - 1) / kDotStep * kDotStep; left > 0; left -= 64) {
      packed = DotAdd<kDotRowsLeast, 4, true>(rows, 0, left < 64 ? left : 64, packed, &sums);
    }
    int32x4_t row[4];
    DotRow<0>(sums, row);
    const int32x4_t constant = vdupq_n_s32(static_cast<int32_t>(product.k * p.a_zero * (p.b_zero - 128)));
    for (int q = 0; q < 4; ++q) vst1q_s32(terms + 4 * q, vmlaq_s32(constant, row[q], vdupq_n_s32((kDotTerms ? 128 : 0) - p.a_zero)));
  }

  static void Pack(const Product& product, const MatMulU8Params& p, const Columns& columns) {
    const int64_t block_bytes = (product.k + kDotStep - 1) / kDotStep * kStepBytes;
    for (int64_t first = 0; first < columns.count; first += kColumns) {
      const int64_t left = columns.count - first;
      int8_t* packed = columns.packed + first / kColumns * block_bytes;
      PackBlock(product, columns.first + first, left < kColumns ? left : kColumns, packed);
      Terms(product, p, packed, columns.terms + first);
    }
  }

  static void Rows(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kDotRows) {
      const int count = static_cast<int>(end - i < kDotRows ? end - i : kDotRows);
      for (int64_t first = 0; first < columns.count; first += kColumns) {
        if (count <= kDotRowsLeast) Tile<kDotRowsLeast>(product, p, columns, i, count, first);
        else if (count <= 2) Tile<2>(product, p, columns, i, count, first);
        else if (count <= 4) Tile<4>(product, p, columns, i, count, first);
        else Tile<kDotRows>(product, p, columns, i, count, first);
      }
    }
  }

  // Rows [at, at + count); count <= kRows, and a smaller one computes its last row several times.
  template <int kRows>
  static __attribute__((noinline)) void Tile(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t at, int count,
                                             int64_t first) {
    const int64_t whole = product.k / kDotStep * kDotStep, rest = product.k - whole;
    const uint8_t* rows[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) rows[r] = product.a + (at + (r < count ? r : count - 1)) * product.a_row;
    DotSums<kRows, 4> sums;
    DotStart<kRows, 4>(columns.terms + first, &sums);
    const int8_t* packed = DotAdd<kRows, 4, true>(rows, 0, whole, columns.packed + first * ((product.k + kDotStep - 1) / kDotStep * kDotStep), &sums);
    if (rest != 0) {
      uint8_t last[kRows][kDotStep] = {};
      for (int r = 0; r < kRows; ++r) {
        for (int64_t i = 0; i < rest; ++i) last[r][i] = rows[r][whole + i];
        rows[r] = last[r];
      }
      DotAdd<kRows, 4, true>(rows, 0, kDotStep, packed, &sums);
    }
    const int64_t left = columns.count - first;
    Finish<0, kRows>(product, p, columns, sums, at, count, columns.first + first, static_cast<int>(left < kColumns ? left : kColumns));
  }

  template <int kRow, int kRows>
  static OMKIT_INLINE void Finish(const Product& product, const MatMulU8Params& p, const Columns& columns, const DotSums<kRows, 4>& sums, int64_t at,
                                  int count, int64_t column, int width) {
    if (kRow != 0 && kRow >= count) return;
    const int32x4_t term = vdupq_n_s32(columns.row_terms[at + kRow]);
    int32x4_t acc[4];
    DotRow<kRow>(sums, acc);
    float32x4_t v[4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) v[q] = vmulq_n_f32(vcvtq_f32_s32(vaddq_s32(acc[q], term)), p.multiplier);
    uint8_t* out = product.out + ((at + kRow) * product.out_row + column) * (p.float_output ? 4 : 1);
    if (p.float_output) StoreQuads<4>(out, v, p.act_min, p.act_max, width);
    else StoreBytes(out, RoundQuads<4>(v, MakeQuadRounding(p.out_zero, p.clamp_min, p.clamp_max)), width);
    if constexpr (kRow + 1 < kRows) Finish<kRow + 1>(product, p, columns, sums, at, count, column, width);
  }
};

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void PackMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns) { ArmDot::Pack(product, p, columns); }
void RowTermsMatMulU8(const Product& product, int32_t b_zero, int64_t begin, int64_t end, int32_t* terms) {
  RowTerms(product, b_zero, begin, end, terms);
}
void MultiplyMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end) {
  ArmDot::Rows(product, p, columns, begin, end);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
