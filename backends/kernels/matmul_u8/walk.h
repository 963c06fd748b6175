// The walk that every tier shares: columns of B are packed as signed bytes into the thread's scratch, then all rows of A meet them.
// Floor 4. Internal linkage only, see tier.h.
//
// With b' = b - 128 and zb' = zb - 128:  sum (a - za)(b - zb) = sum a b' - zb' sum a - za sum b' + K za zb'.
// The second term belongs to a row, the last two to a column; both are added to the accumulators before the products.
#ifndef OMKIT_BACKENDS_KERNELS_MATMUL_U8_WALK_H_
#define OMKIT_BACKENDS_KERNELS_MATMUL_U8_WALK_H_

#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/tier.h"
#if defined(__x86_64__)
#include "backends/kernels/x86.h"
#endif

namespace omkit::kernels {
namespace {

// Columns that a thread packs at a time; scratch is made for this many, for every tier.
constexpr int64_t kPackedColumns = 32;

// Packed columns, and what belongs to them. All arrays lie in the thread's scratch.
struct Columns {
  int8_t* packed;      // in the tier's order
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

// Tier::Pack(product, params, columns) fills `packed` and `terms`; Tier::Rows(product, params, columns, begin, end) makes those rows of
// the output.
template <typename Tier>
static void WalkMatMulU8(const KernelArgs& args) {
  MatMulU8Params p;
  LoadParams(args, &p);
  const int rank = p.out.rank;
  Product product = {};
  product.m = p.out.dims[rank - 2];
  product.n = p.out.dims[rank - 1];
  product.k = p.a.dims[rank - 1];
  product.a_row = p.a.strides[rank - 2];
  product.b_row = p.b.strides[rank - 2];
  product.b_column = p.b.strides[rank - 1];
  product.out_row = p.out.strides[rank - 2];
  int64_t batches = 1;
  for (int i = 0; i < rank - 2; ++i) batches *= p.out.dims[i];
  if (batches == 0 || product.m == 0 || product.n == 0) return;
  const int64_t blocks = (product.n + kPackedColumns - 1) / kPackedColumns;
  const bool by_block = batches * blocks >= args.threads;
  const Part part = by_block ? SplitWork(batches * blocks, 1, args.thread, args.threads) : Part{0, batches * blocks};
  const Part rows = by_block ? Part{0, product.m} : SplitWork(product.m, 1, args.thread, args.threads);
  if (rows.begin >= rows.end) return;
  Columns columns = {};
  columns.terms = static_cast<int32_t*>(args.scratch);
  columns.row_terms = columns.terms + kPackedColumns;
  // Behind the row terms, at a multiple of 64 bytes.
  columns.packed = static_cast<int8_t*>(args.scratch) + (kPackedColumns * 4 + product.m * 4 + 63) / 64 * 64;
  const int32_t b_zero = p.b_zero - 128;
  int64_t batch = -1;
  for (int64_t at = part.begin; at < part.end; ++at) {
    if (at / blocks != batch) {
      batch = at / blocks;
      int64_t a = p.a.offset, b = p.b.offset, out = p.out.offset, rest = batch;
      for (int i = rank - 3; i >= 0; --i) {
        const int64_t index = rest % p.out.dims[i];
        rest /= p.out.dims[i];
        a += index * p.a.strides[i];
        b += index * p.b.strides[i];
        out += index * p.out.strides[i];
      }
      product.a = static_cast<const uint8_t*>(args.operands[0]) + a;
      product.b = static_cast<const uint8_t*>(args.operands[1]) + b;
      product.out = static_cast<uint8_t*>(args.operands[2]) + out * (p.float_output ? 4 : 1);
      for (int64_t i = rows.begin; i < rows.end; ++i) {
        columns.row_terms[i] = b_zero == 0 ? 0 : -b_zero * SumOf(product.a + i * product.a_row, product.k);
      }
    }
    columns.first = at % blocks * kPackedColumns;
    columns.count = product.n - columns.first < kPackedColumns ? product.n - columns.first : kPackedColumns;
    Tier::Pack(product, p, columns);
    Tier::Rows(product, p, columns, rows.begin, rows.end);
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_MATMUL_U8_WALK_H_
