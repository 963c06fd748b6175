// The walk of the depthwise kernels that interleave a few vertical taps of 16 channels into slots (blocks.h): each input column is
// interleaved once and feeds every output of its row that needs it. Floor 4. Internal linkage only.
//
// `Ops` says how on one kind of registers:
//   Sums, Column, Finish        sums of 16 channels; one group of kernel rows of one input column; constants of the epilogue
//   kGroupRows                  vertical taps of a slot; the weights of a group are kDwGroupBytes
//   MakeFinish(params)
//   Bias(strip, &sums)
//   Load<kWhole>(strip, from, group, kernel_h)    kernel rows behind kernel_h count as zero; kWhole: all 16 channels exist
//   MultiplyAdd(column, weights, rows, &sums)     `rows` of the group's rows exist
//   Store<kWhole>(strip, sums, residual, out)
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_U8_STRIP_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_U8_STRIP_H_

#include "backends/kernels/conv_u8/grid.h"
#include "backends/kernels/dwconv_u8/blocks.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// One block of channels over one output row.
template <typename Ops>
struct Strip {
  const uint8_t* in;
  uint8_t* out;
  const uint8_t* residual;
  const int8_t* weights;
  const int32_t* bias;
  const float* multiplier;
  int remainders;       // arrays of remainders behind the weights
  int64_t array_bytes;  // from one to the next
  int count;            // channels that exist, at most 16
  int kernel_h, kernel_w;
  bool to_float;
  int64_t pixels;
  int64_t column_step, row_step;             // bytes between neighbouring taps
  int64_t in_step, out_step, residual_step;  // bytes between neighbouring output pixels
  typename Ops::Finish finish;
};

// Square kernels of a known size, dilation 1 in x, at least kDepth pixels; see x86_avx512vnni.cc for the order of steps.
template <typename Ops, int kKernel, int kStride, bool kWhole>
struct Fast {
  using Sums = typename Ops::Sums;
  static constexpr int kGroups = (kKernel + Ops::kGroupRows - 1) / Ops::kGroupRows;
  static constexpr int kDepth = (kKernel + kStride - 1) / kStride;

  template <int kPhase>
  static OMKIT_INLINE void Step(const Strip<Ops>& s, int columns, const uint8_t* in, Sums (&acc)[kDepth]) {
    Ops::Bias(s, &acc[kPhase]);
#pragma GCC unroll 2
    for (int c = 0; c < kStride; ++c) {
      if (c >= columns) break;
#pragma GCC unroll 3
      for (int group = 0; group < kGroups; ++group) {
        const auto column = Ops::template Load<kWhole>(s, in + c * s.column_step, group, kKernel);
#pragma GCC unroll 5
        for (int d = 0; d < kDepth; ++d) {
          const int x = d * kStride + c;
          if (x >= kKernel) continue;
          Ops::MultiplyAdd(column, s.weights + (x * kGroups + group) * kDwGroupBytes, kKernel - group * Ops::kGroupRows,
                           &acc[(kPhase - d + kDepth) % kDepth]);
        }
      }
    }
  }

  template <int kPhase>
  static OMKIT_INLINE void Begin(const Strip<Ops>& s, const uint8_t* in, int64_t step, Sums (&acc)[kDepth]) {
    if constexpr (kPhase < kDepth - 1) {
      Step<kPhase>(s, kStride, in, acc);
      Begin<kPhase + 1>(s, in + step, step, acc);
    }
  }

  template <int kDone>
  static OMKIT_INLINE void Round(const Strip<Ops>& s, const uint8_t* in, int64_t step, const uint8_t* residual, uint8_t* out, Sums (&acc)[kDepth]) {
    if constexpr (kDone < kDepth) {
      Step<(kDepth - 1 + kDone) % kDepth>(s, kStride, in, acc);
      Ops::template Store<kWhole>(s, acc[kDone], residual, out);
      Round<kDone + 1>(s, in + step, step, residual + s.residual_step, out + s.out_step, acc);
    }
  }

  static void Run(const Strip<Ops>& strip) {
    const Strip<Ops> s = strip;  // a local copy cannot be changed by the stores of bytes
    const int64_t step = kStride * s.column_step;
    const uint8_t *in = s.in, *residual = s.residual;
    uint8_t* out = s.out;
    Sums acc[kDepth];
#pragma GCC unroll 5
    for (int d = 0; d < kDepth; ++d) Ops::Bias(s, &acc[d]);
    Begin<0>(s, in, step, acc);
    in += (kDepth - 1) * step;
    int64_t t = kDepth - 1;
    for (; t + kDepth <= s.pixels; t += kDepth) {
      Round<0>(s, in, step, residual, out, acc);
      in += kDepth * step;
      residual += kDepth * s.residual_step;
      out += kDepth * s.out_step;
    }
    for (; t < s.pixels + kDepth - 1; ++t) {
      const int64_t left = (s.pixels - 1) * kStride + kKernel - t * kStride;
      Step<kDepth - 1>(s, left < kStride ? static_cast<int>(left) : kStride, in, acc);
      Ops::template Store<kWhole>(s, acc[0], residual, out);
      in += step;
      residual += s.residual_step;
      out += s.out_step;
#pragma GCC unroll 5
      for (int d = 0; d + 1 < kDepth; ++d) acc[d] = acc[d + 1];
    }
  }
};

