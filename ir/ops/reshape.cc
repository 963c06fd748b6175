// Operators that leave the bytes as they are and change the dims: Flatten, Identity, Reshape, Squeeze, Unsqueeze.
#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/movement.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

// The target dims of a Reshape with 0 and -1 resolved as far as the input is known.
absl::StatusOr<Shape> ReshapedTo(const Attrs& attrs, const Shape& x, absl::Span<const int64_t> target) {
  const bool allow_zero = attrs.Int("allowzero", 0) != 0;
  Dims dims(target.begin(), target.end());
  int inferred = -1;
  for (int i = 0; i < static_cast<int>(dims.size()); ++i) {
    if (dims[i] == 0 && !allow_zero) {
      if (i >= x.rank()) return absl::InvalidArgumentError(absl::StrCat("target dimension ", i, " copies a dimension that ", x.ToString(), " lacks"));
      dims[i] = x.dim(i);
    } else if (dims[i] == -1) {
      if (inferred >= 0) return absl::InvalidArgumentError("the target shape has more than one -1");
      inferred = i;
    } else if (dims[i] < 0) {
      return absl::InvalidArgumentError(absl::StrCat("target dimension ", i, " is ", dims[i]));
    }
  }
  CheckedSize known = 1;
  bool all_known = true;
  for (int i = 0; i < static_cast<int>(dims.size()); ++i) {
    if (i == inferred) continue;
    if (dims[i] == kUnknownDim) all_known = false;
    else known = known * dims[i];
  }
  if (!known.ok()) return absl::InvalidArgumentError("the target shape overflows");
  if (!all_known || !x.IsStatic()) return Shape(std::move(dims));
  const int64_t total = x.elements();
  const std::string text = absl::StrCat("cannot reshape ", x.ToString(), " (", total, " elements) to ", Shape(target).ToString());
  if (inferred >= 0) {
    if (known.value() == 0 || total % known.value() != 0) return absl::InvalidArgumentError(text);
    dims[inferred] = total / known.value();
  } else if (known.value() != total) {
    return absl::InvalidArgumentError(text);
  }
  return Shape(std::move(dims));
}

// Axes as a set of flags over `rank` dims; repeated axes are refused.
absl::StatusOr<std::vector<bool>> AxisSet(absl::Span<const int64_t> axes, int rank) {
  std::vector<bool> set(rank, false);
  for (int64_t a : axes) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(a, rank));
    if (set[axis]) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is given twice"));
    set[axis] = true;
  }
  return set;
}

}  // namespace

absl::Status InferFlatten(InferContext& ctx) {
  const Shape& x = ctx.shape(0);
  int64_t axis = ctx.attrs().Int("axis", 1);
  if (axis < -x.rank() || axis > x.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is outside [", -x.rank(), ", ", x.rank(), "]"));
  }
  if (axis < 0) axis += x.rank();
  OMKIT_RETURN_IF_ERROR(SetMoved(ctx, x));  // checks that the products below cannot overflow
  const int a = static_cast<int>(axis);
  return SetMoved(ctx, {ProductOf(x.dims(), 0, a), ProductOf(x.dims(), a, x.rank())});
}
absl::Status EvalFlatten(const EvalContext& ctx) { return CopyAll(ctx); }

absl::Status InferIdentity(InferContext& ctx) { return SetMoved(ctx, ctx.shape(0)); }
absl::Status EvalIdentity(const EvalContext& ctx) { return CopyAll(ctx); }

absl::Status InferReshape(InferContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic, IsDynamic(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 1, 1));
  if (dynamic) return SetUnknownDims(ctx, ctx.shape(1).dim(0));
  OMKIT_ASSIGN_OR_RETURN(const Dims target, ctx.ConstantInts(1));
  OMKIT_RETURN_IF_ERROR(SetMoved(ctx, ctx.shape(0)));
  OMKIT_ASSIGN_OR_RETURN(Shape out, ReshapedTo(ctx.attrs(), ctx.shape(0), target));
  return SetMoved(ctx, std::move(out));
}
absl::Status EvalReshape(const EvalContext& ctx) { return CopyAll(ctx); }

absl::Status InferSqueeze(InferContext& ctx) {
  const Shape& x = ctx.shape(0);
  std::vector<bool> drop(x.rank(), false);
  if (ctx.has_input(1)) {
    OMKIT_ASSIGN_OR_RETURN(const Dims axes, ctx.ConstantInts(1));
    OMKIT_ASSIGN_OR_RETURN(drop, AxisSet(axes, x.rank()));
  } else {
    if (!x.IsStatic()) return absl::UnimplementedError(absl::StrCat("Squeeze without axes of the unknown shape ", x.ToString()));
    for (int d = 0; d < x.rank(); ++d) drop[d] = x.dim(d) == 1;
  }
  Dims dims;
  for (int d = 0; d < x.rank(); ++d) {
    if (!drop[d]) dims.push_back(x.dim(d));
    else if (Conflict(x.dim(d), 1)) return absl::InvalidArgumentError(absl::StrCat("axis ", d, " of ", x.ToString(), " is not 1"));
  }
  return SetMoved(ctx, Shape(std::move(dims)));
}
absl::Status EvalSqueeze(const EvalContext& ctx) { return CopyAll(ctx); }

absl::Status InferUnsqueeze(InferContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const Dims axes, ctx.ConstantInts(1));
  const int rank = ctx.shape(0).rank() + static_cast<int>(axes.size());
  if (rank > kMaxRank) return absl::InvalidArgumentError(absl::StrCat("rank ", rank, " is above the limit of ", kMaxRank));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<bool> added, AxisSet(axes, rank));
  Dims dims;
  int next = 0;
  for (int d = 0; d < rank; ++d) dims.push_back(added[d] ? 1 : ctx.shape(0).dim(next++));
  return SetMoved(ctx, Shape(std::move(dims)));
}
absl::Status EvalUnsqueeze(const EvalContext& ctx) { return CopyAll(ctx); }

}  // namespace omkit::ir
