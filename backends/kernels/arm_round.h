// The last steps of INT8 kernels on arm64 registers: rounding to bytes and storing some of 16. Floor 4. Internal linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_ARM_ROUND_H_
#define OMKIT_BACKENDS_KERNELS_ARM_ROUND_H_

#include <arm_neon.h>

#include <cstdint>

#include "backends/kernels/lanes.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

struct QuadRounding {
  int16x8_t zero_point;
  uint8x16_t clamp_min, clamp_max;
};

[[maybe_unused]] OMKIT_INLINE QuadRounding MakeQuadRounding(int32_t zero_point, int32_t clamp_min, int32_t clamp_max) {
  return {vdupq_n_s16(static_cast<int16_t>(zero_point)), vdupq_n_u8(static_cast<uint8_t>(clamp_min)), vdupq_n_u8(static_cast<uint8_t>(clamp_max))};
}

// The first `count` of 16 bytes, zeros behind them; touches no other byte.
OMKIT_INLINE uint8x16_t LoadBytes(const uint8_t* from, int count) {
  if (count >= 16) return vld1q_u8(from);
  uint8_t bytes[16] = {};
  for (int i = 0; i < count; ++i) bytes[i] = from[i];
  return vld1q_u8(bytes);
}
OMKIT_INLINE void StoreBytes(uint8_t* to, uint8x16_t v, int count) {
  if (count >= 16) return vst1q_u8(to, v);
  if (count & 8) {
    vst1_u8(to, vget_low_u8(v));
    v = vextq_u8(v, v, 8);
    to += 8;
  }
  if (count & 4) {
    const uint32_t four = vgetq_lane_u32(vreinterpretq_u32_u8(v), 0);
    __builtin_memcpy(to, &four, 4);
    v = vextq_u8(v, v, 4);
    to += 4;
  }
  for (int i = 0; i < (count & 3); ++i, v = vextq_u8(v, v, 1)) *to++ = vgetq_lane_u8(v, 0);
}

// RoundToQuantized of base/quant.h. Saturation to 16 bits and to [0, 255] stands for the clamp, the narrower clamp follows on bytes.
// Bytes behind the last quad may be anything.
template <int kQuads>
OMKIT_INLINE uint8x16_t RoundQuads(const float32x4_t (&v)[kQuads], const QuadRounding& to) {
  const auto words = [&](float32x4_t a, float32x4_t b) {
    return vqaddq_s16(vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(a)), vcvtnq_s32_f32(b)), to.zero_point);
  };
  const uint8x8_t low = vqmovun_s16(words(v[0], v[1]));
  uint8x16_t bytes = vcombine_u8(low, low);
  if constexpr (kQuads == 4) bytes = vqmovun_high_s16(low, words(v[2], v[3]));
  return vminq_u8(vmaxq_u8(bytes, to.clamp_min), to.clamp_max);
}

// The first `count` values, clamped; a NaN passes.
template <int kQuads>
OMKIT_INLINE void StoreQuads(uint8_t* to, const float32x4_t (&v)[kQuads], float lo, float hi, int count) {
  float values[4 * kQuads];
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) vst1q_f32(values + 4 * q, reinterpret_cast<float32x4_t>(ClampPiece(reinterpret_cast<PieceF32>(v[q]), lo, hi)));
  if (count >= 4 * kQuads) __builtin_memcpy(to, values, sizeof values);
  else __builtin_memcpy(to, values, static_cast<uint64_t>(count) * 4);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ARM_ROUND_H_
