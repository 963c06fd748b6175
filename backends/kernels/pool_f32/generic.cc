// Sixteen channels of one output pixel at a time over the clipped window.
#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/pool_f32/pool_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// Taps [begin, end) of a window of `kernel` taps that starts at `start` and meets [0, size).
struct Taps {
  int64_t begin, end;
};
OMKIT_INLINE Taps ClipTaps(int64_t start, int64_t kernel, int64_t dilation, int64_t size) {
  const int64_t begin = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const int64_t end = start < size ? (size - start + dilation - 1) / dilation : 0;
  return {begin, end < kernel ? end : kernel};
}

struct Window {
  Taps y, x;
  const float* first;  // tap (0, 0), perhaps outside the image
  float count;
};

template <bool kAverage>
OMKIT_INLINE F32 PoolLanes(const PoolF32Params& p, const Window& w, int64_t channel, int lanes) {
  const int64_t stride = p.in.strides[3];
  F32 acc = Set(kAverage ? 0.0f : -__builtin_inff());
  for (int64_t y = w.y.begin; y < w.y.end; ++y) {
    const float* row = w.first + y * p.dilation_h * p.in.strides[1] + channel * stride;
    for (int64_t x = w.x.begin; x < w.x.end; ++x) {
      const F32 value = LoadStrided(row + x * p.dilation_w * p.in.strides[2], stride, lanes);
      acc = kAverage ? acc + value : Max(value, acc);
    }
  }
  return kAverage ? acc / Set(w.count) : acc;
}

template <bool kAverage>
void Run(const PoolF32Params& p, const KernelArgs& args) {
  const float* in = static_cast<const float*>(args.operands[0]) + p.in.offset;
  float* out = static_cast<float*>(args.operands[1]) + p.out.offset;
  const int64_t oh = p.out.dims[1], ow = p.out.dims[2], channels = p.out.dims[3], pixels = p.out.dims[0] * oh * ow;
  const bool by_pixel = pixels >= args.threads;
  const Part part = by_pixel ? SplitWork(pixels, 1, args.thread, args.threads) : Part{0, pixels};
  const Part c = by_pixel ? Part{0, channels} : SplitWork(channels, kWidth, args.thread, args.threads);
  for (int64_t at = part.begin; at < part.end; ++at) {
    const int64_t n = at / ow / oh, y = at / ow % oh, x = at % ow;
    const int64_t top = y * p.stride_h - p.pad_top, left = x * p.stride_w - p.pad_left;
    Window w;
    w.y = ClipTaps(top, p.kernel_h, p.dilation_h, p.in.dims[1]);
    w.x = ClipTaps(left, p.kernel_w, p.dilation_w, p.in.dims[2]);
    w.first = in + n * p.in.strides[0] + top * p.in.strides[1] + left * p.in.strides[2];
    int64_t rows = w.y.end - w.y.begin, columns = w.x.end - w.x.begin;
    if (p.count_include_pad) {
      rows = ClipTaps(top + p.pad_top, p.kernel_h, p.dilation_h, p.in.dims[1] + p.pad_top + p.pad_bottom).end;
      columns = ClipTaps(left + p.pad_left, p.kernel_w, p.dilation_w, p.in.dims[2] + p.pad_left + p.pad_right).end;
    }
    w.count = rows > 0 && columns > 0 ? static_cast<float>(rows * columns) : 1.0f;
    float* to = out + n * p.out.strides[0] + y * p.out.strides[1] + x * p.out.strides[2];
    int64_t i = c.begin;
    if (p.in.strides[3] == 1 && p.out.strides[3] == 1) {
      for (; i + kWidth <= c.end; i += kWidth) Store(to + i, PoolLanes<kAverage>(p, w, i, kWidth));
    }
    for (; i < c.end; i += kWidth) {
      const int lanes = c.end - i < kWidth ? static_cast<int>(c.end - i) : kWidth;
      StoreStrided(to + i * p.out.strides[3], p.out.strides[3], PoolLanes<kAverage>(p, w, i, lanes), lanes);
    }
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void PoolF32(const KernelArgs& args) {
  PoolF32Params p;
  LoadParams(args, &p);
  if (p.out.dims[3] == 0) return;
  if (p.average) Run<true>(p, args);
  else Run<false>(p, args);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
