// Output rows along the innermost axis: whole runs when that axis keeps its size, indexed elements when it is resized.
#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/resize/resize.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

template <int kSize>
OMKIT_INLINE void CopyRow(const char* in, int64_t in_stride, const int32_t* table, char* out, int64_t out_stride, int64_t count) {
  if (!table && in_stride == 1 && out_stride == 1) {
    __builtin_memcpy(out, in, static_cast<unsigned long>(count * kSize));
    return;
  }
  for (int64_t i = 0; i < count; ++i) __builtin_memcpy(out + i * out_stride * kSize, in + (table ? table[i] : i) * in_stride * kSize, kSize);
}

template <int kSize>
void RunNearest(const ResizeNearestParams& p, const KernelArgs& args) {
  const char* in = static_cast<const char*>(args.operands[0]) + p.in.offset * kSize;
  char* out = static_cast<char*>(args.operands[1]) + p.out.offset * kSize;
  const int32_t* tables[kMaxViewRank] = {};
  int next = 2;
  for (int i = 0; i < p.in.rank; ++i) {
    if (p.axes >> i & 1) tables[i] = static_cast<const int32_t*>(args.operands[next++]);
  }
  const int last = p.out.rank - 1;
  if (last < 0) return CopyRow<kSize>(in, 1, nullptr, out, 1, args.thread == 0 ? 1 : 0);
  int64_t rows = p.out.dims[last] > 0 ? 1 : 0;
  for (int i = 0; i < last; ++i) rows *= p.out.dims[i];
  const Part part = SplitWork(rows, 1, args.thread, args.threads);
  for (int64_t row = part.begin; row < part.end; ++row) {
    int64_t from = 0, to = 0, rest = row;
    for (int i = last - 1; i >= 0; --i) {
      const int64_t index = rest % p.out.dims[i];
      rest /= p.out.dims[i];
      from += (tables[i] ? tables[i][index] : index) * p.in.strides[i];
      to += index * p.out.strides[i];
    }
    CopyRow<kSize>(in + from * kSize, p.in.strides[last], tables[last], out + to * kSize, p.out.strides[last], p.out.dims[last]);
  }
}

struct Table {
  const int32_t* low;
  const int32_t* high;
  const float* weight;
};
OMKIT_INLINE Table TableAt(const void* data, int64_t count) {
  const int32_t* low = static_cast<const int32_t*>(data);
  return {low, low + count, reinterpret_cast<const float*>(low + 2 * count)};
}

OMKIT_INLINE F32 Mix(F32 a, F32 b, F32 weight) { return Fma(weight, b - a, a); }

OMKIT_INLINE F32 LoadIndexed(const float* from, const int32_t* index, int64_t stride, int lanes) {
  alignas(64) float values[kWidth] = {};
  for (int i = 0; i < lanes; ++i) values[i] = from[index[i] * stride];
  return Load(values);
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ResizeNearest(const KernelArgs& args) {
  ResizeNearestParams p;
  LoadParams(args, &p);
  switch (p.in.element_size) {
    case 1: return RunNearest<1>(p, args);
    case 2: return RunNearest<2>(p, args);
    case 4: return RunNearest<4>(p, args);
    case 8: return RunNearest<8>(p, args);
  }
}

void ResizeLinear(const KernelArgs& args) {
  ResizeLinearParams p;
  LoadParams(args, &p);
  const Table ty = TableAt(args.operands[2], p.out.dims[p.axis_y]), tx = TableAt(args.operands[3], p.out.dims[p.axis_x]);
  const int last = p.out.rank - 1;
  const bool along_x = p.axis_x == last;
  const int64_t count = p.out.dims[last], si = p.in.strides[last], so = p.out.strides[last];
  int64_t rows = p.out.dims[last] > 0 ? 1 : 0;
  for (int i = 0; i < last; ++i) rows *= p.out.dims[i];
  const Part part = SplitWork(rows, 1, args.thread, args.threads);
  for (int64_t row = part.begin; row < part.end; ++row) {
    const float* in = static_cast<const float*>(args.operands[0]) + p.in.offset;
    float* out = static_cast<float*>(args.operands[1]) + p.out.offset;
    int64_t rest = row, y = 0, x = 0;
    for (int i = last - 1; i >= 0; --i) {
      const int64_t index = rest % p.out.dims[i];
      rest /= p.out.dims[i];
      out += index * p.out.strides[i];
      if (i == p.axis_y) y = index;
      else if (i == p.axis_x) x = index;
      else in += index * p.in.strides[i];
    }
    const float* top = in + ty.low[y] * p.in.strides[p.axis_y];
    const float* bottom = in + ty.high[y] * p.in.strides[p.axis_y];
    const F32 wy = Set(ty.weight[y]);
    const int64_t left = along_x ? 0 : tx.low[x] * p.in.strides[p.axis_x], right = along_x ? 0 : tx.high[x] * p.in.strides[p.axis_x];
    for (int64_t i = 0; i < count; i += kWidth) {
      const int lanes = count - i < kWidth ? static_cast<int>(count - i) : kWidth;
      F32 upper, lower;
      if (along_x) {
        const F32 wx = LoadSome(tx.weight + i, lanes);
        upper = Mix(LoadIndexed(top, tx.low + i, si, lanes), LoadIndexed(top, tx.high + i, si, lanes), wx);
        lower = Mix(LoadIndexed(bottom, tx.low + i, si, lanes), LoadIndexed(bottom, tx.high + i, si, lanes), wx);
      } else {
        const F32 wx = Set(tx.weight[x]);
        upper = Mix(LoadStrided(top + left + i * si, si, lanes), LoadStrided(top + right + i * si, si, lanes), wx);
        lower = Mix(LoadStrided(bottom + left + i * si, si, lanes), LoadStrided(bottom + right + i * si, si, lanes), wx);
      }
      StoreStrided(out + i * so, so, Mix(upper, lower, wy), lanes);
    }
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
