// Depthwise convolution on 256-bit registers for the AVX2 and AVX-VNNI tiers: pairs of vertical taps of 16 channels are interleaved
// as 16-bit words once per input column, and each column feeds every output that needs it.
#include "backends/kernels/conv_u8/x86_ymm.h"

#include "backends/kernels/conv_u8/grid.h"
#include "backends/kernels/dwconv_u8/blocks.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

// One block of channels over one output row.
struct Strip {
  const uint8_t* in;
  uint8_t* out;
  const uint8_t* residual;
  const int16_t* weights;
  const int32_t* bias;
  const float* multiplier;
  int count;  // channels that exist, at most 16
  int kernel_h, kernel_w;
  bool to_float;
  int64_t pixels;
  int64_t column_step, row_step;             // bytes between neighbouring taps
  int64_t in_step, out_step, residual_step;  // bytes between neighbouring output pixels
  YmmFinish finish;
};

struct Slots {
  __m256i v[2];
};

OMKIT_INLINE void Bias(const Strip& s, Slots* acc) {
  acc->v[0] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(s.bias));
  acc->v[1] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(s.bias + 8));
}

template <bool kWhole>
OMKIT_INLINE __m256i LoadWords(const uint8_t* from, int count) {
  return _mm256_cvtepu8_epi16(kWhole ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)) : LoadBytes(from, count));
}

// Kernel rows 2 * pair and 2 * pair + 1 of the column at `from`; a row the kernel does not have is zero.
template <bool kWhole>
OMKIT_INLINE Slots LoadColumn(const Strip& s, const uint8_t* from, int pair, int kernel_h) {
  const __m256i a = LoadWords<kWhole>(from + 2 * pair * s.row_step, s.count);
  const __m256i b = 2 * pair + 1 < kernel_h ? LoadWords<kWhole>(from + (2 * pair + 1) * s.row_step, s.count) : _mm256_setzero_si256();
  return {{_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)}};
}

OMKIT_INLINE void MultiplyAdd(const Slots& x, const int16_t* w, Slots* acc) {
  acc->v[0] = MultiplyAddWords(acc->v[0], x.v[0], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  acc->v[1] = MultiplyAddWords(acc->v[1], x.v[1], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 16)));
}

OMKIT_INLINE void Finish(const Strip& s, const Slots& acc, const uint8_t* residual, uint8_t* out) {
  __m256 v[2];
  ScaleYmm(s.finish, acc.v[0], acc.v[1], s.multiplier, residual, s.count, v);
  if (s.to_float) return StoreYmmFloats(s.finish, v, out, s.count);
  const __m256i words = RoundYmm(s.finish, v);
  StoreYmm(s.finish, words, words, out, nullptr, s.count);
}

// Square kernels of a known size, dilation 1 in x, at least kDepth pixels; see x86_avx512vnni.cc for the order of steps.
template <int kKernel, int kStride, bool kWhole>
struct Fast {
  static constexpr int kPairs = (kKernel + 1) / 2;
  static constexpr int kDepth = (kKernel + kStride - 1) / kStride;

  template <int kPhase>
  static OMKIT_INLINE void Step(const Strip& s, int columns, const uint8_t* in, Slots (&acc)[kDepth]) {
    Bias(s, &acc[kPhase]);
#pragma GCC unroll 2
    for (int c = 0; c < kStride; ++c) {
      if (c >= columns) break;
#pragma GCC unroll 3
      for (int pair = 0; pair < kPairs; ++pair) {
        const Slots column = LoadColumn<kWhole>(s, in + c * s.column_step, pair, kKernel);
#pragma GCC unroll 5
        for (int d = 0; d < kDepth; ++d) {
          const int x = d * kStride + c;
          if (x < kKernel) MultiplyAdd(column, s.weights + (x * kPairs + pair) * 32, &acc[(kPhase - d + kDepth) % kDepth]);
        }
      }
    }
  }

  template <int kPhase>
  static OMKIT_INLINE void Begin(const Strip& s, const uint8_t* in, int64_t step, Slots (&acc)[kDepth]) {
    if constexpr (kPhase < kDepth - 1) {
      Step<kPhase>(s, kStride, in, acc);
      Begin<kPhase + 1>(s, in + step, step, acc);
    }
  }

  template <int kDone>
  static OMKIT_INLINE void Round(const Strip& s, const uint8_t* in, int64_t step, const uint8_t* residual, uint8_t* out, Slots (&acc)[kDepth]) {
    if constexpr (kDone < kDepth) {
      Step<(kDepth - 1 + kDone) % kDepth>(s, kStride, in, acc);
      Finish(s, acc[kDone], residual, out);
      Round<kDone + 1>(s, in + step, step, residual + s.residual_step, out + s.out_step, acc);
    }
  }