// Kernels of any size, stride and dilation, one output pixel at a time.
template <typename Ops, bool kWhole>
void RunGeneral(const Strip<Ops>& s) {
  const int groups = (s.kernel_h + Ops::kGroupRows - 1) / Ops::kGroupRows;
  for (int64_t i = 0; i < s.pixels; ++i) {
    typename Ops::Sums acc;
    Ops::Bias(s, &acc);
    for (int x = 0; x < s.kernel_w; ++x) {
      for (int group = 0; group < groups; ++group) {
        const auto column = Ops::template Load<kWhole>(s, s.in + i * s.in_step + x * s.column_step, group, s.kernel_h);
        const int8_t* weights = s.weights + (x * groups + group) * kDwGroupBytes;
        for (int array = 0; array <= s.remainders; ++array, weights += s.array_bytes) {
          Ops::MultiplyAdd(column, weights, s.kernel_h - group * Ops::kGroupRows, &acc);
        }
      }
    }
    Ops::template Store<kWhole>(s, acc, s.residual + i * s.residual_step, s.out + i * s.out_step);
  }
}

template <typename Ops, bool kWhole>
void RunStrip(const DwConvU8Params& p, const Strip<Ops>& s) {
  const bool square = p.kernel_h == p.kernel_w && p.dilation_w == 1 && s.pixels >= 5 && s.remainders == 0;
  if (square && p.kernel_h == 3 && p.stride_w == 1) return Fast<Ops, 3, 1, kWhole>::Run(s);
  if (square && p.kernel_h == 3 && p.stride_w == 2) return Fast<Ops, 3, 2, kWhole>::Run(s);
  if (square && p.kernel_h == 5 && p.stride_w == 1) return Fast<Ops, 5, 1, kWhole>::Run(s);
  if (square && p.kernel_h == 5 && p.stride_w == 2) return Fast<Ops, 5, 2, kWhole>::Run(s);
  RunGeneral<Ops, kWhole>(s);
}

template <typename Ops>
void RunStrips(const KernelArgs& args) {
  DwConvU8Params p;
  LoadParams(args, &p);
  const Grid grid = GridOf(p);
  const GridRow origin = OriginOf(p, args);
  const DwBlockConstants& constants = *static_cast<const DwBlockConstants*>(args.state);
  const int out_bytes = p.float_output ? 4 : 1;
  const int64_t blocks = (p.groups + kDwNarrowBlock - 1) / kDwNarrowBlock, groups = (p.kernel_h + Ops::kGroupRows - 1) / Ops::kGroupRows;
  const bool by_row = grid.rows() >= args.threads;
  const Part rows = by_row ? SplitWork(grid.rows(), 1, args.thread, args.threads) : Part{0, grid.rows()};
  const Part part = by_row ? Part{0, blocks} : SplitWork(blocks, 1, args.thread, args.threads);
  Strip<Ops> s;
  s.kernel_h = p.kernel_h;
  s.kernel_w = p.kernel_w;
  s.to_float = p.float_output != 0;
  s.pixels = grid.dims[2];
  s.column_step = p.in.strides[2] * p.dilation_w;
  s.row_step = p.in.strides[1] * p.dilation_h;
  s.in_step = grid.in_step[2];
  s.out_step = grid.out_step[2] * out_bytes;
  s.residual_step = grid.residual_step[2];
  s.finish = Ops::MakeFinish(p);
  s.array_bytes = constants.array_bytes;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const GridRow row = RowOf(grid, r, out_bytes, origin);
    for (int64_t block = part.begin; block < part.end; ++block) {
      const int64_t channel = block * kDwNarrowBlock, left = p.groups - channel;
      s.in = row.in + channel;
      s.out = row.out + channel * out_bytes;
      s.residual = row.residual + channel;
      s.weights = reinterpret_cast<const int8_t*>(constants.weights) + block * p.kernel_w * groups * kDwGroupBytes;
      s.bias = constants.bias + channel;
      s.multiplier = constants.multiplier + channel;
      s.remainders = constants.remainders > 0 && constants.beyond[block] != 0 ? constants.remainders : 0;
      s.count = static_cast<int>(left < kDwNarrowBlock ? left : kDwNarrowBlock);
      if (s.count == kDwNarrowBlock) RunStrip<Ops, true>(p, s);
      else RunStrip<Ops, false>(p, s);
    }
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_U8_STRIP_H_
