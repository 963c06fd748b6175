#include "backends/kernels/matmul_u8/walk.h"

#include "backends/kernels/matmul_u8/matmul_u8.h"

namespace omkit::kernels {

void WalkMatMulU8(const KernelArgs& args, const ProductOfTier& tier) {
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
  Columns columns = {};  // in the thread's scratch
  columns.terms = static_cast<int32_t*>(args.scratch);
  columns.row_terms = columns.terms + kPackedColumns;
  // Behind the row terms, at a multiple of 64 bytes.
  columns.packed = static_cast<int8_t*>(args.scratch) + (kPackedColumns * 4 + product.m * 4 + 63) / 64 * 64;
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
      tier.row_terms(product, p.b_zero, rows.begin, rows.end, columns.row_terms);
    }
    columns.first = at % blocks * kPackedColumns;
    columns.count = product.n - columns.first < kPackedColumns ? product.n - columns.first : kPackedColumns;
    tier.pack(product, p, columns);
    tier.multiply(product, p, columns, rows.begin, rows.end);
  }
}

}  // namespace omkit::kernels
