// The losses of ONNX as functions of the forward pass: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss (log_prob is output 1).
// Classes lie on axis 1; a target outside them that is not ignore_index is an error of the evaluation.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/axis_split.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

absl::Status InferLoss(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
  const Shape& x = ctx.shape(0);
  std::vector<int64_t> dims = {x.dim(0)};
  dims.insert(dims.end(), x.dims().begin() + 2, x.dims().end());
  bool same = ctx.shape(1).rank() == static_cast<int>(dims.size());
  for (int d = 0; same && d < ctx.shape(1).rank(); ++d) same = !Conflict(dims[d], ctx.shape(1).dim(d));
  if (!same) {
    return absl::InvalidArgumentError(absl::StrCat("the target has shape ", ctx.shape(1).ToString(), ", expected ", Shape(dims).ToString()));
  }
  if (ctx.has_input(2)) {
    OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 2));
    OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 2, x.dim(1)));
  }
  const std::string reduction = ctx.attrs().String("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    return absl::InvalidArgumentError(absl::StrCat("attribute reduction is '", reduction, "', allowed are none, sum and mean"));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), reduction == "none" ? Shape(dims) : Shape{});
}

// `log_prob` holds log probabilities of the shape of input 0.
absl::Status Loss(const EvalContext& ctx, const std::vector<double>& log_prob) {
  const AxisSplit s = SplitAt(ctx.input(0).shape(), 1);
  const std::string reduction = ctx.attrs.String("reduction", "mean");
  const bool ignores = ctx.attrs.Has("ignore_index");
  const int64_t ignored = ctx.attrs.Int("ignore_index", 0);
  const std::vector<double> weight = ctx.has_input(2) ? ReadReals(ctx.input(2)) : std::vector<double>(s.size, 1.0);
  std::vector<double> losses(s.outer * s.inner, 0.0);
  double sum = 0;
  double weights = 0;
  for (int64_t e = 0; e < s.outer * s.inner; ++e) {
    const int64_t target = IntegerAt(ctx.input(1), e);
    if (ignores && target == ignored) continue;
    if (target < 0 || target >= s.size) return absl::InvalidArgumentError(absl::StrCat("target ", target, " is outside ", s.size, " classes"));
    losses[e] = -log_prob[(e / s.inner * s.size + target) * s.inner + e % s.inner] * weight[target];
    sum += losses[e];
    weights += weight[target];
  }
  if (reduction != "none") losses = {reduction == "sum" ? sum : sum / weights};
  WriteReals(losses, &ctx.output(0));
  return absl::OkStatus();
}

void LogSoftmaxOverClasses(const AxisSplit& s, std::vector<double>& x) {
  for (int64_t e = 0; e < s.outer * s.inner; ++e) {
    double* row = x.data() + e / s.inner * s.size * s.inner + e % s.inner;
    double peak = -std::numeric_limits<double>::infinity();
    for (int64_t k = 0; k < s.size; ++k) peak = std::max(peak, row[k * s.inner]);
    double sum = 0;
    for (int64_t k = 0; k < s.size; ++k) sum += std::exp(row[k * s.inner] - peak);
    for (int64_t k = 0; k < s.size; ++k) row[k * s.inner] -= peak + std::log(sum);
  }
}

}  // namespace

absl::Status InferNegativeLogLikelihoodLoss(InferContext& ctx) { return InferLoss(ctx); }
absl::Status EvalNegativeLogLikelihoodLoss(const EvalContext& ctx) { return Loss(ctx, ReadReals(ctx.input(0))); }

absl::Status InferSoftmaxCrossEntropyLoss(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(InferLoss(ctx));
  if (ctx.num_outputs() < 2) return absl::OkStatus();
  return SetOutputChecked(ctx, 1, ValueDType(ctx, 0), ctx.shape(0));
}
absl::Status EvalSoftmaxCrossEntropyLoss(const EvalContext& ctx) {
  std::vector<double> x = ReadReals(ctx.input(0));
  LogSoftmaxOverClasses(SplitAt(ctx.input(0).shape(), 1), x);
  if (ctx.num_outputs() > 1) WriteReals(x, &ctx.output(1));
  return Loss(ctx, x);
}

}  // namespace omkit::ir
