// Sixteen channels of a few pixels of one row at a time; each tap loads its weights once for all of them.
#include "backends/kernels/dwconv_f32/dwconv_f32.h"
#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

#if defined(__AVX512F__)
constexpr int kPixels = 8;
#else
constexpr int kPixels = 4;
#endif

struct Tile {
  const float* in;
  const float* weights;
  const float* bias;
  const float* residual;
  float* out;
  int64_t step_y, step_x;           // between taps
  int64_t in_x, out_x, residual_x;  // between pixels
  int64_t channels;                 // between taps of the weights
  int32_t kernel_h, kernel_w;
  float act_min, act_max;
};

template <bool kFull>
OMKIT_INLINE F32 LoadLanes(const float* from, int lanes) {
  return kFull ? Load(from) : LoadSome(from, lanes);
}

// kTaps > 0: the kernel is kTaps wide and pixels are kStride taps apart, so that a row of inputs is loaded once for all its taps.
template <int kCount, int kTaps, int kStride, bool kFull>
OMKIT_INLINE void RunTile(const Tile& t, int lanes) {
  F32 acc[kCount];
  const F32 bias = LoadLanes<kFull>(t.bias, lanes);
  for (int i = 0; i < kCount; ++i) acc[i] = bias;
  const float* w = t.weights;
  for (int y = 0; y < t.kernel_h; ++y) {
    const float* in = t.in + y * t.step_y;
    if constexpr (kTaps > 0) {
      F32 weight[kTaps];
      for (int x = 0; x < kTaps; ++x) weight[x] = LoadLanes<kFull>(w + x * t.channels, lanes);
#pragma GCC unroll 32
      for (int j = 0; j < (kCount - 1) * kStride + kTaps; ++j) {
        const F32 value = LoadLanes<kFull>(in + j * t.step_x, lanes);
#pragma GCC unroll 8
        for (int x = kTaps - 1; x >= 0; --x) {
          if (j >= x && (j - x) % kStride == 0 && (j - x) / kStride < kCount) acc[(j - x) / kStride] = Fma(value, weight[x], acc[(j - x) / kStride]);
        }
      }
      w += kTaps * t.channels;
    } else {
      for (int x = 0; x < t.kernel_w; ++x) {
        const F32 weight = LoadLanes<kFull>(w, lanes);
#pragma GCC unroll 8
        for (int i = 0; i < kCount; ++i) acc[i] = Fma(LoadLanes<kFull>(in + i * t.in_x, lanes), weight, acc[i]);
        in += t.step_x;
        w += t.channels;
      }
    }
  }
  const F32 lo = Set(t.act_min), hi = Set(t.act_max);
  for (int i = 0; i < kCount; ++i) {
    F32 v = acc[i];
    if (t.residual) v = v + LoadLanes<kFull>(t.residual + i * t.residual_x, lanes);
    v = ClampTo(v, lo, hi);
    if (kFull) Store(t.out + i * t.out_x, v);
    else StoreSome(t.out + i * t.out_x, v, lanes);
  }
}

template <int kCount, int kTaps, int kStride>
__attribute__((noinline)) void RunChannels(Tile t) {
  int64_t rest = t.channels;
  for (; rest > 0; rest -= kWidth) {
    if (rest >= kWidth) RunTile<kCount, kTaps, kStride, true>(t, kWidth);
    else RunTile<kCount, kTaps, kStride, false>(t, static_cast<int>(rest));
    t.in += kWidth;
    t.weights += kWidth;
    t.bias += kWidth;
    t.out += kWidth;
    if (t.residual) t.residual += kWidth;
  }
}

template <int kCount>
void RunPixels(const Tile& t) {
#if defined(__FMA__) || defined(__aarch64__)
  if (t.kernel_w == 3 && t.in_x == t.step_x) return RunChannels<kCount, 3, 1>(t);
  if (t.kernel_w == 3 && t.in_x == 2 * t.step_x) return RunChannels<kCount, 3, 2>(t);
  if (t.kernel_w == 5 && t.in_x == t.step_x) return RunChannels<kCount, 5, 1>(t);
#endif
  // Without the instruction, the call that stands for it hides what loading inputs costs.
  RunChannels<kCount, 0, 1>(t);
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void DwConvF32(const KernelArgs& args) {
  DwConvF32Params p;
  LoadParams(args, &p);
  const int64_t height = p.out.dims[1], width = p.out.dims[2];
  Tile t;
  t.weights = static_cast<const float*>(args.operands[1]);
  t.bias = static_cast<const float*>(args.operands[2]);
  t.step_y = p.dilation_h * p.in.strides[1];
  t.step_x = p.dilation_w * p.in.strides[2];
  t.in_x = p.stride_w * p.in.strides[2];
  t.out_x = p.out.strides[2];
  t.residual_x = p.residual.strides[2];
  t.channels = p.out.dims[3];
  t.kernel_h = p.kernel_h;
  t.kernel_w = p.kernel_w;
  t.act_min = p.act_min;
  t.act_max = p.act_max;
  const int64_t tiles = (width + kPixels - 1) / kPixels;
  const Part part = SplitWork(p.out.dims[0] * height * tiles, 1, args.thread, args.threads);
  for (int64_t at = part.begin; at < part.end; ++at) {
    const int64_t n = at / tiles / height, y = at / tiles % height;
    int64_t x = width * (at % tiles) / tiles;
    const int64_t stop = width * (at % tiles + 1) / tiles;
    while (x < stop) {
      t.in = static_cast<const float*>(args.operands[0]) + p.in.offset + n * p.in.strides[0] + (y * p.stride_h - p.pad_top) * p.in.strides[1] +
             (x * p.stride_w - p.pad_left) * p.in.strides[2];
      t.out = static_cast<float*>(args.operands[3]) + p.out.offset + n * p.out.strides[0] + y * p.out.strides[1] + x * p.out.strides[2];
      t.residual = p.has_residual ? static_cast<const float*>(args.operands[4]) + p.residual.offset + n * p.residual.strides[0] +
                                        y * p.residual.strides[1] + x * p.residual.strides[2]
                                  : nullptr;
      const int64_t count = stop - x;
      const int step = count >= 8 && kPixels >= 8 ? 8 : count >= 4 ? 4 : count >= 2 ? 2 : 1;
      if constexpr (kPixels >= 8) {
        if (step == 8) RunPixels<8>(t);
      }
      if (step == 4) RunPixels<4>(t);
      else if (step == 2) RunPixels<2>(t);
      else if (step == 1) RunPixels<1>(t);
      x += step;
    }
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
