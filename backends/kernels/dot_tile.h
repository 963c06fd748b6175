// The inner product of float convolutions and matrix products: a few pixels times 16 or 32 output channels, kept in registers
// over all taps. Weights are floats, or int8 that are widened on the way into the registers. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_DOT_TILE_H_
#define OMKIT_BACKENDS_KERNELS_DOT_TILE_H_

#include <cstdint>

#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// Largest tile whose accumulators, weights and one broadcast stay in registers.
#if defined(__AVX512F__)
constexpr int kTilePixels = 14, kTilePanels = 2;
#elif defined(__AVX2__)
constexpr int kTilePixels = 6, kTilePanels = 1;
#elif defined(__aarch64__)
constexpr int kTilePixels = 5, kTilePanels = 1;
#else
constexpr int kTilePixels = 2, kTilePanels = 1;
#endif

// Sixteen weights as floats.
OMKIT_INLINE F32 LoadWeights(const float* from) { return Load(from); }
OMKIT_INLINE F32 LoadWeights(const int8_t* from) {
#if defined(__AVX512F__)
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))))};
#elif defined(__AVX2__)
  return {{_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)))),
           _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + 8))))}};
#elif defined(__aarch64__)
  const int8x16_t bytes = vld1q_s8(from);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return {{(Quad)vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), (Quad)vcvtq_f32_s32(vmovl_high_s16(low)),
           (Quad)vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), (Quad)vcvtq_f32_s32(vmovl_high_s16(high))}};
#else
  float lanes[kWidth];
  for (int i = 0; i < kWidth; ++i) lanes[i] = from[i];
  return Load(lanes);
#endif
}

// Strides and steps in elements. Weights, float or int8_t, are panels [taps_y][taps_x][depth][16].
template <typename Weight>
struct DotArgs {
  const float* in;
  int64_t pixel_stride;
  int64_t taps_y, step_y, taps_x, step_x, depth;
  const Weight* weights;
  int64_t panel_stride;
  const float* scales;    // int8_t weights only: of each lane, multiplied with the sum of products before the bias is added
  const float* bias;      // of the first lane; nullptr: zeros
  const float* residual;  // nullptr: none
  int64_t residual_stride;
  float* out;
  int64_t out_stride;
  int lanes;  // valid output channels, at most 16 per panel
  float scale, act_min, act_max;
};

#if defined(__aarch64__)

// Step kStep of the four that `x` holds.
template <int kStep, typename Weight, int kPixels>
OMKIT_INLINE void AddStep(const float32x4_t (&x)[kPixels], const Weight* w, F32 (&acc)[kPixels][1]) {
  asm volatile("" ::: "memory");  // the scheduler would load many steps' weights early and run out of registers
  const F32 weight = LoadWeights(w + kWidth * kStep);
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) acc[i][0].v[q] = (Quad)vfmaq_laneq_f32((float32x4_t)acc[i][0].v[q], (float32x4_t)weight.v[q], x[i], kStep);
  }
}

