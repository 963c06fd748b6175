// Pools over x[N,C,spatial...] with the attributes of ONNX; spatial ranks 1 to 3.
//
// Integer form of the averages (x and output 8-bit, per tensor): sum(x) - count * zx, requantized with AverageMultiplier(sx, sy, count).
// Windows are clipped to the padded image; count is the padded taps with count_include_pad, else the taps inside the image.
// Any other quantized combination is computed on dequantized values.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"
#include "ir/ops/requantize.h"
#include "ir/ops/window.h"

namespace omkit::ir {
namespace {

absl::StatusOr<Window> PoolWindow(const Attrs& attrs, const Shape& x) {
  const std::vector<int64_t> kernel = attrs.Ints("kernel_shape");
  if (static_cast<int>(kernel.size()) != x.rank() - 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute kernel_shape has ", kernel.size(), " entries for an image of ", x.rank() - 2, " spatial dimensions"));
  }
  return ResolveWindow(attrs, kernel, x.dims().subspan(2), true);
}

absl::Status InferPool(InferContext& ctx, Shape* out) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 2 + kMaxSpatialRank));
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectPerTensorIfQuantized(ctx, 0));
  OMKIT_ASSIGN_OR_RETURN(const Window window, PoolWindow(ctx.attrs(), ctx.shape(0)));
  std::vector<int64_t> dims = {ctx.shape(0).dim(0), ctx.shape(0).dim(1)};
  dims.insert(dims.end(), window.out.begin() + window.first(), window.out.end());
  *out = Shape(std::move(dims));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), *out);
}

absl::Status InferGlobalPool(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectPerTensorIfQuantized(ctx, 0));
  std::vector<int64_t> dims(ctx.shape(0).rank(), 1);
  dims[0] = ctx.shape(0).dim(0);
  dims[1] = ctx.shape(0).dim(1);
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape(std::move(dims)));
}

// First and last tap (exclusive) along `d` of the window at `out` whose pixels lie in [lo, hi).
struct Taps {
  int64_t begin, end;
  int64_t count() const { return std::max<int64_t>(0, end - begin); }
};
Taps TapsInside(const Window& w, int d, int64_t out, int64_t lo, int64_t hi) {
  const int64_t start = out * w.stride[d] - w.pad_begin[d];
  int64_t begin = 0;
  int64_t end = w.kernel[d];
  if (start < lo) begin = (lo - start + w.dilation[d] - 1) / w.dilation[d];
  if (start + (end - 1) * w.dilation[d] >= hi) end = hi <= start ? 0 : (hi - start - 1) / w.dilation[d] + 1;
  return {std::min(begin, w.kernel[d]), end};
}

// Calls visit(pixel index) for every tap inside the image of the window at o, in row-major order.
template <typename Visit>
void ForEachTap(const Window& w, const Window::Dims& o, Visit&& visit) {
  Taps t[3];
  for (int d = 0; d < 3; ++d) t[d] = TapsInside(w, d, o[d], 0, w.in[d]);
  for (int64_t kd = t[0].begin; kd < t[0].end; ++kd) {
    const int64_t id = o[0] * w.stride[0] - w.pad_begin[0] + kd * w.dilation[0];
    for (int64_t kh = t[1].begin; kh < t[1].end; ++kh) {
      const int64_t ih = o[1] * w.stride[1] - w.pad_begin[1] + kh * w.dilation[1];
      const int64_t line = (id * w.in[1] + ih) * w.in[2] + o[2] * w.stride[2] - w.pad_begin[2];
      for (int64_t kw = t[2].begin; kw < t[2].end; ++kw) visit(line + kw * w.dilation[2]);
    }
  }
}

// Calls fn(plane, o, output element) for every output position.
template <typename Fn>
void ForEachWindow(const Window& w, int64_t planes, Fn&& fn) {
  int64_t e = 0;
  for (int64_t p = 0; p < planes; ++p) {
    for (int64_t od = 0; od < w.out[0]; ++od) {
      for (int64_t oh = 0; oh < w.out[1]; ++oh) {
        for (int64_t ow = 0; ow < w.out[2]; ++ow) fn(p, Window::Dims{od, oh, ow}, e++);
      }
    }
  }
}

