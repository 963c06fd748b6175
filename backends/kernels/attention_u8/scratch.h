// What one thread keeps in its scratch: keys and values of a head as packed columns (matmul_u8/product.h), and the scores and shares of a strip
// of query rows. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ATTENTION_U8_SCRATCH_H_
#define OMKIT_BACKENDS_KERNELS_ATTENTION_U8_SCRATCH_H_

#include <cstdint>

#include "backends/kernels/attention_u8/attention_u8.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {

// Rows of a strip: a whole number of tiles, fewer where their scores would leave the first-level cache.
constexpr int64_t kStripRows = 16, kLongStripRows = 8, kLongKeys = 512;
// Rows whose softmax is computed together.
constexpr int64_t kLines = 4;

// Lengths, and places in bytes, which are multiples of 64.
struct AttentionU8Scratch {
  int64_t rows;                    // of a strip
  int64_t width;                   // of a row of scores, and of shares
  int64_t key_block, value_block;  // bytes of 32 packed columns
  int64_t keys, key_terms, values, value_terms, row_terms, largest;
  int64_t scores;  // [rows][width] f32
  int64_t powers;  // [kLines][width] f32: e^(score - largest); before, [rows][width] u8: scores that are rounded
  int64_t shares;  // [rows][width] u8
  int64_t bytes;
};
static_assert(kStripRows <= kLines * 4, "rounded scores lie where powers come");

namespace {

OMKIT_INLINE AttentionU8Scratch ScratchOf(const AttentionU8Params& p) {
  const auto whole = [](int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; };
  const int64_t keys = p.k.dims[2], size = p.q.dims[3], values = whole(p.v.dims[3], 32);
  AttentionU8Scratch s = {};
  s.rows = keys < kLongKeys ? kStripRows : kLongStripRows;
  s.width = whole(keys, 32);
  s.key_block = whole(size, 8) * 32;
  s.value_block = whole(keys, 8) * 32;
  s.key_terms = s.keys + s.width / 32 * s.key_block;
  s.values = s.key_terms + s.width * 4;
  s.value_terms = s.values + values / 32 * s.value_block;
  s.row_terms = s.value_terms + values * 4;
  s.largest = s.row_terms + whole(s.rows * 4, 64);
  s.scores = s.largest + whole(s.rows * 4, 64);
  s.powers = s.scores + s.rows * s.width * 4;
  s.shares = s.powers + kLines * s.width * 4;
  s.bytes = s.shares + s.rows * s.width;
  return s;
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ATTENTION_U8_SCRATCH_H_
