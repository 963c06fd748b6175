// Output rows along the innermost axis: whole runs when that axis keeps its size, indexed elements when it is resized.
#include "backends/kernels/lanes.h"
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

// Reading and writing sixteen neighbours as reals: floats as they are, bytes as Dequantize and Quantize steps turn them.
struct Floats {
  typedef float Element;
  explicit Floats(const ResizeQuant&) {}
  OMKIT_INLINE F32 ToReal(const float* from, int lanes) const { return LoadSome(from, lanes); }
  OMKIT_INLINE void FromReal(float* to, F32 v, int lanes) const { StoreSome(to, v, lanes); }
};
struct Bytes {
  typedef uint8_t Element;
  float scale;
  int32_t zero_point;
  Rounding rounding;
  explicit Bytes(const ResizeQuant& q) : scale(q.scale), zero_point(q.zero_point), rounding(MakeRounding(q.zero_point, 0, 255)) {}
  OMKIT_INLINE F32 ToReal(const uint8_t* from, int lanes) const {
    const LanesF32 v = ToFloat(Widen(LoadSome<LanesU8>(from, lanes)) - Splat(zero_point)) * Splat(scale);
    F32 real;
    __builtin_memcpy(&real, &v, sizeof real);
    return real;
  }
  OMKIT_INLINE void FromReal(uint8_t* to, F32 v, int lanes) const {
    LanesF32 real;
    __builtin_memcpy(&real, &v, sizeof real);
    StoreSome(to, Round(ZeroIfNan(real / Splat(scale)), rounding), lanes);
  }
};

template <typename Form>
OMKIT_INLINE F32 LoadReals(const Form& form, const typename Form::Element* from, int64_t stride, int lanes) {
  if (stride == 1) return form.ToReal(from, lanes);
  typename Form::Element values[kWidth] = {};
  for (int i = 0; i < lanes; ++i) values[i] = from[i * stride];
  return form.ToReal(values, kWidth);
}
template <typename Form>
OMKIT_INLINE F32 LoadIndexed(const Form& form, const typename Form::Element* from, const int32_t* index, int64_t stride, int lanes) {
  typename Form::Element values[kWidth] = {};
  for (int i = 0; i < lanes; ++i) values[i] = from[index[i] * stride];
  return form.ToReal(values, kWidth);
}
template <typename Form>
OMKIT_INLINE void StoreReals(const Form& form, typename Form::Element* to, int64_t stride, F32 v, int lanes) {
  if (stride == 1) return form.FromReal(to, v, lanes);
  typename Form::Element values[kWidth];
  form.FromReal(values, v, kWidth);
  for (int i = 0; i < lanes; ++i) to[i * stride] = values[i];
}

// Four corners and the weight of the vertical mix.
template <typename T>
struct Rows {
  const T* top;
  const T* bottom;
  F32 wy;
};

// The innermost axis keeps its size: `count` neighbours of one output pixel. A last short run overlaps the one before it.
template <typename In, typename Out>
OMKIT_INLINE void MixRun(const In& in, const Out& out, const Rows<typename In::Element>& rows, int64_t left, int64_t right, float weight,
                         typename Out::Element* to, int64_t si, int64_t so, int64_t count) {
  const F32 wx = Set(weight);
  for (int64_t begin = 0; begin < count; begin += kWidth) {
    const bool whole = count >= kWidth;
    const int64_t i = whole && begin + kWidth > count ? count - kWidth : begin;
    const int lanes = whole ? kWidth : static_cast<int>(count);
    const F32 upper = Mix(LoadReals(in, rows.top + left + i * si, si, lanes), LoadReals(in, rows.top + right + i * si, si, lanes), wx);
    const F32 lower = Mix(LoadReals(in, rows.bottom + left + i * si, si, lanes), LoadReals(in, rows.bottom + right + i * si, si, lanes), wx);
    StoreReals(out, to + i * so, so, Mix(upper, lower, rows.wy), lanes);
  }
}

// The innermost axis is the horizontal one.
template <typename In, typename Out>
OMKIT_INLINE void MixAlongX(const In& in, const Out& out, const Rows<typename In::Element>& rows, const Table& tx, typename Out::Element* to,
                            int64_t si, int64_t so, int64_t count) {
  for (int64_t i = 0; i < count; i += kWidth) {
    const int lanes = count - i < kWidth ? static_cast<int>(count - i) : kWidth;
    const F32 wx = LoadSome(tx.weight + i, lanes);
    const F32 upper = Mix(LoadIndexed(in, rows.top, tx.low + i, si, lanes), LoadIndexed(in, rows.top, tx.high + i, si, lanes), wx);
    const F32 lower = Mix(LoadIndexed(in, rows.bottom, tx.low + i, si, lanes), LoadIndexed(in, rows.bottom, tx.high + i, si, lanes), wx);
    StoreReals(out, to + i * so, so, Mix(upper, lower, rows.wy), lanes);
  }
}

template <typename In, typename Out>
void RunLinear(const ResizeLinearParams& p, const KernelArgs& args) {
  typedef typename In::Element InElement;
  typedef typename Out::Element OutElement;
  const In in_form(p.in_quant);
  const Out out_form(p.out_quant);
  const Table ty = TableAt(args.operands[2], p.out.dims[p.axis_y]), tx = TableAt(args.operands[3], p.out.dims[p.axis_x]);
  const int last = p.out.rank - 1;
  const bool along_x = p.axis_x == last;
  const int64_t count = p.out.dims[last], si = p.in.strides[last], so = p.out.strides[last];
  // One row: all pixels along the horizontal axis, unless that is the innermost one.
  const int64_t pixels = along_x ? 1 : p.out.dims[p.axis_x], sx = along_x ? 0 : p.in.strides[p.axis_x], ox = along_x ? 0 : p.out.strides[p.axis_x];
  int64_t rows = count > 0 && pixels > 0 ? 1 : 0;
  for (int i = 0; i < last; ++i) rows *= i == p.axis_x ? 1 : p.out.dims[i];
  const Part part = SplitWork(rows, 1, args.thread, args.threads);
  for (int64_t row = part.begin; row < part.end; ++row) {
    const InElement* in = static_cast<const InElement*>(args.operands[0]) + p.in.offset;
    OutElement* out = static_cast<OutElement*>(args.operands[1]) + p.out.offset;
    int64_t rest = row, y = 0;
    for (int i = last - 1; i >= 0; --i) {
      if (i == p.axis_x) continue;
      const int64_t index = rest % p.out.dims[i];
      rest /= p.out.dims[i];
      out += index * p.out.strides[i];
      if (i == p.axis_y) y = index;
      else in += index * p.in.strides[i];
    }
    const Rows<InElement> source = {in + ty.low[y] * p.in.strides[p.axis_y], in + ty.high[y] * p.in.strides[p.axis_y], Set(ty.weight[y])};
    if (along_x) {
      MixAlongX(in_form, out_form, source, tx, out, si, so, count);
      continue;
    }
    for (int64_t x = 0; x < pixels; ++x) {
      MixRun(in_form, out_form, source, tx.low[x] * sx, tx.high[x] * sx, tx.weight[x], out + x * ox, si, so, count);
    }
  }
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
  if (p.in.element_size == 1) p.out.element_size == 1 ? RunLinear<Bytes, Bytes>(p, args) : RunLinear<Bytes, Floats>(p, args);
  else p.out.element_size == 1 ? RunLinear<Floats, Bytes>(p, args) : RunLinear<Floats, Floats>(p, args);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