int64_t DivisorOf(const Window& w, const Window::Dims& o, bool include_pad) {
  int64_t count = 1;
  for (int d = 0; d < 3; ++d) {
    const int64_t lo = include_pad ? -w.pad_begin[d] : 0;
    const int64_t hi = include_pad ? w.in[d] + w.pad_end[d] : w.in[d];
    count *= TapsInside(w, d, o[d], lo, hi).count();
  }
  return count;
}

// Row-major position of a pixel turned into the column-major one of storage_order 1.
int64_t ColumnMajor(const Window& w, int64_t pixel) {
  const int64_t x = pixel % w.in[2];
  const int64_t y = pixel / w.in[2] % w.in[1];
  const int64_t z = pixel / w.in[2] / w.in[1];
  // Unused leading dimensions have size 1, so this is the right order for ranks 1 to 3.
  return w.rank == 3 ? z + w.in[0] * (y + w.in[1] * x) : y + w.in[1] * x;
}

template <typename T>
void MaxPoolTyped(const EvalContext& ctx, const Window& w, int64_t planes) {
  using C = typename Element<T>::Compute;
  const T* x = ctx.input(0).data<T>();
  T* y = ctx.output(0).mutable_data<T>();
  int64_t* indices = ctx.num_outputs() > 1 ? ctx.output(1).mutable_data<int64_t>() : nullptr;
  const bool column_major = ctx.attrs.Int("storage_order", 0) != 0;
  const C lowest = std::numeric_limits<C>::has_infinity ? -std::numeric_limits<C>::infinity() : std::numeric_limits<C>::lowest();
  ForEachWindow(w, planes, [&](int64_t p, const Window::Dims& o, int64_t e) {
    const T* plane = x + p * w.in_size();
    C best = lowest;
    int64_t at = -1;
    ForEachTap(w, o, [&](int64_t pixel) {
      const C v = Element<T>::Load(plane[pixel]);
      if (at < 0 || v > best || v != v) {
        best = v;
        at = pixel;
      }
    });
    y[e] = Element<T>::Store(best);
    if (indices != nullptr) indices[e] = at < 0 ? -1 : p * w.in_size() + (column_major ? ColumnMajor(w, at) : at);
  });
}

bool IntegerAverage(const EvalContext& ctx) { return IsInt8Activation(ctx.input(0).type()) && IsInt8Activation(ctx.output(0).type()); }

void StoreQuantized(Tensor& out, int64_t e, int32_t v) {
  if (out.dtype() == DType::kUInt8) out.mutable_data<uint8_t>()[e] = static_cast<uint8_t>(v);
  else out.mutable_data<int8_t>()[e] = static_cast<int8_t>(v);
}

// One average: `sum` of q values over `inside` pixels, divided by `count`.
int32_t AverageQuantized(const QuantParams& x, const QuantParams& y, DType dtype, int64_t sum, int64_t inside, int64_t count) {
  if (count == 0) return y.zero_point[0];
  const QuantRange range = RangeOf(dtype);
  const int64_t acc = sum - inside * x.zero_point[0];
  return Requantize(static_cast<int32_t>(acc), AverageMultiplier(x.scale[0], y.scale[0], count), y.zero_point[0], range.min, range.max);
}

