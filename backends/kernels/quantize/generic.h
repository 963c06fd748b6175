// Sixteen elements at a time along the dimension in which the input is contiguous, scattered to the output's order. Floor 4. Internal linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_QUANTIZE_GENERIC_H_
#define OMKIT_BACKENDS_KERNELS_QUANTIZE_GENERIC_H_

#include "backends/kernels/lanes.h"
#include "backends/kernels/nest.h"
#include "backends/kernels/quantize/quantize.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

struct ToU8 {
  typedef float In;
  typedef uint8_t Out;
  typedef LanesF32 InLanes;
  typedef LanesU8 OutLanes;
  float scale;
  Rounding rounding;
  explicit ToU8(const QuantizeParams& p) : scale(p.scale), rounding(MakeRounding(p.zero_point, 0, 255)) {}
  OMKIT_INLINE LanesU8 operator()(const LanesF32& x) const { return Round(ZeroIfNan(x / Splat(scale)), rounding); }
};

struct ToF32 {
  typedef uint8_t In;
  typedef float Out;
  typedef LanesU8 InLanes;
  typedef LanesF32 OutLanes;
  float scale;
  int32_t zero_point;
  explicit ToF32(const QuantizeParams& p) : scale(p.scale), zero_point(p.zero_point) {}
  OMKIT_INLINE LanesF32 operator()(const LanesU8& q) const { return ToFloat(Widen(q) - Splat(zero_point)) * Splat(scale); }
};

template <typename Convert>
OMKIT_INLINE void ConvertRow(const Convert& convert, const typename Convert::In* in, typename Convert::Out* out, int64_t in_stride,
                             int64_t out_stride, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int n = count - i < kLanes ? static_cast<int>(count - i) : kLanes;
    typename Convert::In gathered[kLanes] = {};
    if (in_stride != 1) {
      for (int j = 0; j < n; ++j) __builtin_memcpy(&gathered[j], in + (i + j) * in_stride, sizeof gathered[j]);
    }
    const typename Convert::OutLanes y = convert(LoadSome<typename Convert::InLanes>(in_stride == 1 ? in + i : gathered, n));
    if (out_stride == 1) {
      StoreSome(out + i, y, n);
      continue;
    }
    typename Convert::Out spread[kLanes];
    StoreSome(spread, y, kLanes);
    for (int j = 0; j < n; ++j) __builtin_memcpy(out + (i + j) * out_stride, &spread[j], sizeof spread[j]);
  }
}

template <typename Convert>
void Run(const KernelArgs& args) {
  QuantizeParams p;
  LoadParams(args, &p);
  const Convert convert(p);
  const typename Convert::In* in = static_cast<const typename Convert::In*>(args.operands[0]);
  typename Convert::Out* out = static_cast<typename Convert::Out*>(args.operands[1]);
  const View* const views[2] = {&p.in, &p.out};
  Nest<2> nest = MakeNest<2>(views);
  const int row = nest.rank - 1;
  int other = -1;
  for (int i = 0; i < row; ++i) {
    if (nest.strides[0][i] == 1) other = i;
  }
  if (other < 0 || nest.strides[0][row] == 1) {
    ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
      const int64_t is = nest.strides[0][row], os = nest.strides[1][row];
      ConvertRow(convert, in + at[0] + begin * is, out + at[1] + begin * os, is, os, end - begin);
    });
    return;
  }
  // Input contiguous along `other`, output along the last: blocks of 64 by all of the last dimension stay in the first-level cache.
  SwapDims(&nest, other, row - 1);
  ForRows(nest, 2, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 64) {
      const int64_t n = end - i < 64 ? end - i : 64;
      for (int64_t j = 0; j < nest.dims[row]; ++j) {
        ConvertRow(convert, in + at[0] + i + j * nest.strides[0][row], out + at[1] + i * nest.strides[1][row - 1] + j * nest.strides[1][row], 1,
                   nest.strides[1][row - 1], n);
      }
    }
  });
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_QUANTIZE_GENERIC_H_
