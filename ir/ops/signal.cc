// Signal processing, as in ONNX: window functions and DFT (axis is input 2 as in opset 20; the length is input 1).
//
// Windows: attribute output_datatype is omkit's DType number (float32 when absent); the size must be a constant. A DFT of n points is
// summed directly, n^2 products per row, in double.
#include <algorithm>
#include <cmath>
#include <complex>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/axis_split.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

constexpr double kTwoPi = 6.28318530717958647692;

absl::Status InferWindow(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, 0));
  const int64_t number = ctx.attrs().Int("output_datatype", static_cast<int64_t>(DType::kFloat32));
  if (number < 1 || number > 255 || !IsValid(static_cast<DType>(number)) || static_cast<DType>(number) == DType::kBool) {
    return absl::InvalidArgumentError(absl::StrCat("attribute output_datatype is ", number, ", which is no numeric element type"));
  }
  int64_t size = kUnknownDim;
  if (ctx.constant(0) != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> given, ctx.ConstantInts(0));
    size = given[0];
    if (size < 0) return absl::InvalidArgumentError(absl::StrCat("the window's size is ", size));
  }
  return SetOutputChecked(ctx, 0, static_cast<DType>(number), {size});
}

// a0 - a1 cos(t) + a2 cos(2t)
absl::Status EvalWindow(const EvalContext& ctx, double a0, double a1, double a2) {
  const int64_t size = ctx.output(0).elements();
  const double period = static_cast<double>(ctx.attrs.Int("periodic", 1) != 0 ? size : size - 1);
  std::vector<double> y(size);
  for (int64_t i = 0; i < size; ++i) {
    const double t = period > 0 ? kTwoPi * static_cast<double>(i) / period : 0;
    y[i] = a0 - a1 * std::cos(t) + a2 * std::cos(2 * t);
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

// The transformed axis: never the last one, which holds real and imaginary parts.
absl::StatusOr<int> DftAxis(const Tensor* axis, int rank) {
  const int64_t given = axis == nullptr || axis->elements() != 1 ? -2 : IntegerAt(*axis, 0);
  OMKIT_ASSIGN_OR_RETURN(const int resolved, NormalizeAxis(given, rank));
  if (resolved == rank - 1) return absl::InvalidArgumentError("the axis is the last one, which holds real and imaginary parts");
  return resolved;
}

}  // namespace

absl::Status InferHannWindow(InferContext& ctx) { return InferWindow(ctx); }
absl::Status EvalHannWindow(const EvalContext& ctx) { return EvalWindow(ctx, 0.5, 0.5, 0); }
absl::Status InferHammingWindow(InferContext& ctx) { return InferWindow(ctx); }
absl::Status EvalHammingWindow(const EvalContext& ctx) { return EvalWindow(ctx, 25.0 / 46, 21.0 / 46, 0); }
absl::Status InferBlackmanWindow(InferContext& ctx) { return InferWindow(ctx); }
absl::Status EvalBlackmanWindow(const EvalContext& ctx) { return EvalWindow(ctx, 0.42, 0.5, 0.08); }

absl::Status InferDFT(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, kMaxRank));
  Shape out = ctx.shape(0);
  const int last = out.rank() - 1;
  if (out.dim(last) != 1 && out.dim(last) != 2) {
    return absl::InvalidArgumentError(absl::StrCat("input 0 has shape ", out.ToString(), "; its last dimension must be 1 (real) or 2 (complex)"));
  }
  for (int i : {1, 2}) {
    if (!ctx.has_input(i)) continue;
    OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, i));
    OMKIT_RETURN_IF_ERROR(ctx.ConstantInts(i).status());
  }
  OMKIT_ASSIGN_OR_RETURN(const int axis, DftAxis(ctx.constant(2), out.rank()));
  int64_t length = out.dim(axis);
  if (ctx.constant(1) != nullptr) {
    length = IntegerAt(*ctx.constant(1), 0);
    constexpr int64_t kMaxLength = int64_t{1} << 24;
    if (length < 1 || length > kMaxLength) return absl::InvalidArgumentError(absl::StrCat("dft_length is ", length));
  }
  const bool onesided = ctx.attrs().Int("onesided", 0) != 0;
  if (onesided && ctx.attrs().Int("inverse", 0) != 0) return absl::UnimplementedError("onesided and inverse together");
  out.set_dim(axis, onesided && length != kUnknownDim ? length / 2 + 1 : length);
  out.set_dim(last, 2);
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out));
}

absl::Status EvalDFT(const EvalContext& ctx) {
  const Shape& in = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const int axis, DftAxis(ctx.has_input(2) ? &ctx.input(2) : nullptr, in.rank()));
  const int last = in.rank() - 1;
  const int64_t outer = ProductOfDims(in, 0, axis), inner = ProductOfDims(in, axis + 1, last), parts = in.dim(last);
  const int64_t bins = ctx.output(0).shape().dim(axis);
  const int64_t length = ctx.has_input(1) ? IntegerAt(ctx.input(1), 0) : in.dim(axis);
  if (length < 1) return absl::OkStatus();
  const bool inverse = ctx.attrs.Int("inverse", 0) != 0;
  const int64_t given = std::min(length, in.dim(axis));
  if (bins > length || outer * bins * inner * 2 != ctx.output(0).elements()) {
    return absl::InvalidArgumentError("the sizes differ from those the shape was inferred with");
  }
  std::vector<std::complex<double>> turns(length);
  for (int64_t k = 0; k < length; ++k) {
    turns[k] = std::polar(1.0, (inverse ? kTwoPi : -kTwoPi) * static_cast<double>(k) / static_cast<double>(length));
  }
  const std::vector<double> x = ReadReals(ctx.input(0));
  std::vector<double> y(ctx.output(0).elements());
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      for (int64_t b = 0; b < bins; ++b) {
        std::complex<double> sum = 0;
        for (int64_t n = 0; n < given; ++n) {
          const double* v = x.data() + ((o * in.dim(axis) + n) * inner + i) * parts;
          sum += std::complex<double>(v[0], parts == 2 ? v[1] : 0) * turns[b * n % length];
        }
        if (inverse) sum /= static_cast<double>(length);
        double* out = y.data() + ((o * bins + b) * inner + i) * 2;
        out[0] = sum.real();
        out[1] = sum.imag();
      }
    }
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
