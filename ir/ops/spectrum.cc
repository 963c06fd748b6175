// STFT and MelWeightMatrix, as in ONNX 17; computed in double.
//
// STFT: signal [batch, length, 1 or 2], frame_step, optional window, optional frame_length (default: the window's); frame_step and
// frame_length must be constants. MelWeightMatrix: five scalars, constants where the shape needs them; attribute output_datatype is the
// number of omkit's DType.
#include <algorithm>
#include <cmath>
#include <complex>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

constexpr double kTwoPi = 6.28318530717958647692;
constexpr int64_t kLongestFrame = 1 << 20;

struct Frames {
  int64_t step = 0, length = 0, count = kUnknownDim, bins = 0;
};

absl::StatusOr<Frames> FramesOf(int64_t signal, int64_t step, int64_t length, bool onesided) {
  Frames f{step, length, kUnknownDim, onesided ? length / 2 + 1 : length};
  if (step < 1 || length < 1 || length > kLongestFrame)
    return absl::InvalidArgumentError(absl::StrCat("frames of ", length, " every ", step, " samples"));
  if (signal == kUnknownDim) return f;
  if (length > signal) return absl::InvalidArgumentError(absl::StrCat("a frame of ", length, " samples is longer than the signal of ", signal));
  f.count = (signal - length) / step + 1;
  return f;
}

double MelOf(double hertz) { return 2595 * std::log10(1 + hertz / 700); }

absl::StatusOr<int64_t> ConstantScalar(const InferContext& ctx, int i) {
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, i));
  OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, i));
  if (ctx.constant(i) == nullptr) return kUnknownDim;
  const int64_t value = IntegerAt(*ctx.constant(i), 0);
  if (value < 0 || value > kLongestFrame) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ", value));
  return value;
}

}  // namespace

absl::Status InferSTFT(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, 3));
  OMKIT_ASSIGN_OR_RETURN(const int64_t step, ConstantScalar(ctx, 1));
  int64_t length = kUnknownDim;
  if (ctx.has_input(3)) {
    OMKIT_ASSIGN_OR_RETURN(length, ConstantScalar(ctx, 3));
  }
  if (ctx.has_input(2)) {
    OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 2));
    OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 2, length));
    if (length == kUnknownDim) length = ctx.shape(2).dim(0);
  } else if (!ctx.has_input(3)) {
    return absl::InvalidArgumentError("neither a window nor a frame length is given");
  }
  if (ctx.shape(0).rank() == 3 && Conflict(ctx.shape(0).dim(2), 1) && Conflict(ctx.shape(0).dim(2), 2)) {
    return absl::InvalidArgumentError(absl::StrCat("the signal has shape ", ctx.shape(0).ToString()));
  }
  if (step == kUnknownDim || length == kUnknownDim) {
    return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape{ctx.shape(0).dim(0), kUnknownDim, kUnknownDim, 2});
  }
  OMKIT_ASSIGN_OR_RETURN(const Frames f, FramesOf(ctx.shape(0).dim(1), step, length, ctx.attrs().Int("onesided", 1) != 0));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape{ctx.shape(0).dim(0), f.count, f.bins, 2});
}

absl::Status EvalSTFT(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  const int64_t given = ctx.has_input(3) ? IntegerAt(ctx.input(3), 0) : ctx.input(2).elements();
  OMKIT_ASSIGN_OR_RETURN(const Frames f, FramesOf(shape.dim(1), IntegerAt(ctx.input(1), 0), given, ctx.attrs.Int("onesided", 1) != 0));
  const int64_t parts = shape.rank() == 3 ? shape.dim(2) : 1;
  if (ctx.output(0).elements() != shape.dim(0) * f.count * f.bins * 2)
    return absl::InvalidArgumentError("the sizes differ from those the shape was inferred with");
  const std::vector<double> x = ReadReals(ctx.input(0));
  std::vector<double> window(f.length, 1.0), y(ctx.output(0).elements());
  if (ctx.has_input(2)) window = ReadReals(ctx.input(2));
  std::vector<std::complex<double>> turns(f.length);
  for (int64_t k = 0; k < f.length; ++k) turns[k] = std::polar(1.0, -kTwoPi * static_cast<double>(k) / static_cast<double>(f.length));
  double* out = y.data();
  for (int64_t frame = 0; frame < shape.dim(0) * f.count; ++frame) {
    const double* from = x.data() + (frame / f.count * shape.dim(1) + frame % f.count * f.step) * parts;
    for (int64_t b = 0; b < f.bins; ++b, out += 2) {
      std::complex<double> sum = 0;
      for (int64_t n = 0; n < f.length; ++n) {
        const std::complex<double> sample(from[n * parts], parts == 2 ? from[n * parts + 1] : 0);
        sum += sample * window[n] * turns[b * n % f.length];
      }
      out[0] = sum.real(), out[1] = sum.imag();
    }
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferMelWeightMatrix(InferContext& ctx) {
  const int64_t number = ctx.attrs().Int("output_datatype", static_cast<int64_t>(DType::kFloat32));
  const auto dtype = static_cast<DType>(number);
  if (number < 1 || number > 255 || (!IsFloat(dtype) && !IsInteger(dtype))) {
    return absl::InvalidArgumentError(absl::StrCat("attribute output_datatype is ", number, ", which is no numeric element type"));
  }
  OMKIT_ASSIGN_OR_RETURN(const int64_t mels, ConstantScalar(ctx, 0));
  OMKIT_ASSIGN_OR_RETURN(const int64_t length, ConstantScalar(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ConstantScalar(ctx, 2).status());
  for (int i : {3, 4}) {
    OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, i));
  }
  return SetOutputChecked(ctx, 0, dtype, Shape{length == kUnknownDim ? kUnknownDim : length / 2 + 1, mels});
}

absl::Status EvalMelWeightMatrix(const EvalContext& ctx) {
  const int64_t mels = IntegerAt(ctx.input(0), 0), length = IntegerAt(ctx.input(1), 0), bins = length / 2 + 1;
  if (mels < 0 || length < 0 || ctx.output(0).elements() != mels * bins) {
    return absl::InvalidArgumentError("the sizes differ from those the shape was inferred with");
  }
  const double rate = static_cast<double>(IntegerAt(ctx.input(2), 0));
  const double low = MelOf(RealAt(ctx.input(3), 0)), step = (MelOf(RealAt(ctx.input(4), 0)) - low) / static_cast<double>(mels + 2);
  std::vector<int64_t> edge(mels + 2);
  for (int64_t i = 0; i < mels + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (static_cast<double>(i) * step + low) / 2595) - 1);
    const double bin = std::floor(static_cast<double>(length + 1) * hertz / rate);
    edge[i] = bin >= 0 ? static_cast<int64_t>(std::min(bin, static_cast<double>(bins))) : 0;
  }
  std::vector<double> y(mels * bins);
  for (int64_t m = 0; m < mels; ++m) {
    const int64_t left = edge[m], middle = edge[m + 1], right = edge[m + 2];
    if (left == middle && middle < bins) y[middle * mels + m] = 1;
    for (int64_t j = left; left < middle && j <= middle && j < bins; ++j)
      y[j * mels + m] = static_cast<double>(j - left) / static_cast<double>(middle - left);
    for (int64_t j = middle; middle < right && j < right && j < bins; ++j)
      y[j * mels + m] = static_cast<double>(right - j) / static_cast<double>(right - middle);
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
