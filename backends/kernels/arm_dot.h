// Sums of products of a few rows of uint8 and 16 (or 8) columns of int8 in arm64 registers: the inner loop of convolutions and matrix
// products. One form per tier, chosen by the instruction set the source is compiled for. Floor 4. Internal linkage only, see tier.h.
//
// Packed columns: [step of kDotStep bytes of k][column][kDotStep], for neon in two parts, (k0, k1) of all columns and then (k2, k3).
//   neon     SMULL and SMLAL add two products in 16 bits, SADALP adds neighbours to 32: exact while |column| <= 127. Columns that may
//            be -128 (kAnyColumn) have every product added to 32 bits.
//   dotprod  SDOT on four bytes of k.
//   i8mm     USMMLA on two rows, two columns and eight bytes of k.
// neon and dotprod read x - 128 for x: the caller adds 128 * sum(column) (kDotTerms).
#ifndef OMKIT_BACKENDS_KERNELS_ARM_DOT_H_
#define OMKIT_BACKENDS_KERNELS_ARM_DOT_H_

#include <arm_neon.h>

#include <cstdint>

#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// Rows whose sums stay in registers with 16 columns (kDotRows) and with 8 (kDotRowsHalf), and the smallest number of rows.
#if defined(__ARM_FEATURE_MATMUL_INT8)
constexpr int kDotStep = 8, kDotRows = 6, kDotRowsHalf = 8, kDotRowsLeast = 2;
constexpr bool kDotTerms = false;
#elif defined(__ARM_FEATURE_DOTPROD)
constexpr int kDotStep = 4, kDotRows = 5, kDotRowsHalf = 8, kDotRowsLeast = 1;
constexpr bool kDotTerms = true;
#else
constexpr int kDotStep = 4, kDotRows = 4, kDotRowsHalf = 6, kDotRowsLeast = 1;
constexpr bool kDotTerms = true;
#endif

// The compiler's scheduler would load the columns of many steps early and run out of registers.
OMKIT_INLINE void KeepLoadsBehind() { asm volatile("" ::: "memory"); }

// kRows by 4 * kQuads sums; kDotRowsLeast divides kRows.
template <int kRows, int kQuads>
struct DotSums {
#if defined(__ARM_FEATURE_MATMUL_INT8)
  int32x4_t v[kRows / 2][2 * kQuads];  // a pair of rows, a pair of columns: (r0 c0, r0 c1, r1 c0, r1 c1)
#else
  int32x4_t v[kRows][kQuads];
#endif
};

#if defined(__ARM_FEATURE_MATMUL_INT8)

// All rows begin with bias[column].
template <int kRows, int kQuads>
OMKIT_INLINE void DotStart(const int32_t* bias, DotSums<kRows, kQuads>* sums) {
#pragma GCC unroll 8
  for (int j = 0; j < 2 * kQuads; ++j) {
    const int32x2_t two = vld1_s32(bias + 2 * j);
#pragma GCC unroll 4
    for (int i = 0; i < kRows / 2; ++i) sums->v[i][j] = vcombine_s32(two, two);
  }
}

template <int kRows, int kQuads>
OMKIT_INLINE void DotStep(const uint8x16_t (&x)[kRows / 2], const int8_t* w, DotSums<kRows, kQuads>* sums) {
#pragma GCC unroll 8
  for (int j = 0; j < 2 * kQuads; ++j) {
    const int8x16_t columns = vld1q_s8(w + 16 * j);
#pragma GCC unroll 4
    for (int i = 0; i < kRows / 2; ++i) sums->v[i][j] = vusmmlaq_s32(sums->v[i][j], x[i], columns);
  }
}

// Bytes [k, end) of every row, a multiple of 4; returns the columns behind.
template <int kRows, int kQuads, bool kAnyColumn = false>
OMKIT_INLINE const int8_t* DotAdd(const uint8_t* const (&p)[kRows], int64_t k, int64_t end, const int8_t* w, DotSums<kRows, kQuads>* sums) {
  constexpr int kBytes = 4 * kQuads * kDotStep;
  for (; k + 16 <= end; k += 16, w += 2 * kBytes) {
    uint8x16_t low[kRows / 2], high[kRows / 2];
#pragma GCC unroll 4
    for (int i = 0; i < kRows / 2; ++i) {
      const uint64x2_t a = vreinterpretq_u64_u8(vld1q_u8(p[2 * i] + k)), b = vreinterpretq_u64_u8(vld1q_u8(p[2 * i + 1] + k));
      low[i] = vreinterpretq_u8_u64(vzip1q_u64(a, b));
      high[i] = vreinterpretq_u8_u64(vzip2q_u64(a, b));
    }
    KeepLoadsBehind();
    DotStep<kRows, kQuads>(low, w, sums);
    KeepLoadsBehind();
    DotStep<kRows, kQuads>(high, w + kBytes, sums);
  }
  for (; k < end; k += 8, w += kBytes) {
    uint8x16_t x[kRows / 2];
#pragma GCC unroll 4
    for (int i = 0; i < kRows / 2; ++i) {
      if (k + 8 <= end) {
        x[i] = vcombine_u8(vld1_u8(p[2 * i] + k), vld1_u8(p[2 * i + 1] + k));
      } else {
        const uint64_t a = static_cast<uint32_t>(LoadDword(p[2 * i] + k)), b = static_cast<uint32_t>(LoadDword(p[2 * i + 1] + k));
        x[i] = vcombine_u8(vcreate_u8(a), vcreate_u8(b));
      }
    }
    DotStep<kRows, kQuads>(x, w, sums);
  }
  return w;
}

