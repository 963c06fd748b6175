// CenterCropPad of ONNX 18: each axis is cropped, or padded with zeros, evenly on both sides; an odd element goes to the end.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/operand.h"

namespace omkit::ir {

absl::Status InferCenterCropPad(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
  Shape out = ctx.shape(0);
  std::vector<int64_t> axes(out.rank());
  std::iota(axes.begin(), axes.end(), int64_t{0});
  axes = ctx.attrs().Ints("axes", axes);
  OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 1, static_cast<int64_t>(axes.size())));
  std::vector<int64_t> target(axes.size(), kUnknownDim);
  if (ctx.constant(1) != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(target, ctx.ConstantInts(1));
    for (int64_t dim : target) {
      if (dim < 0) return absl::InvalidArgumentError(absl::StrCat("the target shape holds ", dim));
    }
  }
  if (target.size() != axes.size()) return absl::InvalidArgumentError("the target shape and the axes differ in number");
  for (size_t i = 0; i < axes.size(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(axes[i], out.rank()));
    out.set_dim(axis, target[i]);
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out));
}

absl::Status EvalCenterCropPad(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  Tensor& y = ctx.output(0);
  const size_t size = SizeOf(x.dtype());
  const std::vector<int64_t> from_strides = x.shape().Strides(), to_strides = y.shape().Strides();
  std::vector<int64_t> dims;
  int64_t from = 0, to = 0;
  for (int d = 0; d < x.shape().rank(); ++d) {
    const int64_t in = x.shape().dim(d), out = y.shape().dim(d);
    dims.push_back(std::min(in, out));
    from += std::max<int64_t>(0, in - out) / 2 * from_strides[d];
    to += std::max<int64_t>(0, out - in) / 2 * to_strides[d];
  }
  const auto* source = static_cast<const uint8_t*>(x.raw());
  auto* result = static_cast<uint8_t*>(y.mutable_raw());
  std::memset(result, 0, y.bytes());
  ForEachRow<2>(dims, {from_strides, to_strides}, [&](const auto& at, const auto& step, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      std::memcpy(result + (to + at[1] + i * step[1]) * size, source + (from + at[0] + i * step[0]) * size, size);
    }
  });
  return absl::OkStatus();
}

}  // namespace omkit::ir
