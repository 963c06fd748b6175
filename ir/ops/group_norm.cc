// Normalizations over groups of channels, windows of channels and chosen axes, as in ONNX: GroupNormalization (scale and bias per channel
// as in opset 21, or per group as in opset 18), Hardmax, LRN, LpNormalization, MeanVarianceNormalization. Sums in double.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/axis_split.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

absl::Status InferLikeFloat(InferContext& ctx, int min_rank) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, min_rank, kMaxRank));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

}  // namespace

absl::Status InferHardmax(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(InferLikeFloat(ctx, 1));
  return NormalizeAxis(ctx.attrs().Int("axis", -1), ctx.shape(0).rank()).status();
}

absl::Status EvalHardmax(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", -1), shape.rank()));
  const AxisSplit s = SplitAt(shape, axis);
  const std::vector<double> x = ReadReals(ctx.input(0));
  std::vector<double> y(x.size(), 0.0);
  for (int64_t e = 0; e < s.outer * s.inner && s.size > 0; ++e) {
    const int64_t row = e / s.inner * s.size * s.inner + e % s.inner;
    int64_t best = 0;
    for (int64_t k = 1; k < s.size; ++k) {
      if (x[row + k * s.inner] > x[row + best * s.inner]) best = k;
    }
    y[row + best * s.inner] = 1;
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferGroupNormalization(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(InferLikeFloat(ctx, 3));
  const int64_t groups = ctx.attrs().Int("num_groups", 0);
  const int64_t channels = ctx.shape(0).dim(1);
  if (groups < 1 || (channels != kUnknownDim && channels % groups != 0)) {
    return absl::InvalidArgumentError(absl::StrCat("attribute num_groups is ", groups, " for ", channels, " channels"));
  }
  for (int i : {1, 2}) {
    OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, i, 1, 1));
    if (Conflict(ctx.shape(i).dim(0), groups)) OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, i, channels));
  }
  return absl::OkStatus();
}

absl::Status EvalGroupNormalization(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  const int64_t groups = ctx.attrs.Int("num_groups", 1);
  const double epsilon = ctx.attrs.Float("epsilon", 1e-5f);
  const int64_t channels = shape.dim(1);
  const int64_t plane = ProductOfDims(shape, 2, shape.rank());
  const int64_t group = channels / groups * plane;
  const std::vector<double> scale = ReadReals(ctx.input(1)), bias = ReadReals(ctx.input(2));
  std::vector<double> x = ReadReals(ctx.input(0));
  if (x.empty()) return absl::OkStatus();
  const auto of = [&](const std::vector<double>& v, int64_t c) { return v[c * static_cast<int64_t>(v.size()) / channels]; };
  for (int64_t g = 0; g < shape.dim(0) * groups; ++g) {
    double* v = x.data() + g * group;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < group; ++i) sum += v[i];
    const double mean = sum / static_cast<double>(group);
    for (int64_t i = 0; i < group; ++i) squares += (v[i] - mean) * (v[i] - mean);
    const double factor = 1 / std::sqrt(squares / static_cast<double>(group) + epsilon);
    for (int64_t i = 0; i < group; ++i) {
      const int64_t c = g % groups * (channels / groups) + i / plane;
      v[i] = (v[i] - mean) * factor * of(scale, c) + of(bias, c);
    }
  }
  WriteReals(x, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferLRN(InferContext& ctx) {
  const int64_t size = ctx.attrs().Int("size", 0);
  constexpr int64_t kMaxSize = int64_t{1} << 30;
  if (size < 1 || size > kMaxSize) return absl::InvalidArgumentError(absl::StrCat("attribute size is ", size));
  return InferLikeFloat(ctx, 2);
}

absl::Status EvalLRN(const EvalContext& ctx) {
  const AxisSplit s = SplitAt(ctx.input(0).shape(), 1);
  const int64_t size = ctx.attrs.Int("size", 1);
  const double alpha = ctx.attrs.Float("alpha", 1e-4f), beta = ctx.attrs.Float("beta", 0.75f), bias = ctx.attrs.Float("bias", 1.0f);
  const std::vector<double> x = ReadReals(ctx.input(0));
  std::vector<double> y(x.size());
  for (int64_t e = 0; e < static_cast<int64_t>(x.size()); ++e) {
    const int64_t c = e / s.inner % s.size;
    double squares = 0;
    for (int64_t k = std::max<int64_t>(0, c - (size - 1) / 2); k <= std::min(s.size - 1, c + size / 2); ++k) {
      const double v = x[e + (k - c) * s.inner];
      squares += v * v;
    }
    y[e] = x[e] / std::pow(bias + alpha / static_cast<double>(size) * squares, beta);
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferLpNormalization(InferContext& ctx) {
  const int64_t p = ctx.attrs().Int("p", 2);
  if (p != 1 && p != 2) return absl::InvalidArgumentError(absl::StrCat("attribute p is ", p, ", allowed are 1 and 2"));
  OMKIT_RETURN_IF_ERROR(InferLikeFloat(ctx, 1));
  return NormalizeAxis(ctx.attrs().Int("axis", -1), ctx.shape(0).rank()).status();
}

absl::Status EvalLpNormalization(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", -1), shape.rank()));
  const AxisSplit s = SplitAt(shape, axis);
  const bool squared = ctx.attrs.Int("p", 2) == 2;
  std::vector<double> x = ReadReals(ctx.input(0));
  for (int64_t e = 0; e < s.outer * s.inner; ++e) {
    double* row = x.data() + e / s.inner * s.size * s.inner + e % s.inner;
    double norm = 0;
    for (int64_t k = 0; k < s.size; ++k) norm += squared ? row[k * s.inner] * row[k * s.inner] : std::fabs(row[k * s.inner]);
    if (squared) norm = std::sqrt(norm);
    for (int64_t k = 0; k < s.size && norm != 0; ++k) row[k * s.inner] /= norm;
  }
  WriteReals(x, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferMeanVarianceNormalization(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(InferLikeFloat(ctx, 1));
  for (int64_t axis : ctx.attrs().Ints("axes", {0, 2, 3})) OMKIT_RETURN_IF_ERROR(NormalizeAxis(axis, ctx.shape(0).rank()).status());
  return absl::OkStatus();
}

absl::Status EvalMeanVarianceNormalization(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  std::vector<bool> reduced(shape.rank(), false);
  for (int64_t a : ctx.attrs.Ints("axes", {0, 2, 3})) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(a, shape.rank()));
    reduced[axis] = true;
  }
  std::vector<int64_t> strides(shape.rank(), 0);
  int64_t kept = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    if (reduced[d]) continue;
    strides[d] = kept;
    kept *= shape.dim(d);
  }
  std::vector<double> x = ReadReals(ctx.input(0));
  if (x.empty()) return absl::OkStatus();
  const double count = static_cast<double>(static_cast<int64_t>(x.size()) / kept);
  std::vector<double> mean(kept, 0.0), squares(kept, 0.0);
  const auto each = [&](auto&& fn) {
    double* v = x.data();
    ForEachRow<1>(shape.dims(), {strides}, [&](const auto& at, const auto& step, int64_t n) {
      for (int64_t i = 0; i < n; ++i) fn(*v++, at[0] + i * step[0]);
    });
  };
  each([&](double& v, int64_t k) { mean[k] += v / count; });
  each([&](double& v, int64_t k) { squares[k] += (v - mean[k]) * (v - mean[k]) / count; });
  each([&](double& v, int64_t k) { v = (v - mean[k]) / (std::sqrt(squares[k]) + 1e-9); });
  WriteReals(x, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
