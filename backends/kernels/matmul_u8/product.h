// One batch of an INT8 product, as every tier computes it: columns of B are packed as signed bytes, then rows of A meet them. Shared with
// attention_u8, whose products are the same. Floor 4.
//
// With b' = b - 128 and zb' = zb - 128:  sum (a - za)(b - zb) = sum a b' - zb' sum a - za sum b' + K za zb'.
// The second term belongs to a row, the last two to a column; both are added to the accumulators before the products.
#ifndef OMKIT_BACKENDS_KERNELS_MATMUL_U8_PRODUCT_H_
#define OMKIT_BACKENDS_KERNELS_MATMUL_U8_PRODUCT_H_

#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/tier.h"
#if defined(__x86_64__)
#include "backends/kernels/x86.h"
#endif

namespace omkit::kernels {

// Columns that are packed together, for every tier.
constexpr int64_t kPackedColumns = 32;

// Packed columns, and what belongs to them.
struct Columns {
  int8_t* packed;      // in the tier's order, K rounded up to 8 times kPackedColumns bytes
  int32_t* terms;      // [kPackedColumns]
  int32_t* row_terms;  // [M]
  int64_t first, count;
};

// One batch of the product.
struct Product {
  const uint8_t* a;
  const uint8_t* b;
  uint8_t* out;  // bytes
  int64_t m, n, k;
  int64_t a_row, b_row, b_column, out_row;  // strides in elements
};

// The parts of a tier's product: PackMatMulU8, RowTermsMatMulU8 and MultiplyMatMulU8 in its namespace. They read no views.
struct ProductOfTier {
  // Fills `packed` and `terms` from the columns [first, first + count) of B. Of the parameters only the zero points are read.
  void (*pack)(const Product& product, const MatMulU8Params& p, const Columns& columns);
  // The terms of the rows [begin, end); b_zero is B's zero point.
  void (*row_terms)(const Product& product, int32_t b_zero, int64_t begin, int64_t end, int32_t* terms);
  // Rows [begin, end) of the output in those columns.
  void (*multiply)(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end);
};

namespace {

[[maybe_unused]] static int32_t SumOf(const uint8_t* from, int64_t count) {
  int32_t sum = 0;
  int64_t i = 0;
#if defined(__AVX2__)
  __m256i sums = _mm256_setzero_si256();
  for (; i + 32 <= count; i += 32) {
    sums = _mm256_add_epi64(sums, _mm256_sad_epu8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)), _mm256_setzero_si256()));
  }
  const __m128i pair = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  sum = _mm_cvtsi128_si32(_mm_add_epi64(pair, _mm_unpackhi_epi64(pair, pair)));
#endif
  for (; i < count; ++i) sum += from[i];
  return sum;
}

// RowTermsMatMulU8 of every tier.
[[maybe_unused]] OMKIT_INLINE void RowTerms(const Product& product, int32_t b_zero, int64_t begin, int64_t end, int32_t* terms) {
  for (int64_t i = begin; i < end; ++i) terms[i] = b_zero == 128 ? 0 : (128 - b_zero) * SumOf(product.a + i * product.a_row, product.k);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_MATMUL_U8_PRODUCT_H_