absl::Status Average(const EvalContext& ctx, const Window& w, bool include_pad) {
  const Tensor& x = ctx.input(0);
  Tensor& y = ctx.output(0);
  const int64_t planes = x.shape().dim(0) * x.shape().dim(1);
  if (IntegerAverage(ctx)) {
    constexpr int64_t kMaxTaps = std::numeric_limits<int32_t>::max() / 256;
    if (w.taps() > kMaxTaps) return absl::OutOfRangeError(absl::StrCat("an average of ", w.taps(), " 8-bit values does not fit int32"));
    ForEachWindow(w, planes, [&](int64_t p, const Window::Dims& o, int64_t e) {
      int64_t sum = 0;
      int64_t inside = 0;
      ForEachTap(w, o, [&](int64_t pixel) {
        sum += IntegerAt(x, p * w.in_size() + pixel);
        ++inside;
      });
      const int64_t count = include_pad ? DivisorOf(w, o, true) : inside;
      StoreQuantized(y, e, AverageQuantized(x.type().quant, y.type().quant, y.dtype(), sum, inside, count));
    });
    return absl::OkStatus();
  }
  const std::vector<double> reals = ReadReals(x);
  std::vector<double> result(y.elements());
  ForEachWindow(w, planes, [&](int64_t p, const Window::Dims& o, int64_t e) {
    double sum = 0;
    ForEachTap(w, o, [&](int64_t pixel) { sum += reals[p * w.in_size() + pixel]; });
    const int64_t count = DivisorOf(w, o, include_pad);
    result[e] = count == 0 ? 0.0 : sum / static_cast<double>(count);
  });
  WriteReals(result, &y);
  return absl::OkStatus();
}

// The whole image as one window of one long row.
Window GlobalWindow(const Shape& x) {
  Window w;
  w.rank = 1;
  for (int d = 2; d < x.rank(); ++d) w.in[2] *= x.dim(d);
  w.kernel[2] = w.in[2];
  return w;
}

// (sum |x|^p)^(1/p) over each window.
void LpNorms(const EvalContext& ctx, const Window& w) {
  const Shape& shape = ctx.input(0).shape();
  const double p = static_cast<double>(ctx.attrs.Int("p", 2));
  const std::vector<double> x = ReadReals(ctx.input(0));
  std::vector<double> y(ctx.output(0).elements());
  ForEachWindow(w, shape.dim(0) * shape.dim(1), [&](int64_t plane, const Window::Dims& o, int64_t e) {
    double sum = 0;
    ForEachTap(w, o, [&](int64_t pixel) { sum += std::pow(std::fabs(x[plane * w.in_size() + pixel]), p); });
    y[e] = std::pow(sum, 1 / p);
  });
  WriteReals(y, &ctx.output(0));
}

// The image that a MaxPool with these attributes would have had: (in - 1) * stride + kernel - pads.
absl::StatusOr<Shape> UnpooledShape(const Attrs& attrs, const Shape& x) {
  const std::vector<int64_t> kernel = attrs.Ints("kernel_shape");
  if (static_cast<int>(kernel.size()) != x.rank() - 2) return absl::InvalidArgumentError("attribute kernel_shape does not fit the image");
  Attrs plain;
  for (const char* name : {"pads", "strides"}) {
    if (attrs.Has(name)) plain.Set(name, attrs.Ints(name));
  }
  OMKIT_ASSIGN_OR_RETURN(const Window w, ResolveTransposedWindow(plain, kernel, x.dims().subspan(2)));
  std::vector<int64_t> dims = {x.dim(0), x.dim(1)};
  dims.insert(dims.end(), w.out.begin() + w.first(), w.out.end());
  return Shape(std::move(dims));
}

template <typename Fn>
absl::Status EvalAnyDType(const Tensor& x, Fn&& fn) {
  if (DispatchNumeric(x.dtype(), fn)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input 0 is ", Name(x.dtype())));
}

}  // namespace

absl::Status InferAveragePool(InferContext& ctx) {
  Shape out;
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  return InferPool(ctx, &out);
}

absl::Status EvalAveragePool(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const Window window, PoolWindow(ctx.attrs, ctx.input(0).shape()));
  return Average(ctx, window, ctx.attrs.Int("count_include_pad", 0) != 0);
}

absl::Status InferGlobalAveragePool(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  return InferGlobalPool(ctx);
}

absl::Status EvalGlobalAveragePool(const EvalContext& ctx) { return Average(ctx, GlobalWindow(ctx.input(0).shape()), false); }

absl::Status InferGlobalMaxPool(InferContext& ctx) { return InferGlobalPool(ctx); }

