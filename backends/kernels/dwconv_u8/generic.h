// Depthwise convolution on sixteen lanes: all taps of sixteen channels of up to four pixels accumulate in registers; every product
// fits int16. Floor 4. Internal linkage only.
//
// Packed weights: int8 [tap][channels rounded up to 16], absent channels zero. Remainders: [array] of the same.
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_U8_GENERIC_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_U8_GENERIC_H_

#include "backends/kernels/conv_u8/epilogue.h"
#include "backends/kernels/conv_u8/grid.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "backends/kernels/lanes.h"

namespace omkit::kernels {
namespace {

// One row of pixels, channels [channel, channel + count).
template <int kPixels, bool kWhole>
OMKIT_INLINE void GenericDwTile(const DwConvU8Params& p, const KernelArgs& args, const GridRow& at, const Grid& grid, int64_t channel, int count,
                                const Rounding& rounding) {
  const int64_t padded = (p.groups + kLanes - 1) / kLanes * kLanes;
  LanesS32 acc[kPixels];
  const LanesS32 bias = LoadSome<LanesS32>(static_cast<const int32_t*>(args.operands[2]) + channel, kWhole ? kLanes : count);
  for (int r = 0; r < kPixels; ++r) acc[r] = bias;
  for (int array = 0; array <= p.remainders; ++array) {
    const int8_t* w = static_cast<const int8_t*>(args.operands[array == 0 ? 1 : ConvU8RemainderOperand(p)]) + channel;
    if (array > 1) w += (array - 1) * padded * p.kernel_h * p.kernel_w;
    for (int y = 0; y < p.kernel_h; ++y) {
      for (int x = 0; x < p.kernel_w; ++x, w += padded) {
        const uint8_t* tap = at.in + y * p.dilation_h * p.in.strides[1] + x * p.dilation_w * p.in.strides[2] + channel;
        const LanesS16 weight = ToWords(Load<LanesS8>(w));
#pragma GCC unroll 4
        for (int r = 0; r < kPixels; ++r) {
          const LanesU8 value = kWhole ? Load<LanesU8>(tap + r * grid.in_step[2]) : LoadSome<LanesU8>(tap + r * grid.in_step[2], count);
          acc[r] = acc[r] + Widen(ToWords(value) * weight);
        }
      }
    }
  }
  const LanesF32 multiplier = LoadSome<LanesF32>(static_cast<const float*>(args.operands[3]) + channel, kWhole ? kLanes : count);
  const int out_bytes = p.float_output ? 4 : 1;
  for (int r = 0; r < kPixels; ++r) {
    FinishLanes(acc[r], multiplier, p, rounding, at.residual + r * grid.residual_step[2] + channel,
                at.out + (r * grid.out_step[2] + channel) * out_bytes, kWhole ? kLanes : count);
  }
}

template <bool kWhole>
void GenericDwRow(const DwConvU8Params& p, const KernelArgs& args, const GridRow& row, const Grid& grid, int64_t channel, int count,
                  const Rounding& rounding) {
  const int out_bytes = p.float_output ? 4 : 1;
  for (int64_t x = 0; x < grid.dims[2];) {
    const GridRow at = {row.in + x * grid.in_step[2], row.out + x * grid.out_step[2] * out_bytes, row.residual + x * grid.residual_step[2]};
    if (grid.dims[2] - x >= 4) {
      GenericDwTile<4, kWhole>(p, args, at, grid, channel, count, rounding);
      x += 4;
    } else {
      GenericDwTile<1, kWhole>(p, args, at, grid, channel, count, rounding);
      x += 1;
    }
  }
}

[[maybe_unused]] static void GenericDwConvU8(const DwConvU8Params& p, const KernelArgs& args) {
  const Grid grid = MakeGrid(p);
  const GridRow origin = OriginOf(p, args);
  const Rounding rounding = MakeRounding(p.out_zero, p.clamp_min, p.clamp_max);
  const int64_t blocks = (p.groups + kLanes - 1) / kLanes;
  const bool by_row = grid.rows() >= args.threads;
  const Part rows = by_row ? SplitWork(grid.rows(), 1, args.thread, args.threads) : Part{0, grid.rows()};
  const Part part = by_row ? Part{0, blocks} : SplitWork(blocks, 1, args.thread, args.threads);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const GridRow row = RowOf(grid, r, p.float_output ? 4 : 1, origin);
    for (int64_t b = part.begin; b < part.end; ++b) {
      const int64_t channel = b * kLanes;
      if (p.groups - channel >= kLanes) GenericDwRow<true>(p, args, row, grid, channel, kLanes, rounding);
      else GenericDwRow<false>(p, args, row, grid, channel, static_cast<int>(p.groups - channel), rounding);
    }
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_U8_GENERIC_H_
