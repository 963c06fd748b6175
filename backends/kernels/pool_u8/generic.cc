// Pooling in blocks of 64 channels: the window's taps are reduced in registers, then written once.
#include "backends/kernels/lanes.h"
#include "backends/kernels/pool_u8/pool_u8.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

constexpr int kBlock = 4 * kLanes;

// Taps of one axis whose index lies inside [low, high): tap t reads index start + t * dilation.
struct Taps {
  int64_t begin, end;
};
OMKIT_INLINE Taps Clip(int64_t start, int64_t dilation, int64_t taps, int64_t low, int64_t high) {
  int64_t begin = start >= low ? 0 : low - start, end = start >= high ? 0 : high - start;
  if (dilation != 1) {
    begin = (begin + dilation - 1) / dilation;
    end = (end + dilation - 1) / dilation;
  }
  return {begin, end < taps ? end : taps};
}
OMKIT_INLINE int64_t Count(const Taps& t) { return t.end > t.begin ? t.end - t.begin : 0; }

// One output pixel: the address of its first tap inside the image and how many taps there are.
struct Window {
  const uint8_t* first;
  int64_t rows, columns;
  int64_t row_step, column_step;
  float multiplier;  // average only
  int32_t zero_sum;  // in_zero times the taps inside the image
};

OMKIT_INLINE Window MakeWindow(const PoolU8Params& p, const uint8_t* in, int64_t n, int64_t oy, int64_t ox) {
  const int64_t y = oy * p.stride_h - p.pad_top, x = ox * p.stride_w - p.pad_left;
  const Taps rows = Clip(y, p.dilation_h, p.kernel_h, 0, p.in.dims[1]), columns = Clip(x, p.dilation_w, p.kernel_w, 0, p.in.dims[2]);
  Window w = {};
  w.rows = Count(rows);
  w.columns = Count(columns);
  w.row_step = p.dilation_h * p.in.strides[1];
  w.column_step = p.dilation_w * p.in.strides[2];
  w.first = in;
  if (w.rows > 0 && w.columns > 0) {
    w.first += n * p.in.strides[0] + (y + rows.begin * p.dilation_h) * p.in.strides[1] + (x + columns.begin * p.dilation_w) * p.in.strides[2];
  }
  if (!p.average) return w;
  int64_t count = w.rows * w.columns;
  w.zero_sum = static_cast<int32_t>(count) * p.in_zero;
  if (p.count_include_pad) {
    count = Count(Clip(y, p.dilation_h, p.kernel_h, -static_cast<int64_t>(p.pad_top), p.in.dims[1] + p.pad_bottom)) *
            Count(Clip(x, p.dilation_w, p.kernel_w, -static_cast<int64_t>(p.pad_left), p.in.dims[2] + p.pad_right));
  }
  w.multiplier =
      count > 0 ? static_cast<float>(static_cast<double>(p.in_scale) / (static_cast<double>(p.out_scale) * static_cast<double>(count))) : 0;
  return w;
}

template <int kVectors>
OMKIT_INLINE void MaxBlock(const Window& w, int64_t channel, uint8_t* out, int count) {
  LanesU8 best[kVectors] = {};
  for (int64_t y = 0; y < w.rows; ++y) {
    for (int64_t x = 0; x < w.columns; ++x) {
      const uint8_t* at = w.first + y * w.row_step + x * w.column_step + channel;
      for (int v = 0; v < kVectors; ++v) {
        const LanesU8 value = kVectors == 1 ? LoadSome<LanesU8>(at, count) : Load<LanesU8>(at + v * kLanes);
        best[v] = Max(value, best[v]);
      }
    }
  }
  for (int v = 0; v < kVectors; ++v) StoreSome(out + channel + v * kLanes, best[v], kVectors == 1 ? count : kLanes);
}

template <int kVectors>
OMKIT_INLINE void AverageBlock(const Window& w, int64_t channel, uint8_t* out, int count, const Rounding& rounding) {
  LanesS32 sum[kVectors] = {};
  for (int64_t y = 0; y < w.rows; ++y) {
    for (int64_t x = 0; x < w.columns; ++x) {
      const uint8_t* at = w.first + y * w.row_step + x * w.column_step + channel;
      for (int v = 0; v < kVectors; ++v) sum[v] = sum[v] + Widen(kVectors == 1 ? LoadSome<LanesU8>(at, count) : Load<LanesU8>(at + v * kLanes));
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    const LanesU8 q = Round(ToFloat(sum[v] - Splat(w.zero_sum)) * Splat(w.multiplier), rounding);
    StoreSome(out + channel + v * kLanes, q, kVectors == 1 ? count : kLanes);
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void PoolU8(const KernelArgs& args) {
  PoolU8Params p;
  LoadParams(args, &p);
  const uint8_t* in = static_cast<const uint8_t*>(args.operands[0]) + p.in.offset;
  uint8_t* out = static_cast<uint8_t*>(args.operands[1]) + p.out.offset;
  const Rounding rounding = MakeRounding(p.out_zero, 0, 255);
  const int64_t oh = p.out.dims[1], ow = p.out.dims[2], channels = p.out.dims[3];
  const int64_t pixels = p.out.dims[0] * oh * ow;
  const bool by_pixel = pixels >= args.threads;
  const Part part = by_pixel ? SplitWork(pixels, 1, args.thread, args.threads) : Part{0, pixels};
  const Part span = by_pixel ? Part{0, channels} : SplitWork(channels, kBlock, args.thread, args.threads);
  int64_t n = part.begin / (oh * ow), y = part.begin / ow % oh, x = part.begin % ow - 1;
  for (int64_t i = part.begin; i < part.end; ++i) {
    if (++x == ow) {
      x = 0;
      if (++y == oh) y = 0, ++n;
    }
    const Window w = MakeWindow(p, in, n, y, x);
    uint8_t* to = out + n * p.out.strides[0] + y * p.out.strides[1] + x * p.out.strides[2];
    int64_t c = span.begin;
    for (; c + kBlock <= span.end; c += kBlock) {
      if (p.average) AverageBlock<4>(w, c, to, kLanes, rounding);
      else MaxBlock<4>(w, c, to, kLanes);
    }
    for (; c < span.end; c += kLanes) {
      const int count = span.end - c < kLanes ? static_cast<int>(span.end - c) : kLanes;
      if (p.average) AverageBlock<1>(w, c, to, count, rounding);
      else MaxBlock<1>(w, c, to, count);
    }
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
