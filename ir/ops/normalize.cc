// Normalizations and softmax, as in ONNX; float types, sums in double.
//
// BatchNormalization is the inference form (inputs x, scale, B, mean, var; training_mode must be 0). LayerNormalization gives
// mean and inverse deviation too when it has those outputs. Softmax and LogSoftmax normalize one axis (opset 13); older coerced forms are rewritten
// by the importer.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/axis_split.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

absl::Status CheckChannelVectors(const InferContext& ctx, int first, int last) {
  for (int i = first; i <= last; ++i) {
    OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, i, ctx.shape(0).dim(1)));
  }
  return absl::OkStatus();
}

absl::Status SetLikeInput(InferContext& ctx) { return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0)); }

// Elements per channel of x[N, C, ...].
int64_t PlaneOf(const Shape& x) {
  int64_t plane = 1;
  for (int d = 2; d < x.rank(); ++d) plane *= x.dim(d);
  return plane;
}

absl::Status InferSoftmaxLike(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(NormalizeAxis(ctx.attrs().Int("axis", -1), ctx.shape(0).rank()).status());
  return SetLikeInput(ctx);
}

absl::Status EvalSoftmaxLike(const EvalContext& ctx, bool log) {
  const Shape& shape = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", -1), shape.rank()));
  const AxisSplit s = SplitAt(shape, axis);
  std::vector<double> x = ReadReals(ctx.input(0));
  for (int64_t o = 0; o < s.outer; ++o) {
    for (int64_t i = 0; i < s.inner; ++i) {
      double* row = x.data() + o * s.size * s.inner + i;
      double peak = -std::numeric_limits<double>::infinity();
      for (int64_t k = 0; k < s.size; ++k) peak = std::max(peak, row[k * s.inner]);
      double sum = 0;
      for (int64_t k = 0; k < s.size; ++k) sum += std::exp(row[k * s.inner] - peak);
      const double log_sum = std::log(sum);
      for (int64_t k = 0; k < s.size; ++k) {
        double& v = row[k * s.inner];
        v = log ? v - peak - log_sum : std::exp(v - peak) / sum;
      }
    }
  }
  WriteReals(x, &ctx.output(0));
  return absl::OkStatus();
}

struct Moments {
  double mean, variance;
};
Moments MomentsOf(const double* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {mean, squares / static_cast<double>(n)};
}

}  // namespace

absl::Status InferBatchNormalization(InferContext& ctx) {
  if (ctx.attrs().Int("training_mode", 0) != 0) {
    return absl::InvalidArgumentError("training_mode is 1; export the model in inference mode (model.eval())");
  }
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, kMaxRank));
  OMKIT_RETURN_IF_ERROR(CheckChannelVectors(ctx, 1, 4));
  return SetLikeInput(ctx);
}

absl::Status EvalBatchNormalization(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  const double epsilon = ctx.attrs.Float("epsilon", 1e-5f);
  const std::vector<double> scale = ReadReals(ctx.input(1)), bias = ReadReals(ctx.input(2));
  const std::vector<double> mean = ReadReals(ctx.input(3)), variance = ReadReals(ctx.input(4));
  std::vector<double> x = ReadReals(ctx.input(0));
  const int64_t plane = PlaneOf(shape);
  double* v = x.data();
  for (int64_t n = 0; n < shape.dim(0); ++n) {
    for (int64_t c = 0; c < shape.dim(1); ++c) {
      const double factor = scale[c] / std::sqrt(variance[c] + epsilon);
      for (int64_t i = 0; i < plane; ++i, ++v) *v = (*v - mean[c]) * factor + bias[c];
    }
  }
  WriteReals(x, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferInstanceNormalization(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, kMaxRank));
  OMKIT_RETURN_IF_ERROR(CheckChannelVectors(ctx, 1, 2));
  return SetLikeInput(ctx);
}