  static void Run(const Strip& strip) {
    const Strip s = strip;  // a local copy cannot be changed by the stores of bytes
    const int64_t step = kStride * s.column_step;
    const uint8_t *in = s.in, *residual = s.residual;
    uint8_t* out = s.out;
    Slots acc[kDepth];
#pragma GCC unroll 5
    for (int d = 0; d < kDepth; ++d) Bias(s, &acc[d]);
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
      Finish(s, acc[0], residual, out);
      in += step;
      residual += s.residual_step;
      out += s.out_step;
#pragma GCC unroll 5
      for (int d = 0; d + 1 < kDepth; ++d) acc[d] = acc[d + 1];
    }
  }
};

// Kernels of any size, stride and dilation, one output pixel at a time.
template <bool kWhole>
void RunGeneral(const Strip& s) {
  const int pairs = (s.kernel_h + 1) / 2;
  for (int64_t i = 0; i < s.pixels; ++i) {
    Slots acc;
    Bias(s, &acc);
    for (int x = 0; x < s.kernel_w; ++x) {
      for (int pair = 0; pair < pairs; ++pair) {
        MultiplyAdd(LoadColumn<kWhole>(s, s.in + i * s.in_step + x * s.column_step, pair, s.kernel_h), s.weights + (x * pairs + pair) * 32, &acc);
      }
    }
    Finish(s, acc, s.residual + i * s.residual_step, s.out + i * s.out_step);
  }
}

template <bool kWhole>
void RunStrip(const DwConvU8Params& p, const Strip& s) {
  const bool square = p.kernel_h == p.kernel_w && p.dilation_w == 1 && s.pixels >= 5;
  if (square && p.kernel_h == 3 && p.stride_w == 1) return Fast<3, 1, kWhole>::Run(s);
  if (square && p.kernel_h == 3 && p.stride_w == 2) return Fast<3, 2, kWhole>::Run(s);
  if (square && p.kernel_h == 5 && p.stride_w == 1) return Fast<5, 1, kWhole>::Run(s);
  if (square && p.kernel_h == 5 && p.stride_w == 2) return Fast<5, 2, kWhole>::Run(s);
  RunGeneral<kWhole>(s);
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void DwConvU8(const KernelArgs& args) {
  DwConvU8Params p;
  LoadParams(args, &p);
  const Grid grid = GridOf(p);
  const GridRow origin = OriginOf(p, args);
  const DwBlockConstants& constants = *static_cast<const DwBlockConstants*>(args.state);
  const int out_bytes = p.float_output ? 4 : 1;
  const int64_t blocks = (p.groups + kDwPairBlock - 1) / kDwPairBlock, pairs = (p.kernel_h + 1) / 2;
  const bool by_row = grid.rows() >= args.threads;
  const Part rows = by_row ? SplitWork(grid.rows(), 1, args.thread, args.threads) : Part{0, grid.rows()};
  const Part part = by_row ? Part{0, blocks} : SplitWork(blocks, 1, args.thread, args.threads);
  Strip s;
  s.kernel_h = p.kernel_h;
  s.kernel_w = p.kernel_w;
  s.to_float = p.float_output != 0;
  s.pixels = grid.dims[2];
  s.column_step = p.in.strides[2] * p.dilation_w;
  s.row_step = p.in.strides[1] * p.dilation_h;
  s.in_step = grid.in_step[2];
  s.out_step = grid.out_step[2] * out_bytes;
  s.residual_step = grid.residual_step[2];
  s.finish = MakeYmmFinish(p);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const GridRow row = RowOf(grid, r, out_bytes, origin);
    for (int64_t block = part.begin; block < part.end; ++block) {
      const int64_t channel = block * kDwPairBlock, left = p.groups - channel;
      s.in = row.in + channel;
      s.out = row.out + channel * out_bytes;
      s.residual = row.residual + channel;
      s.weights = reinterpret_cast<const int16_t*>(constants.weights) + block * p.kernel_w * pairs * 32;
      s.bias = constants.bias + channel;
      s.multiplier = constants.multiplier + channel;
      s.count = static_cast<int>(left < kDwPairBlock ? left : kDwPairBlock);
      if (s.count == kDwPairBlock) RunStrip<true>(p, s);
      else RunStrip<false>(p, s);
    }
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
