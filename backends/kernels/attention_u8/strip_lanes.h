// The work on a strip in the form that every tier has: floats of sixteen lanes. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_ATTENTION_U8_STRIP_LANES_H_
#define OMKIT_BACKENDS_KERNELS_ATTENTION_U8_STRIP_LANES_H_

#include "backends/kernels/attention_u8/strip.h"
#include "backends/kernels/math_f32.h"
#include "backends/kernels/rounder.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

OMKIT_INLINE int LanesAt(int64_t i, int64_t count) { return count - i < kWidth ? static_cast<int>(count - i) : kWidth; }

// Elements `stride` apart; zeros behind the first `count`.
OMKIT_INLINE LanesU8 LoadBytes(const uint8_t* from, int64_t stride, int count) {
  if (stride == 1 && count == kLanes) return Load<LanesU8>(from);
  uint8_t lanes[kLanes] = {};
  for (int i = 0; i < count; ++i) lanes[i] = from[i * stride];
  return Load<LanesU8>(lanes);
}

OMKIT_INLINE F32 ToReals(LanesU8 bytes, float scale, int32_t zero) {
  const LanesF32 reals = ToFloat(Widen(bytes) - Splat(zero)) * Splat(scale);
  F32 x;
  static_assert(sizeof x == sizeof reals, "sixteen floats");
  __builtin_memcpy(&x, &reals, sizeof x);
  return x;
}

// The scores of one row, masked, in place.
[[maybe_unused]] __attribute__((noinline)) void MaskRow(const Strip& s, int64_t row) {
  const AttentionU8Params& p = *s.p;
  const int64_t stride = p.mask.strides[3], at = s.mask_at + row * p.mask.strides[2];
  float* scores = s.scores + row * s.sizes->width;
  if (p.masking == ScoreMask::kAdded) {
    const float* added = static_cast<const float*>(s.mask) + at;
    for (int64_t j = 0; j < s.keys; j += kWidth) Store(scores + j, Load(scores + j) + LoadStrided(added + j * stride, stride, LanesAt(j, s.keys)));
    return;
  }
  const uint8_t* bytes = static_cast<const uint8_t*>(s.mask) + at;
  const F32 low = Set(p.low);
  for (int64_t j = 0; j < s.keys; j += kWidth) {
    const Mask zero = ToReals(LoadBytes(bytes + j * stride, stride, LanesAt(j, s.keys)), 1.0f, 0) == Set(0.0f);
    const F32 score = Load(scores + j);
    Store(scores + j, p.masking == ScoreMask::kHidden ? Select(zero, score, low) : Select(zero, low, score));
  }
}

// The scores without a mask.
[[maybe_unused]] __attribute__((noinline)) void MultiplyKeys(const Strip& s) {
  const AttentionU8Params& p = *s.p;
  const int64_t width = s.sizes->width;
  Product product = {};
  product.a = s.q;
  product.a_row = p.q.strides[2];
  product.k = p.q.dims[3];
  product.out_row = width;
  product.out = p.rounds_scores ? reinterpret_cast<uint8_t*>(s.powers) : reinterpret_cast<uint8_t*>(s.scores);
  s.product->row_terms(product, p.k_zero, 0, s.rows, s.row_terms);
  for (int64_t first = 0; first < s.keys; first += kPackedColumns) {
    s.product->multiply(product, *s.by_keys, BlockAt(first, s.keys, s.sizes->key_block, s.packed_keys, s.key_terms, s.row_terms), 0, s.rows);
  }
  for (int64_t j = 0; p.rounds_scores && j < s.rows * width; j += kWidth)
    Store(s.scores + j, ToReals(Load<LanesU8>(product.out + j), p.score_scale, p.score_zero));
}

[[maybe_unused]] void ScoreStrip(const Strip& s) {
  MultiplyKeys(s);
  for (int64_t r = 0; s.p->masking != ScoreMask::kNone && r < s.rows; ++r) MaskRow(s, r);
}

// The shares of `kCount` rows from `first` on, in the order of softmax_f32's sums: no row waits for its own. Lines are filled up with scores
// that weigh nothing, so that vectors are whole.
template <int kCount>
__attribute__((noinline)) void Softmax(const Strip& s, int64_t first) {
  const int64_t width = s.sizes->width;
  float* in = s.scores + first * width;
  F32 top[kCount], sum[kCount];
  for (int r = 0; r < kCount; ++r) {
    top[r] = Set(-kInfinity);
    sum[r] = Set(0.0f);
    for (int64_t j = s.keys; j % kWidth != 0; ++j) in[r * width + j] = -kInfinity;
  }
  for (int64_t i = 0; i < s.keys; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kCount; ++r) top[r] = Max(Load(in + r * width + i), top[r]);
  }
  for (int r = 0; r < kCount; ++r) top[r] = Set(FoldMax(top[r]));
  for (int64_t i = 0; i < s.keys; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kCount; ++r) {
      const F32 e = ExpNonPositive(Load(in + r * width + i) - top[r]);
      sum[r] = sum[r] + e;
      Store(s.powers + r * width + i, e);
    }
  }
  for (int r = 0; r < kCount; ++r) sum[r] = Set(1.0f) / Set(FoldSum(sum[r]));
  uint8_t* out = s.shares + first * width;
  const Rounder rounder = MakeRounder(s.p->share_scale, s.p->share_zero);
  for (int64_t i = 0; i < s.keys; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kCount; ++r) StoreSome(out + r * width + i, rounder.Bytes<true>(Load(s.powers + r * width + i) * sum[r]), kLanes);
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ATTENTION_U8_STRIP_LANES_H_