absl::Status EvalInstanceNormalization(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  const double epsilon = ctx.attrs.Float("epsilon", 1e-5f);
  const std::vector<double> scale = ReadReals(ctx.input(1)), bias = ReadReals(ctx.input(2));
  std::vector<double> x = ReadReals(ctx.input(0));
  const int64_t plane = PlaneOf(shape);
  double* v = x.data();
  for (int64_t n = 0; n < shape.dim(0); ++n) {
    for (int64_t c = 0; c < shape.dim(1); ++c) {
      const Moments m = MomentsOf(v, plane);
      const double factor = scale[c] / std::sqrt(m.variance + epsilon);
      for (int64_t i = 0; i < plane; ++i, ++v) *v = (*v - m.mean) * factor + bias[c];
    }
  }
  WriteReals(x, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferLayerNormalization(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(NormalizeAxis(ctx.attrs().Int("axis", -1), ctx.shape(0).rank()).status());
  for (int i : {1, 2}) {
    if (!ctx.has_input(i)) continue;
    OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    if (!BroadcastsTo(ctx.shape(i), ctx.shape(0))) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", i, " of shape ", ctx.shape(i).ToString(), " does not broadcast to ", ctx.shape(0).ToString()));
    }
  }
  Shape statistics = ctx.shape(0);
  for (int d = *NormalizeAxis(ctx.attrs().Int("axis", -1), statistics.rank()); d < statistics.rank(); ++d) statistics.set_dim(d, 1);
  for (int i = 1; i < ctx.num_outputs(); ++i) ctx.SetOutput(i, DType::kFloat32, statistics);
  return SetLikeInput(ctx);
}

absl::Status EvalLayerNormalization(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  const double epsilon = ctx.attrs.Float("epsilon", 1e-5f);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", -1), shape.rank()));
  const AxisSplit s = SplitAt(shape, axis);
  const int64_t row = s.size * s.inner;
  std::vector<double> x = ReadReals(ctx.input(0));
  std::vector<double> means(s.outer), factors(s.outer);
  for (int64_t o = 0; o < s.outer && row > 0; ++o) {
    double* v = x.data() + o * row;
    const Moments m = MomentsOf(v, row);
    const double factor = 1 / std::sqrt(m.variance + epsilon);
    means[o] = m.mean;
    factors[o] = factor;
    for (int64_t i = 0; i < row; ++i) v[i] = (v[i] - m.mean) * factor;
  }
  const std::vector<double> scale = ReadReals(ctx.input(1));
  const bool has_bias = ctx.has_input(2);
  const std::vector<double> bias = has_bias ? ReadReals(ctx.input(2)) : std::vector<double>{0.0};
  const std::vector<int64_t> bias_strides = has_bias ? BroadcastStrides(ctx.input(2).shape(), shape) : std::vector<int64_t>(shape.rank(), 0);
  double* v = x.data();
  ForEachRow<2>(shape.dims(), {BroadcastStrides(ctx.input(1).shape(), shape), bias_strides}, [&](const auto& at, const auto& step, int64_t n) {
    for (int64_t i = 0; i < n; ++i, ++v) *v = *v * scale[at[0] + i * step[0]] + bias[at[1] + i * step[1]];
  });
  WriteReals(x, &ctx.output(0));
  if (ctx.num_outputs() > 1) WriteReals(means, &ctx.output(1));
  if (ctx.num_outputs() > 2) WriteReals(factors, &ctx.output(2));
  return absl::OkStatus();
}

// x / sqrt(mean(x^2) + epsilon) * scale, over the dimensions from attribute axis on.
absl::Status InferRMSNormalization(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(NormalizeAxis(ctx.attrs().Int("axis", -1), ctx.shape(0).rank()).status());
  if (!BroadcastsTo(ctx.shape(1), ctx.shape(0))) {
    return absl::InvalidArgumentError(absl::StrCat("scale of shape ", ctx.shape(1).ToString(), " does not broadcast to ", ctx.shape(0).ToString()));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 1), ctx.shape(0));
}

absl::Status EvalRMSNormalization(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  const double epsilon = ctx.attrs.Float("epsilon", 1e-5f);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", -1), shape.rank()));
  const AxisSplit s = SplitAt(shape, axis);
  const int64_t row = s.size * s.inner;
  std::vector<double> x = ReadReals(ctx.input(0));
  for (int64_t o = 0; o < s.outer && row > 0; ++o) {
    double* v = x.data() + o * row;
    double squares = 0;
    for (int64_t i = 0; i < row; ++i) squares += v[i] * v[i];
    const double factor = 1 / std::sqrt(squares / static_cast<double>(row) + epsilon);
    for (int64_t i = 0; i < row; ++i) v[i] *= factor;
  }
  const std::vector<double> scale = ReadReals(ctx.input(1));
  double* v = x.data();
  ForEachRow<1>(shape.dims(), {BroadcastStrides(ctx.input(1).shape(), shape)}, [&](const auto& at, const auto& step, int64_t n) {
    for (int64_t i = 0; i < n; ++i, ++v) *v *= scale[at[0] + i * step[0]];
  });
  WriteReals(x, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferSoftmax(InferContext& ctx) { return InferSoftmaxLike(ctx); }
absl::Status EvalSoftmax(const EvalContext& ctx) { return EvalSoftmaxLike(ctx, false); }
absl::Status InferLogSoftmax(InferContext& ctx) { return InferSoftmaxLike(ctx); }
absl::Status EvalLogSoftmax(const EvalContext& ctx) { return EvalSoftmaxLike(ctx, true); }

}  // namespace omkit::ir
