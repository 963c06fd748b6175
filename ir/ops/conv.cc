// Convolution: inputs x[N,C,spatial...], w[M,C/group,kernel...], optional bias[M], optional residual of the output's shape.
//
// Attributes of ONNX Conv, plus two that fusion passes set: act_min and act_max (floats), a clamp of the result in real units.
// Quantized form (base/quant.h): x uint8 or int8 per tensor, w int8 per tensor or per output channel, bias int32 with scale
// scale_x * scale_w[m], residual uint8 or int8. The output is quantized, or float32: then it is float(acc) * float(scale_x * scale_w[m])
// plus the dequantized residual, clamped.
// ConvTranspose: inputs x[N,C,spatial...], w[C,M/group,kernel...], optional bias[M]; attributes of ONNX.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/accumulator.h"
#include "ir/ops/operand.h"
#include "ir/ops/window.h"

namespace omkit::ir {
namespace {

absl::Status CheckKernelShape(const Attrs& attrs, absl::Span<const int64_t> kernel) {
  const std::vector<int64_t> declared = attrs.Ints("kernel_shape");
  if (declared.empty() || absl::Span<const int64_t>(declared) == kernel) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("attribute kernel_shape is ", Shape(declared).ToString(), " but the weight's kernel is ", Shape(kernel).ToString()));
}

// Ranks 3 to 5, weights of known shape, group >= 1.
absl::Status CheckConvOperands(const InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 2 + kMaxSpatialRank));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, ctx.shape(0).rank(), ctx.shape(0).rank()));
  if (!ctx.shape(1).IsStatic()) return absl::InvalidArgumentError(absl::StrCat("the weight has unknown dimensions: ", ctx.shape(1).ToString()));
  const int64_t group = ctx.attrs().Int("group", 1);
  if (group < 1) return absl::InvalidArgumentError(absl::StrCat("attribute group is ", group, ", it must be at least 1"));
  return CheckKernelShape(ctx.attrs(), ctx.shape(1).dims().subspan(2));
}

Shape ConvOutput(const InferContext& ctx, const Window& window, int64_t channels) {
  std::vector<int64_t> dims = {ctx.shape(0).dim(0), channels};
  dims.insert(dims.end(), window.out.begin() + window.first(), window.out.end());
  return Shape(std::move(dims));
}

// y[i] += a * x[i * step]
inline void Axpy(double a, const double* __restrict x, int64_t step, double* __restrict y, int64_t n) {
  if (step == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] += a * x[i * step];
  }
}

// A window without padding, stride or neighbours: pixels are independent, so the image is one long row.
Window FlattenPointwise(Window w) {
  const Window::Dims one = {1, 1, 1};
  const Window::Dims zero = {0, 0, 0};
  if (w.kernel != one || w.stride != one || w.pad_begin != zero || w.pad_end != zero) return w;
  w.in = w.out = {1, 1, w.in_size()};
  return w;
}

struct ConvShape {
  Window window;
  int64_t batch, in_channels, out_channels, group;
};

// One output row of one group of channels: taps outside the image are skipped, which is padding with zero.
void ConvRow(const ConvShape& s, const double* x, const double* w, double* y, int64_t od, int64_t oh, const std::vector<TapRange>& columns) {
  const Window& win = s.window;
  const int64_t icg = s.in_channels / s.group;
  const int64_t ocg = s.out_channels / s.group;
  const int64_t taps = win.taps();
  for (int64_t oc = 0; oc < ocg; ++oc) {
    double* row = y + (oc * win.out[0] + od) * win.out[1] * win.out[2] + oh * win.out[2];
    for (int64_t ic = 0; ic < icg; ++ic) {
      const double* filter = w + (oc * icg + ic) * taps;
      for (int64_t kd = 0; kd < win.kernel[0]; ++kd) {
        const int64_t id = od * win.stride[0] - win.pad_begin[0] + kd * win.dilation[0];
        if (id < 0 || id >= win.in[0]) continue;
        for (int64_t kh = 0; kh < win.kernel[1]; ++kh) {
          const int64_t ih = oh * win.stride[1] - win.pad_begin[1] + kh * win.dilation[1];
          if (ih < 0 || ih >= win.in[1]) continue;
          const double* line = x + ((ic * win.in[0] + id) * win.in[1] + ih) * win.in[2];
          const double* f = filter + (kd * win.kernel[1] + kh) * win.kernel[2];
          for (int64_t kw = 0; kw < win.kernel[2]; ++kw) {
            const TapRange r = columns[kw];
            if (r.lo >= r.hi) continue;
            Axpy(f[kw], line + r.lo * win.stride[2] - win.pad_begin[2] + kw * win.dilation[2], win.stride[2], row + r.lo, r.hi - r.lo);
          }
        }
      }
    }
  }
}

void Convolve(const ConvShape& s, const double* x, const double* w, double* y) {
  const Window& win = s.window;
  const int64_t icg = s.in_channels / s.group;
  const int64_t ocg = s.out_channels / s.group;
  std::vector<TapRange> columns(win.kernel[2]);
  for (int64_t kw = 0; kw < win.kernel[2]; ++kw) columns[kw] = ValidOutputs(win, 2, kw);
  for (int64_t n = 0; n < s.batch; ++n) {
    for (int64_t g = 0; g < s.group; ++g) {
      const double* xg = x + (n * s.in_channels + g * icg) * win.in_size();
      double* yg = y + (n * s.out_channels + g * ocg) * win.out_size();
      for (int64_t od = 0; od < win.out[0]; ++od) {
        for (int64_t oh = 0; oh < win.out[1]; ++oh) ConvRow(s, xg, w + g * ocg * icg * win.taps(), yg, od, oh, columns);
      }
    }
  }
}