absl::Status EvalGlobalMaxPool(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  const Window window = GlobalWindow(x);
  return EvalAnyDType(ctx.input(0), [&](auto zero) { MaxPoolTyped<decltype(zero)>(ctx, window, x.dim(0) * x.dim(1)); });
}

absl::Status InferMaxPool(InferContext& ctx) {
  Shape out;
  OMKIT_RETURN_IF_ERROR(InferPool(ctx, &out));
  if (ctx.num_outputs() > 1) ctx.SetOutput(1, DType::kInt64, std::move(out));
  return absl::OkStatus();
}

absl::Status EvalMaxPool(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const Window window, PoolWindow(ctx.attrs, x));
  return EvalAnyDType(ctx.input(0), [&](auto zero) { MaxPoolTyped<decltype(zero)>(ctx, window, x.dim(0) * x.dim(1)); });
}

absl::Status InferLpPool(InferContext& ctx) {
  if (ctx.attrs().Int("p", 2) < 1) return absl::InvalidArgumentError(absl::StrCat("attribute p is ", ctx.attrs().Int("p", 2)));
  return InferAveragePool(ctx);
}

absl::Status EvalLpPool(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const Window window, PoolWindow(ctx.attrs, shape));
  LpNorms(ctx, window);
  return absl::OkStatus();
}

absl::Status InferGlobalLpPool(InferContext& ctx) {
  if (ctx.attrs().Int("p", 2) < 1) return absl::InvalidArgumentError(absl::StrCat("attribute p is ", ctx.attrs().Int("p", 2)));
  return InferGlobalAveragePool(ctx);
}

absl::Status EvalGlobalLpPool(const EvalContext& ctx) {
  const Window window = GlobalWindow(ctx.input(0).shape());
  LpNorms(ctx, window);
  return absl::OkStatus();
}

// Input 2, output_shape, must be a constant; each plane of the output is the plane the indices were taken from, laid into it.
absl::Status InferMaxUnpool(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 2 + kMaxSpatialRank));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
  const Shape& x = ctx.shape(0);
  bool same = ctx.shape(1).rank() == x.rank();
  for (int d = 0; same && d < x.rank(); ++d) same = !Conflict(ctx.shape(1).dim(d), x.dim(d));
  if (!same) return absl::InvalidArgumentError(absl::StrCat("indices have shape ", ctx.shape(1).ToString(), ", values ", x.ToString()));
  OMKIT_ASSIGN_OR_RETURN(Shape out, UnpooledShape(ctx.attrs(), x));
  if (!ctx.has_input(2)) return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> given, ctx.ConstantInts(2));
  for (int64_t dim : given) {
    if (dim < 0) return absl::InvalidArgumentError(absl::StrCat("output_shape holds ", dim));
  }
  if (static_cast<int>(given.size()) != x.rank() || Conflict(given[0], x.dim(0)) || Conflict(given[1], x.dim(1))) {
    return absl::InvalidArgumentError(absl::StrCat("output_shape is ", Shape(given).ToString(), " for values of shape ", x.ToString()));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape(given));
}

absl::Status EvalMaxUnpool(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  const Shape& out = ctx.output(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const Shape pooled, UnpooledShape(ctx.attrs, x));
  if (!pooled.IsStatic()) return absl::InvalidArgumentError("the shape of the values is not known");
  const std::vector<double> values = ReadReals(ctx.input(0));
  std::vector<double> y(ctx.output(0).elements(), 0.0);
  const std::vector<int64_t> from = pooled.Strides(), to = out.Strides();
  for (size_t e = 0; e < values.size(); ++e) {
    const int64_t index = IntegerAt(ctx.input(1), static_cast<int64_t>(e));
    int64_t at = 0;
    bool inside = index >= 0;
    for (int d = 0; inside && d < out.rank(); ++d) {
      const int64_t i = d == 0 ? index / from[0] : index / from[d] % pooled.dim(d);
      inside = i < out.dim(d);
      at += i * to[d];
    }
    if (!inside) return absl::InvalidArgumentError(absl::StrCat("index ", index, " is outside the output of shape ", out.ToString()));
    y[at] = values[e];
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
