// Convolution on arm64 registers for the neon, dotprod and i8mm tiers: a few pixels by 16 (8 in a narrow last block) output channels
// accumulate over all taps in registers (arm_dot.h).
#include "backends/kernels/arm_dot.h"
#include "backends/kernels/conv_u8/arm_finish.h"
#include "backends/kernels/conv_u8/generic.h"
#include "backends/kernels/conv_u8/tiles.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

#if defined(__ARM_FEATURE_MATMUL_INT8)
constexpr BlockLayout kLayout = kMatrixLayout;
#else
constexpr BlockLayout kLayout = kDotLayout;
#endif
static_assert(kLayout.step_channels == kDotStep && (kLayout.term_bytes != 0) == kDotTerms);

template <int kRow, int kRows, int kQuads>
OMKIT_INLINE void FinishPixels(const Block& b, const QuadFinish& f, const DotSums<kRows, kQuads>& sums, const float32x4_t (&multiplier)[kQuads],
                               const Pixels& pixels, int at, int count) {
  if (kRow != 0 && kRow >= count) return;
  int32x4_t acc[kQuads];
  DotRow<kRow>(sums, acc);
  FinishQuads<kQuads>(f, acc, multiplier, pixels.residual[at + kRow] + b.oc, pixels.out[at + kRow] + b.oc * (f.to_float ? 4 : 1), b.count);
  if constexpr (kRow + 1 < kRows) FinishPixels<kRow + 1>(b, f, sums, multiplier, pixels, at, count);
}

template <int kQuads>
OMKIT_INLINE void LoadMultiplier(const Block& b, float32x4_t (&multiplier)[kQuads]) {
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) multiplier[q] = vld1q_f32(b.multiplier + 4 * q);
}

// Out of line, so that its needs do not take registers from the loop over the taps.
template <int kRows, int kQuads>
__attribute__((noinline)) void FinishTile(const Block& block, const QuadFinish& finish, const DotSums<kRows, kQuads>& sums, const Pixels& pixels,
                                          int at, int count) {
  const Block b = block;  // local copies cannot be changed by the stores of bytes
  const QuadFinish f = finish;
  float32x4_t multiplier[kQuads];
  LoadMultiplier<kQuads>(b, multiplier);
  FinishPixels<0>(b, f, sums, multiplier, pixels, at, count);
}

template <int kRow, int kRows, int kQuads>
OMKIT_INLINE void FinishPlainPixels(int64_t oc, const QuadRounding& rounding, const DotSums<kRows, kQuads>& sums,
                                    const float32x4_t (&multiplier)[kQuads], uint8_t* const* out, int count) {
  if (kRow != 0 && kRow >= count) return;
  int32x4_t acc[kQuads];
  DotRow<kRow>(sums, acc);
  FinishPlain<kQuads>(rounding, acc, multiplier, out[kRow] + oc);
  if constexpr (kRow + 1 < kRows) FinishPlainPixels<kRow + 1>(oc, rounding, sums, multiplier, out, count);
}

// Pixels [at, at + count) of the list; count <= kRows, and a smaller one computes its last pixel several times.
template <int kRows, int kQuads>
__attribute__((noinline)) void Tile(const Block& b, const QuadFinish& f, const Pixels& pixels, int at, int count) {
  const uint8_t* p[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) p[r] = pixels.in[at + (r < count ? r : count - 1)] + b.in_offset;
  DotSums<kRows, kQuads> sums;
  DotStart<kRows, kQuads>(b.bias, &sums);
  const int8_t* w = b.weights;
  for (int64_t i = 0; i < b.runs; ++i) {
    for (int64_t j = 0; j < b.inner_runs; ++j) {
      const int64_t begin = i * b.run_step + j * b.inner_run_step;
      w = DotAdd<kRows, kQuads>(p, begin, begin + b.run_bytes, w, &sums);
    }
  }
  for (int i = 0; i < b.remainder_count; ++i) {
    const RemainderStep& step = b.remainders[i];
    DotAdd<kRows, kQuads>(p, step.begin, step.end, step.weights, &sums);
  }
  if (!f.plain() || b.count != 4 * kQuads) {
    const DotSums<kRows, kQuads> copy = sums;
    return FinishTile<kRows, kQuads>(b, f, copy, pixels, at, count);
  }
  const QuadRounding rounding = f.rounding;  // a local copy cannot be changed by the stores of bytes
  float32x4_t multiplier[kQuads];
  LoadMultiplier<kQuads>(b, multiplier);
  FinishPlainPixels<0>(b.oc, rounding, sums, multiplier, pixels.out + at, count);
}

template <int kRows, int kQuads>
void RunBlock(const Block& b, const QuadFinish& f, const Pixels& pixels, int count) {
  int i = 0;
  for (; i + kRows <= count; i += kRows) Tile<kRows, kQuads>(b, f, pixels, i, kRows);
  if (i == count) return;
  if (count - i <= kDotRowsLeast) Tile<kDotRowsLeast, kQuads>(b, f, pixels, i, count - i);
  else if (count - i <= 2) Tile<2, kQuads>(b, f, pixels, i, count - i);
  else if (count - i <= 4) Tile<4, kQuads>(b, f, pixels, i, count - i);
  else Tile<kRows, kQuads>(b, f, pixels, i, count - i);
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ConvU8(const KernelArgs& args) {
  ConvU8Params p;
  LoadParams(args, &p);
  if (!UsesBlocks(p.in.dims[3] / p.groups, p.groups)) return GenericConvU8(p, args);
  const QuadFinish f = MakeQuadFinish(p);
  ForBlocks(p, args, kLayout, kDotRows, [&](const Block& b, const Pixels& pixels, int count) {
    if (b.width == kLayout.slots) RunBlock<kDotRows, 4>(b, f, pixels, count);
    else RunBlock<kDotRowsHalf, 2>(b, f, pixels, count);
  });
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
