// A strip of query rows on its way through attention, and what a tier does with it between the two products of matmul_u8. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ATTENTION_U8_STRIP_H_
#define OMKIT_BACKENDS_KERNELS_ATTENTION_U8_STRIP_H_

#include "backends/kernels/attention_u8/attention_u8.h"
#include "backends/kernels/attention_u8/scratch.h"
#include "backends/kernels/matmul_u8/product.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {

// Pointers below `mask` lead into the scratch.
struct Strip {
  const AttentionU8Params* p;
  const AttentionU8Scratch* sizes;
  const ProductOfTier* product;
  const MatMulU8Params* by_keys;  // the first product
  const uint8_t* q;               // the first row's
  int64_t rows, keys;
  int64_t mask_at;  // the first row's
  const void* mask;
  int8_t* packed_keys;
  int32_t *key_terms, *row_terms;
  float *scores, *powers;
  float* largest;  // score of each row, for tiers that find it on the way
  uint8_t* shares;
};

// ScoreU8 and ShareU8 in a tier's namespace.
struct SoftmaxOfTier {
  // The masked scores.
  void (*score)(const Strip& strip);
  // The shares, and the row terms of the second product.
  void (*share)(const Strip& strip);
};

namespace {

// Columns of packed keys or values from `first` on.
OMKIT_INLINE Columns BlockAt(int64_t first, int64_t count, int64_t block_bytes, int8_t* packed, int32_t* terms, int32_t* row_terms) {
  const int64_t left = count - first;
  return {packed + first / kPackedColumns * block_bytes, terms + first, row_terms, first, left < kPackedColumns ? left : kPackedColumns};
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ATTENTION_U8_STRIP_H_