// Adds all taps to the accumulators: four channels of each pixel are one register, whose lanes are multiplied one after the other.
template <typename Weight, int kPixels>
OMKIT_INLINE void AddTaps(const DotArgs<Weight>& d, F32 (&sums)[kPixels][1]) {
  F32 acc[kPixels][1];
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) acc[i][0] = sums[i][0];
  const Weight* w = d.weights;
  for (int64_t y = 0; y < d.taps_y; ++y) {
    for (int64_t x = 0; x < d.taps_x; ++x) {
      const float* p[kPixels];
#pragma GCC unroll 8
      for (int i = 0; i < kPixels; ++i) p[i] = d.in + y * d.step_y + x * d.step_x + i * d.pixel_stride;
      int64_t k = 0;
      for (; k + 4 <= d.depth; k += 4, w += 4 * kWidth) {
        float32x4_t four[kPixels];
#pragma GCC unroll 8
        for (int i = 0; i < kPixels; ++i) four[i] = vld1q_f32(p[i] + k);
        AddStep<0>(four, w, acc);
        AddStep<1>(four, w, acc);
        AddStep<2>(four, w, acc);
        AddStep<3>(four, w, acc);
      }
      for (; k < d.depth; ++k, w += kWidth) {
        float32x4_t one[kPixels];
#pragma GCC unroll 8
        for (int i = 0; i < kPixels; ++i) one[i] = vld1q_dup_f32(p[i] + k);
        AddStep<0>(one, w, acc);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) sums[i][0] = acc[i][0];
}

#else

template <typename Weight, int kPixels, int kPanels>
OMKIT_INLINE void AddTaps(const DotArgs<Weight>& d, F32 (&acc)[kPixels][kPanels]) {
  constexpr int kBases = (kPixels + 2) / 3;
  const Weight* w = d.weights;
  const int64_t panel = d.panel_stride, s = d.pixel_stride;
  for (int64_t y = 0; y < d.taps_y; ++y) {
    for (int64_t x = 0; x < d.taps_x; ++x) {
      // Three pixels share a base register: addresses are base + {k, k + s, k + 2s}.
      const float* base[kBases];
      for (int b = 0; b < kBases; ++b) base[b] = d.in + y * d.step_y + x * d.step_x + 3 * b * s;
      int64_t at[3] = {0, s, 2 * s};
      for (int64_t k = 0; k < d.depth; ++k) {
        F32 weight[kPanels];
        for (int j = 0; j < kPanels; ++j) {
          weight[j] = LoadWeights(w + j * panel);
          // The next panels come from memory while these are used. Addresses behind the end of the file are no fault for a prefetch.
          __builtin_prefetch(w + (kPanels + j) * panel, 0, 2);
        }
#pragma GCC unroll 16
        for (int i = 0; i < kPixels; ++i) {
          const F32 value = Set(base[i / 3][at[i % 3]]);
          for (int j = 0; j < kPanels; ++j) acc[i][j] = Fma(value, weight[j], acc[i][j]);
        }
        ++at[0];
        ++at[1];
        ++at[2];
        w += kWidth;
      }
    }
  }
}

#endif

// Float weights: bias + x0 * w0 + x1 * w1 + ..., each one fused multiply-add. int8 weights: (x0 * w0 + x1 * w1 + ...) * scale + bias, the last
// step fused too.
template <typename Weight, int kPixels, int kPanels>
__attribute__((noinline)) void DotTile(const DotArgs<Weight>& d) {
  constexpr bool kScaled = sizeof(Weight) == 1;
  F32 acc[kPixels][kPanels];
  for (int j = 0; j < kPanels; ++j) {
    const int lanes = d.lanes - kWidth * j < kWidth ? d.lanes - kWidth * j : kWidth;
    const F32 first = d.bias && !kScaled ? LoadSome(d.bias + kWidth * j, lanes) : Set(0.0f);
    for (int i = 0; i < kPixels; ++i) acc[i][j] = first;
  }
  AddTaps(d, acc);
  const F32 lo = Set(d.act_min), hi = Set(d.act_max), scale = Set(d.scale);
  for (int i = 0; i < kPixels; ++i) {
    for (int j = 0; j < kPanels; ++j) {
      const int lanes = d.lanes - kWidth * j < kWidth ? d.lanes - kWidth * j : kWidth;
      F32 v = acc[i][j];
      if constexpr (kScaled) v = Fma(v, LoadSome(d.scales + kWidth * j, lanes), LoadSome(d.bias + kWidth * j, lanes));
      if (d.scale != 1.0f) v = v * scale;
      if (d.residual) v = v + LoadSome(d.residual + i * d.residual_stride + kWidth * j, lanes);
      StoreSome(d.out + i * d.out_stride + kWidth * j, ClampTo(v, lo, hi), lanes);
    }
  }
}

template <int kPixels, typename Weight>
OMKIT_INLINE void DotTilePixels(const DotArgs<Weight>& d, int panels) {
  if constexpr (kTilePanels == 2) {
    if (panels == 2) return DotTile<Weight, kPixels, 2>(d);
  }
  DotTile<Weight, kPixels, 1>(d);
}

// `pixels` in 1 .. kTilePixels, `panels` in 1 .. kTilePanels.
template <typename Weight>
void RunDotTile(const DotArgs<Weight>& d, int pixels, int panels) {
  switch (pixels) {
    case 1: return DotTilePixels<1>(d, panels);
    case 2: return DotTilePixels<2>(d, panels);
#define OMKIT_CASE(n) \
  case n:             \
    if constexpr (n <= kTilePixels) return DotTilePixels<n>(d, panels);
      OMKIT_CASE(3)
      OMKIT_CASE(4)
      OMKIT_CASE(5) OMKIT_CASE(6) OMKIT_CASE(7) OMKIT_CASE(8) OMKIT_CASE(9) OMKIT_CASE(10) OMKIT_CASE(11) OMKIT_CASE(12) OMKIT_CASE(13) OMKIT_CASE(14)
#undef OMKIT_CASE
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DOT_TILE_H_
