// The products of all tiers, declared: what matmul_u8's and attention_u8's tables of kernels are made of. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_MATMUL_U8_PRODUCTS_H_
#define OMKIT_BACKENDS_KERNELS_MATMUL_U8_PRODUCTS_H_

#include "backends/kernels/matmul_u8/product.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)                                                                                          \
  namespace tier {                                                                                                            \
  void PackMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns);                                 \
  void RowTermsMatMulU8(const Product& product, int32_t b_zero, int64_t begin, int64_t end, int32_t* terms);                  \
  void MultiplyMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_MATMUL_U8_PRODUCTS_H_
