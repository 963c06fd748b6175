// The end of a convolution on arm64 registers: 16 (or 8) output channels of a pixel in channel order. Floor 4. Internal linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_ARM_FINISH_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_ARM_FINISH_H_

#include "backends/kernels/arm_round.h"
#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

struct QuadFinish {
  QuadRounding rounding;
  uint8x8_t residual_zero;
  float residual_multiplier, act_min, act_max;
  bool has_residual, to_float;
  bool plain() const { return !has_residual && !to_float; }
};

[[maybe_unused]] OMKIT_INLINE QuadFinish MakeQuadFinish(const ConvU8Params& p) {
  return {MakeQuadRounding(p.out_zero, p.clamp_min, p.clamp_max),
          vdup_n_u8(static_cast<uint8_t>(p.residual_zero)),
          p.residual_multiplier,
          p.act_min,
          p.act_max,
          p.has_residual != 0,
          p.float_output != 0};
}

// All of 16 (8) channels, uint8 and without a residual.
template <int kQuads>
OMKIT_INLINE void FinishPlain(const QuadRounding& rounding, const int32x4_t (&acc)[kQuads], const float32x4_t (&multiplier)[kQuads], uint8_t* out) {
  float32x4_t v[kQuads];
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) v[q] = vmulq_f32(vcvtq_f32_s32(acc[q]), multiplier[q]);
  const uint8x16_t bytes = RoundQuads<kQuads>(v, rounding);
  if constexpr (kQuads == 4) vst1q_u8(out, bytes);
  else vst1_u8(out, vget_low_u8(bytes));
}

// Writes `count` channels at `out` (uint8, or float with to_float); `residual` points to the same channels or is not read.
template <int kQuads>
OMKIT_INLINE void FinishQuads(const QuadFinish& f, const int32x4_t (&acc)[kQuads], const float32x4_t (&multiplier)[kQuads], const uint8_t* residual,
                              uint8_t* out, int count) {
  float32x4_t v[kQuads];
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) v[q] = vmulq_f32(vcvtq_f32_s32(acc[q]), multiplier[q]);
  if (f.has_residual) {
    const uint8x16_t bytes = LoadBytes(residual, count);
    const int16x8_t words[2] = {vreinterpretq_s16_u16(vsubl_u8(vget_low_u8(bytes), f.residual_zero)),
                                vreinterpretq_s16_u16(vsubl_u8(vget_high_u8(bytes), f.residual_zero))};
#pragma GCC unroll 4
    for (int q = 0; q < kQuads; ++q) {
      const int32x4_t side = q % 2 == 0 ? vmovl_s16(vget_low_s16(words[q / 2])) : vmovl_high_s16(words[q / 2]);
      v[q] = vaddq_f32(v[q], vmulq_n_f32(vcvtq_f32_s32(side), f.residual_multiplier));
    }
  }
  if (f.to_float) return StoreQuads<kQuads>(out, v, f.act_min, f.act_max, count);
  StoreBytes(out, RoundQuads<kQuads>(v, f.rounding), count);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_ARM_FINISH_H_
