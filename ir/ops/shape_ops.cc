// Values that describe shapes, as in ONNX; they are constants once the input shapes are bound, and then fold away.
//
// ConstantOfShape: attribute value is a one-element tensor (float32 0 when absent).
#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

// The part [start, end) of the shape that Shape returns.
struct DimRange {
  int64_t begin, end;
};
DimRange ShapeRange(const Attrs& attrs, int64_t rank) {
  auto clamp = [&](int64_t v) { return std::min(std::max<int64_t>(v < 0 ? v + rank : v, 0), rank); };
  const int64_t begin = clamp(attrs.Int("start", 0));
  return {begin, std::max(begin, clamp(attrs.Int("end", rank)))};
}

const Tensor* FillValue(const Attrs& attrs) {
  const Attr* attr = attrs.Find("value");
  return attr == nullptr ? nullptr : std::get_if<Tensor>(attr);
}

// max(ceil((limit - start) / delta), 0), exact for integers.
absl::StatusOr<int64_t> RangeCount(const Tensor& start, const Tensor& limit, const Tensor& delta) {
  constexpr double kMaxCount = 1099511627776.0;  // 2^40
  double count = 0;
  if (IsInteger(start.dtype())) {
    const int64_t step = IntegerAt(delta, 0);
    if (step == 0) return absl::InvalidArgumentError("delta is 0");
    int64_t span = 0;
    if (__builtin_sub_overflow(IntegerAt(limit, 0), IntegerAt(start, 0), &span)) return absl::InvalidArgumentError("the range overflows");
    if (span == 0 || (span < 0) != (step < 0)) return 0;
    // (|span| - 1) / |step| + 1 without forming |min|.
    const uint64_t distance = span < 0 ? uint64_t{0} - static_cast<uint64_t>(span) : static_cast<uint64_t>(span);
    const uint64_t stride = step < 0 ? uint64_t{0} - static_cast<uint64_t>(step) : static_cast<uint64_t>(step);
    count = static_cast<double>((distance - 1) / stride + 1);
  } else {
    const double step = RealAt(delta, 0);
    if (step == 0 || step != step) return absl::InvalidArgumentError(absl::StrCat("delta is ", step));
    count = std::max(0.0, std::ceil((RealAt(limit, 0) - RealAt(start, 0)) / step));
  }
  if (!(count <= kMaxCount)) return absl::InvalidArgumentError(absl::StrCat("a range of ", count, " elements is above the limit of 2^40"));
  return static_cast<int64_t>(count);
}

}  // namespace

absl::Status InferConstantOfShape(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, 1));
  const Tensor* value = FillValue(ctx.attrs());
  if (value != nullptr && value->elements() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("attribute value has ", value->elements(), " elements, expected 1"));
  }
  const DType dtype = value == nullptr ? DType::kFloat32 : value->dtype();
  if (ctx.constant(0) == nullptr) {
    const int64_t rank = ctx.shape(0).dim(0);
    if (rank < 0 || rank > kMaxRank) return absl::UnimplementedError(absl::StrCat("an output of unknown rank (", rank, ")"));
    return SetOutputChecked(ctx, 0, dtype, Shape(std::vector<int64_t>(rank, kUnknownDim)));
  }
  OMKIT_ASSIGN_OR_RETURN(std::vector<int64_t> dims, ctx.ConstantInts(0));
  for (int64_t d : dims) {
    if (d < 0) return absl::InvalidArgumentError(absl::StrCat("dimension ", d, " is negative"));
  }
  return SetOutputChecked(ctx, 0, dtype, Shape(std::move(dims)));
}

absl::Status EvalConstantOfShape(const EvalContext& ctx) {
  const Tensor* value = FillValue(ctx.attrs);
  if (value == nullptr) return absl::OkStatus();  // outputs arrive zero-filled
  Tensor& out = ctx.output(0);
  const size_t size = SizeOf(out.dtype());
  auto* to = static_cast<uint8_t*>(out.mutable_raw());
  for (int64_t i = 0; i < out.elements(); ++i, to += size) std::memcpy(to, value->raw(), size);
  return absl::OkStatus();
}

absl::Status InferRange(InferContext& ctx) {
  for (int i = 0; i < 3; ++i) {
    OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, i));
    OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, i));
  }
  int64_t count = kUnknownDim;
  if (ctx.constant(0) != nullptr && ctx.constant(1) != nullptr && ctx.constant(2) != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(count, RangeCount(*ctx.constant(0), *ctx.constant(1), *ctx.constant(2)));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), {count});
}

absl::Status EvalRange(const EvalContext& ctx) {
  const Tensor& start = ctx.input(0);
  const Tensor& delta = ctx.input(2);
  Tensor& out = ctx.output(0);
  OMKIT_ASSIGN_OR_RETURN(const int64_t count, RangeCount(start, ctx.input(1), delta));
  if (count != out.elements()) return absl::InvalidArgumentError("the range differs from the one the shape was inferred with");
  if (IsInteger(start.dtype())) {
    std::vector<int64_t> values(count);
    for (int64_t i = 0; i < count; ++i) values[i] = IntegerAt(start, 0) + i * IntegerAt(delta, 0);
    WriteIntegers(values, &out);
  } else {
    std::vector<double> values(count);
    for (int64_t i = 0; i < count; ++i) values[i] = RealAt(start, 0) + static_cast<double>(i) * RealAt(delta, 0);
    WriteReals(values, &out);
  }
  return absl::OkStatus();
}

absl::Status InferShape(InferContext& ctx) {
  const DimRange range = ShapeRange(ctx.attrs(), ctx.shape(0).rank());
  return SetOutputChecked(ctx, 0, DType::kInt64, {range.end - range.begin});
}

absl::Status EvalShape(const EvalContext& ctx) {
  const Shape& shape = ctx.input(0).shape();
  const DimRange range = ShapeRange(ctx.attrs, shape.rank());
  for (int64_t d = range.begin; d < range.end; ++d) ctx.output(0).mutable_data<int64_t>()[d - range.begin] = shape.dim(static_cast<int>(d));
  return absl::OkStatus();
}

absl::Status InferSize(InferContext& ctx) { return SetOutputChecked(ctx, 0, DType::kInt64, {}); }

absl::Status EvalSize(const EvalContext& ctx) {
  ctx.output(0).mutable_data<int64_t>()[0] = ctx.input(0).elements();
  return absl::OkStatus();
}

}  // namespace omkit::ir
