// Convolution on sixteen lanes: four pixels by sixteen output channels, one input channel per step. Every u8 * s8 product fits
// int16, so the multiply is 16 bits wide and only the sum 32. Floor 4. Internal linkage only.
//
// Packed weights: int8 [group][block of 16 output channels][tap][input channel][16], absent output channels zero. A step is an input channel.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_GENERIC_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_GENERIC_H_

#include "backends/kernels/conv_u8/blocks.h"
#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/conv_u8/epilogue.h"
#include "backends/kernels/conv_u8/grid.h"
#include "backends/kernels/lanes.h"

namespace omkit::kernels {
namespace {

struct GenericBlock {
  const int8_t* weights;
  const int32_t* bias;
  const float* multiplier;
  int64_t channels;  // input channels of the group
  int64_t row_step;  // bytes from tap (y, x) to (y + 1, x)
  int64_t tap_step;  // bytes from tap (y, x) to (y, x + 1)
  int count;         // output channels, at most 16
  int remainder_count;
  const RemainderStep* remainders;
};

template <int kPixels>
void GenericTile(const ConvU8Params& p, const GenericBlock& b, const uint8_t* in, int64_t in_step, const uint8_t* residual, int64_t residual_step,
                 uint8_t* out, int64_t out_step, const Rounding& rounding) {
  LanesS32 acc[kPixels];
  const LanesS32 bias = LoadSome<LanesS32>(b.bias, b.count);
  for (int r = 0; r < kPixels; ++r) acc[r] = bias;
  const int8_t* w = b.weights;
  for (int y = 0; y < p.kernel_h; ++y) {
    for (int x = 0; x < p.kernel_w; ++x) {
      const uint8_t* tap = in + y * b.row_step + x * b.tap_step;
      for (int64_t c = 0; c < b.channels; ++c, w += kLanes) {
        const LanesS16 wide = ToWords(Load<LanesS8>(w));
#pragma GCC unroll 4
        for (int r = 0; r < kPixels; ++r) acc[r] = acc[r] + Widen(wide * Splat(static_cast<int16_t>(tap[r * in_step + c])));
      }
    }
  }
  for (int i = 0; i < b.remainder_count; ++i) {
    const LanesS16 wide = ToWords(Load<LanesS8>(b.remainders[i].weights));
    for (int r = 0; r < kPixels; ++r) acc[r] = acc[r] + Widen(wide * Splat(static_cast<int16_t>(in[b.remainders[i].begin + r * in_step])));
  }
  const LanesF32 multiplier = LoadSome<LanesF32>(b.multiplier, b.count);
  for (int r = 0; r < kPixels; ++r) FinishLanes(acc[r], multiplier, p, rounding, residual + r * residual_step, out + r * out_step, b.count);
}

[[maybe_unused]] static void GenericConvU8(const ConvU8Params& p, const KernelArgs& args) {
  const Grid grid = MakeGrid(p);
  const GridRow origin = OriginOf(p, args);
  const int out_bytes = p.float_output ? 4 : 1;
  const Rounding rounding = MakeRounding(p.out_zero, p.clamp_min, p.clamp_max);
  const int64_t in_channels = p.in.dims[3] / p.groups, out_channels = p.out.dims[3] / p.groups;
  const int64_t blocks = (out_channels + kLanes - 1) / kLanes;
  const int64_t block_bytes = in_channels * p.kernel_h * p.kernel_w * kLanes;
  const int64_t rows = grid.rows(), pixels = grid.dims[2];
  // Long rows are split by pixels, many rows by rows, few pixels by blocks of output channels.
  const bool by_row = rows >= args.threads, by_pixel = !by_row && pixels >= 4 * args.threads;
  const Part row_part = by_row ? SplitWork(rows, 1, args.thread, args.threads) : Part{0, rows};
  const Part pixel_part = by_pixel ? SplitWork(pixels, 4, args.thread, args.threads) : Part{0, pixels};
  const Part block_part = by_row || by_pixel ? Part{0, p.groups * blocks} : SplitWork(p.groups * blocks, 1, args.thread, args.threads);
  const BlockConstants constants = p.remainders > 0 ? *static_cast<const BlockConstants*>(args.state) : BlockConstants{};
  const int32_t* first_remainder = constants.first_remainder;
  const int64_t in_step = grid.in_step[2], out_step = grid.out_step[2] * out_bytes, residual_step = grid.residual_step[2];
  for (int64_t i = block_part.begin; i < block_part.end; ++i) {
    const int64_t group = i / blocks, first = i % blocks * kLanes, oc = group * out_channels + first;
    const int count = static_cast<int>(out_channels - first < kLanes ? out_channels - first : kLanes);
    const GenericBlock b = {static_cast<const int8_t*>(args.operands[1]) + i * block_bytes,
                            static_cast<const int32_t*>(args.operands[2]) + oc,
                            static_cast<const float*>(args.operands[3]) + oc,
                            in_channels,
                            p.in.strides[1] * p.dilation_h,
                            p.in.strides[2] * p.dilation_w,
                            count,
                            first_remainder ? first_remainder[i + 1] - first_remainder[i] : 0,
                            first_remainder ? constants.remainders + first_remainder[i] : nullptr};
    for (int64_t r = row_part.begin; r < row_part.end; ++r) {
      const GridRow row = RowOf(grid, r, out_bytes, origin);
      const uint8_t* in = row.in + group * in_channels;
      for (int64_t x = pixel_part.begin; x < pixel_part.end;) {
        const uint8_t* residual = row.residual + x * residual_step + oc;
        uint8_t* out = row.out + x * out_step + oc * out_bytes;
        if (pixel_part.end - x >= 4) {
          GenericTile<4>(p, b, in + x * in_step, in_step, residual, residual_step, out, out_step, rounding);
          x += 4;
        } else {
          GenericTile<1>(p, b, in + x * in_step, in_step, residual, residual_step, out, out_step, rounding);
          x += 1;
        }
      }
    }
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_GENERIC_H_