// Scatters one input pixel row of one (input, output) channel pair into the output plane.
void ScatterPlane(const Window& win, const double* x, const double* filter, double* y) {
  for (int64_t id = 0; id < win.in[0]; ++id) {
    for (int64_t ih = 0; ih < win.in[1]; ++ih) {
      for (int64_t kd = 0; kd < win.kernel[0]; ++kd) {
        const int64_t od = id * win.stride[0] - win.pad_begin[0] + kd * win.dilation[0];
        if (od < 0 || od >= win.out[0]) continue;
        for (int64_t kh = 0; kh < win.kernel[1]; ++kh) {
          const int64_t oh = ih * win.stride[1] - win.pad_begin[1] + kh * win.dilation[1];
          if (oh < 0 || oh >= win.out[1]) continue;
          const double* f = filter + (kd * win.kernel[1] + kh) * win.kernel[2];
          double* row = y + (od * win.out[1] + oh) * win.out[2];
          const double* line = x + (id * win.in[1] + ih) * win.in[2];
          for (int64_t kw = 0; kw < win.kernel[2]; ++kw) {
            for (int64_t iw = 0; iw < win.in[2]; ++iw) {
              const int64_t ow = iw * win.stride[2] - win.pad_begin[2] + kw * win.dilation[2];
              if (ow >= 0 && ow < win.out[2]) row[ow] += f[kw] * line[iw];
            }
          }
        }
      }
    }
  }
}

void ConvolveTransposed(const ConvShape& s, const double* x, const double* w, double* y) {
  const int64_t icg = s.in_channels / s.group;
  const int64_t ocg = s.out_channels / s.group;
  for (int64_t n = 0; n < s.batch; ++n) {
    for (int64_t ic = 0; ic < s.in_channels; ++ic) {
      const int64_t g = ic / icg;
      for (int64_t oc = 0; oc < ocg; ++oc) {
        ScatterPlane(s.window, x + (n * s.in_channels + ic) * s.window.in_size(), w + (ic * ocg + oc) * s.window.taps(),
                     y + (n * s.out_channels + g * ocg + oc) * s.window.out_size());
      }
    }
  }
}

}  // namespace

absl::Status InferConv(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(CheckConvOperands(ctx));
  const Shape& x = ctx.shape(0);
  const Shape& w = ctx.shape(1);
  const int64_t group = ctx.attrs().Int("group", 1);
  if (x.dim(1) != kUnknownDim && (x.dim(1) % group != 0 || x.dim(1) / group != w.dim(1))) {
    return absl::InvalidArgumentError(
        absl::StrCat("input has ", x.dim(1), " channels in ", group, " groups but the weight takes ", w.dim(1), " channels per group"));
  }
  if (w.dim(0) % group != 0) {
    return absl::InvalidArgumentError(absl::StrCat(w.dim(0), " output channels do not divide into ", group, " groups"));
  }
  OMKIT_ASSIGN_OR_RETURN(const Window window, ResolveWindow(ctx.attrs(), w.dims().subspan(2), x.dims().subspan(2), false));
  return InferAccumulator(ctx, w.dim(0), ConvOutput(ctx, window, w.dim(0)));
}

absl::Status EvalConv(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  const Shape& w = ctx.input(1).shape();
  OMKIT_ASSIGN_OR_RETURN(const Window window, ResolveWindow(ctx.attrs, w.dims().subspan(2), x.dims().subspan(2), false));
  const ConvShape s = {FlattenPointwise(window), x.dim(0), x.dim(1), w.dim(0), ctx.attrs.Int("group", 1)};
  std::vector<double> sums(ctx.output(0).elements(), 0.0);
  Convolve(s, ReadActivation(ctx).data(), ReadWeights(ctx).data(), sums.data());
  return FinishAccumulators(ctx, sums, x.dim(0), w.dim(0), window.out_size());
}

absl::Status InferConvTranspose(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(CheckConvOperands(ctx));
  const Shape& x = ctx.shape(0);
  const Shape& w = ctx.shape(1);
  const int64_t group = ctx.attrs().Int("group", 1);
  if (Conflict(x.dim(1), w.dim(0))) {
    return absl::InvalidArgumentError(absl::StrCat("input has ", x.dim(1), " channels but the weight takes ", w.dim(0)));
  }
  if (w.dim(0) % group != 0) return absl::InvalidArgumentError(absl::StrCat(w.dim(0), " channels do not divide into ", group, " groups"));
  const CheckedSize channels = CheckedSize(w.dim(1)) * group;
  if (!channels.ok()) return absl::InvalidArgumentError("the number of output channels overflows");
  OMKIT_ASSIGN_OR_RETURN(const Window window, ResolveTransposedWindow(ctx.attrs(), w.dims().subspan(2), x.dims().subspan(2)));
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 1));
  if (ctx.has_input(2)) {
    OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 2, channels.value()));
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 2));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ConvOutput(ctx, window, channels.value()));
}

absl::Status EvalConvTranspose(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  const Shape& w = ctx.input(1).shape();
  const int64_t group = ctx.attrs.Int("group", 1);
  OMKIT_ASSIGN_OR_RETURN(const Window window, ResolveTransposedWindow(ctx.attrs, w.dims().subspan(2), x.dims().subspan(2)));
  const ConvShape s = {window, x.dim(0), x.dim(1), w.dim(1) * group, group};
  std::vector<double> sums(ctx.output(0).elements(), 0.0);
  if (ctx.has_input(2) && window.out_size() > 0) {
    const std::vector<double> bias = ReadReals(ctx.input(2));
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = bias[i / window.out_size() % s.out_channels];
  }
  ConvolveTransposed(s, ReadReals(ctx.input(0)).data(), ReadReals(ctx.input(1)).data(), sums.data());
  WriteReals(sums, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