// The sums of one row.
template <int kRow, int kRows, int kQuads>
OMKIT_INLINE void DotRow(const DotSums<kRows, kQuads>& sums, int32x4_t (&row)[kQuads]) {
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) {
    const int64x2_t a = vreinterpretq_s64_s32(sums.v[kRow / 2][2 * q]), b = vreinterpretq_s64_s32(sums.v[kRow / 2][2 * q + 1]);
    row[q] = vreinterpretq_s32_s64(kRow % 2 == 0 ? vzip1q_s64(a, b) : vzip2q_s64(a, b));
  }
}

#else  // neon and dotprod

template <int kRows, int kQuads>
OMKIT_INLINE void DotStart(const int32_t* bias, DotSums<kRows, kQuads>* sums) {
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) {
    const int32x4_t four = vld1q_s32(bias + 4 * q);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sums->v[r][q] = four;
  }
}

// Step kStep of the four that `x` holds.
template <int kStep, bool kAnyColumn, int kRows, int kQuads>
OMKIT_INLINE void DotStep(const int8x16_t (&x)[kRows], const int8_t* w, DotSums<kRows, kQuads>* sums) {
#if defined(__ARM_FEATURE_DOTPROD)
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) {
    const int8x16_t columns = vld1q_s8(w + 16 * q);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sums->v[r][q] = vdotq_laneq_s32(sums->v[r][q], columns, x[r], kStep);
  }
#else
  int8x16_t first[kQuads / 2], second[kQuads / 2];
#pragma GCC unroll 2
  for (int q = 0; q < kQuads / 2; ++q) first[q] = vld1q_s8(w + 16 * q), second[q] = vld1q_s8(w + 8 * kQuads + 16 * q);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    int8x16_t x01 = vreinterpretq_s8_s16(vdupq_laneq_s16(vreinterpretq_s16_s8(x[r]), 2 * kStep));
    int8x16_t x23 = vreinterpretq_s8_s16(vdupq_laneq_s16(vreinterpretq_s16_s8(x[r]), 2 * kStep + 1));
    // One row after the other, for the same reason.
    if (r > 0) asm volatile("" : "+w"(x01), "+w"(x23), "+w"(sums->v[r - 1][kQuads - 1]));
#pragma GCC unroll 2
    for (int q = 0; q < kQuads / 2; ++q) {
      int16x8_t low = vmull_s8(vget_low_s8(first[q]), vget_low_s8(x01)), high = vmull_high_s8(first[q], x01);
      if constexpr (kAnyColumn) {
        sums->v[r][2 * q] = vpadalq_s16(sums->v[r][2 * q], low);
        sums->v[r][2 * q + 1] = vpadalq_s16(sums->v[r][2 * q + 1], high);
        low = vmull_s8(vget_low_s8(second[q]), vget_low_s8(x23));
        high = vmull_high_s8(second[q], x23);
      } else {
        low = vmlal_s8(low, vget_low_s8(second[q]), vget_low_s8(x23));
        high = vmlal_high_s8(high, second[q], x23);
      }
      sums->v[r][2 * q] = vpadalq_s16(sums->v[r][2 * q], low);
      sums->v[r][2 * q + 1] = vpadalq_s16(sums->v[r][2 * q + 1], high);
    }
  }
#endif
}

// Bytes [k, end) of every row, a multiple of 4; returns the columns behind.
template <int kRows, int kQuads, bool kAnyColumn = false>
OMKIT_INLINE const int8_t* DotAdd(const uint8_t* const (&p)[kRows], int64_t k, int64_t end, const int8_t* w, DotSums<kRows, kQuads>* sums) {
  constexpr int kBytes = 4 * kQuads * kDotStep;
  const uint8x16_t sign = vdupq_n_u8(0x80);
  int8x16_t x[kRows];
  for (; k + 16 <= end; k += 16, w += 4 * kBytes) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) x[r] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p[r] + k), sign));
    KeepLoadsBehind();
    DotStep<0, kAnyColumn, kRows, kQuads>(x, w, sums);
    KeepLoadsBehind();
    DotStep<1, kAnyColumn, kRows, kQuads>(x, w + kBytes, sums);
    KeepLoadsBehind();
    DotStep<2, kAnyColumn, kRows, kQuads>(x, w + 2 * kBytes, sums);
    KeepLoadsBehind();
    DotStep<3, kAnyColumn, kRows, kQuads>(x, w + 3 * kBytes, sums);
  }
  for (; k < end; k += 4, w += kBytes) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      x[r] = vreinterpretq_s8_u8(veorq_u8(vreinterpretq_u8_s32(vdupq_n_s32(LoadDword(p[r] + k))), sign));
    }
    DotStep<0, kAnyColumn, kRows, kQuads>(x, w, sums);
  }
  return w;
}

// The sums of one row.
template <int kRow, int kRows, int kQuads>
OMKIT_INLINE void DotRow(const DotSums<kRows, kQuads>& sums, int32x4_t (&row)[kQuads]) {
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) row[q] = sums.v[kRow][q];
}

#endif

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ARM_DOT_H_
