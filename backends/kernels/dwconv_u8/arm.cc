// Depthwise convolution on arm64 registers for the neon, dotprod and i8mm tiers: a slot is four vertical taps as bytes (strip.h).
//   neon     two pairs of rows: SMULL and SMLAL add two products in 16 bits, SADALP adds neighbours to 32: exact while |w| <= 127.
//   dotprod  SDOT
//   i8mm     USDOT
// neon and dotprod multiply x - 128; 128 * sum(w) is part of the laid-out bias.
#include "backends/kernels/conv_u8/arm_finish.h"
#include "backends/kernels/dwconv_u8/strip.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// kPlain: uint8 outputs without a residual.
template <bool kPlain>
struct Quads {
  struct Sums {
    int32x4_t v[4];
  };
#if defined(__ARM_FEATURE_MATMUL_INT8)
  using Bytes = uint8x16_t;
#else
  using Bytes = int8x16_t;
#endif
  struct Column {
    Bytes v[4];  // neon: rows 0 and 1 of channels 0-7 and 8-15, then rows 2 and 3; otherwise four rows of four channels each
  };
  using Finish = QuadFinish;
  static constexpr int kGroupRows = 4;

  static OMKIT_INLINE Finish MakeFinish(const DwConvU8Params& p) { return MakeQuadFinish(p); }

  static OMKIT_INLINE void Bias(const Strip<Quads<kPlain>>& s, Sums* acc) {
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) acc->v[q] = vld1q_s32(s.bias + 4 * q);
  }

  template <bool kWhole>
  static OMKIT_INLINE Bytes LoadRow(const uint8_t* from, int count) {
    const uint8x16_t bytes = kWhole ? vld1q_u8(from) : LoadBytes(from, count);
#if defined(__ARM_FEATURE_MATMUL_INT8)
    return bytes;
#else
    return vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(0x80)));
#endif
  }

  template <bool kWhole>
  static OMKIT_INLINE Column Load(const Strip<Quads<kPlain>>& s, const uint8_t* from, int group, int kernel_h) {
    Bytes row[4];
    row[0] = LoadRow<kWhole>(from + 4 * group * s.row_step, s.count);
#pragma GCC unroll 3
    for (int i = 1; i < 4; ++i) {
      const int y = 4 * group + i;
      // The weights of absent rows are zero: any bytes do.
      row[i] = y < kernel_h ? LoadRow<kWhole>(from + y * s.row_step, s.count) : row[0];
    }
#if defined(__ARM_FEATURE_MATMUL_INT8)
    const uint8x16x2_t first = vzipq_u8(row[0], row[1]), second = vzipq_u8(row[2], row[3]);
    const uint16x8x2_t low = vzipq_u16(vreinterpretq_u16_u8(first.val[0]), vreinterpretq_u16_u8(second.val[0]));
    const uint16x8x2_t high = vzipq_u16(vreinterpretq_u16_u8(first.val[1]), vreinterpretq_u16_u8(second.val[1]));
    return {
        {vreinterpretq_u8_u16(low.val[0]), vreinterpretq_u8_u16(low.val[1]), vreinterpretq_u8_u16(high.val[0]), vreinterpretq_u8_u16(high.val[1])}};
#else
    const int8x16x2_t first = vzipq_s8(row[0], row[1]), second = vzipq_s8(row[2], row[3]);
#if defined(__ARM_FEATURE_DOTPROD)
    const int16x8x2_t low = vzipq_s16(vreinterpretq_s16_s8(first.val[0]), vreinterpretq_s16_s8(second.val[0]));
    const int16x8x2_t high = vzipq_s16(vreinterpretq_s16_s8(first.val[1]), vreinterpretq_s16_s8(second.val[1]));
    return {
        {vreinterpretq_s8_s16(low.val[0]), vreinterpretq_s8_s16(low.val[1]), vreinterpretq_s8_s16(high.val[0]), vreinterpretq_s8_s16(high.val[1])}};
#else
    return {{first.val[0], first.val[1], second.val[0], second.val[1]}};
#endif
#endif
  }

  static OMKIT_INLINE void MultiplyAdd(const Column& x, const int8_t* w, int rows, Sums* acc) {
#if defined(__ARM_FEATURE_DOTPROD)
    (void)rows;
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
#if defined(__ARM_FEATURE_MATMUL_INT8)
      acc->v[q] = vusdotq_s32(acc->v[q], x.v[q], vld1q_s8(w + 16 * q));
#else
      acc->v[q] = vdotq_s32(acc->v[q], x.v[q], vld1q_s8(w + 16 * q));
#endif
    }
#else
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const int8x16_t first = vld1q_s8(w + 16 * h), second = vld1q_s8(w + 32 + 16 * h);
      int16x8_t low = vmull_s8(vget_low_s8(x.v[h]), vget_low_s8(first)), high = vmull_high_s8(x.v[h], first);
      if (rows > 2) {
        low = vmlal_s8(low, vget_low_s8(x.v[2 + h]), vget_low_s8(second));
        high = vmlal_high_s8(high, x.v[2 + h], second);
      }
      acc->v[2 * h] = vpadalq_s16(acc->v[2 * h], low);
      acc->v[2 * h + 1] = vpadalq_s16(acc->v[2 * h + 1], high);
    }
#endif
  }

  template <bool kWhole>
  static OMKIT_INLINE void Store(const Strip<Quads<kPlain>>& s, const Sums& acc, const uint8_t* residual, uint8_t* out) {
    float32x4_t multiplier[4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) multiplier[q] = vld1q_f32(s.multiplier + 4 * q);
    if constexpr (kPlain && kWhole) FinishPlain<4>(s.finish.rounding, acc.v, multiplier, out);
    else FinishQuads<4>(s.finish, acc.v, multiplier, residual, out, s.count);
  }
};

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void DwConvU8(const KernelArgs& args) {
  DwConvU8Params p;
  LoadParams(args, &p);
  if (MakeQuadFinish(p).plain()) RunStrips<Quads<true>>(args);
  else RunStrips<Quads<false>>(args);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
