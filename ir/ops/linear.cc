// QuantizeLinear and DequantizeLinear of ONNX 23, with scale and zero point as tensors: per tensor, per slice of attribute axis (default 1),
// or per block of attribute block_size elements along that axis. Float8, float4 and 4-bit integers are quantized types too.
// Attribute output_dtype is the number of an omkit DType: the quantized type where no zero point gives it (default uint8), the result type
// of DequantizeLinear (default that of the scale). Attribute precision, a DType too: x / scale is rounded to it.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/narrow.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

bool IsQuantizedType(DType dtype) { return IsNarrow(dtype) || (IsInteger(dtype) && SizeOf(dtype) <= 2); }

// Shapes of x and scale: one scale, one per slice of the axis, or one per block.
absl::Status CheckScale(const InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  const Shape& x = ctx.shape(0);
  const Shape& scale = ctx.shape(1);
  if (ctx.has_input(2) && ctx.shape(2) != scale && ctx.shape(2).IsStatic() && scale.IsStatic() && ctx.shape(2).elements() != scale.elements()) {
    return absl::InvalidArgumentError(absl::StrCat("scale has shape ", scale.ToString(), ", zero point ", ctx.shape(2).ToString()));
  }
  const int64_t block = ctx.attrs().Int("block_size", 0);
  if (block < 0) return absl::InvalidArgumentError(absl::StrCat("block_size is ", block));
  if (block == 0 && (scale.rank() == 0 || (scale.rank() == 1 && scale.dim(0) == 1))) return absl::OkStatus();
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", 1), x.rank()));
  if (block == 0) {
    if (scale.rank() == 1 && !Conflict(scale.dim(0), x.dim(axis))) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("scale of shape ", scale.ToString(), " for axis ", axis, " of ", x.ToString()));
  }
  bool fits = scale.rank() == x.rank();
  for (int d = 0; fits && d < x.rank(); ++d) {
    const int64_t dim = x.dim(d) == kUnknownDim || d != axis ? x.dim(d) : x.dim(d) / block + (x.dim(d) % block != 0);
    fits = !Conflict(scale.dim(d), dim);
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("scale of shape ", scale.ToString(), " for blocks of ", block, " on axis ", axis, " of ", x.ToString()));
}

// Which scale element `e` of x uses.
struct ScaleIndex {
  int64_t operator()(int64_t e) const {
    if (scales == 1) return 0;
    const int64_t on_axis = e / inner % dim;
    return block == 0 ? on_axis : (e / (inner * dim) * blocks + on_axis / block) * inner + e % inner;
  }
  int64_t scales = 1, inner = 1, dim = 1, block = 0, blocks = 1;
};

absl::StatusOr<ScaleIndex> MakeScaleIndex(const EvalContext& ctx) {
  ScaleIndex index;
  index.scales = ctx.input(1).elements();
  if (index.scales == 1) return index;
  const Shape& x = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", 1), x.rank()));
  for (int d = axis + 1; d < x.rank(); ++d) index.inner *= x.dim(d);
  index.dim = x.dim(axis);
  index.block = ctx.attrs.Int("block_size", 0);
  if (index.block > 0) index.blocks = ctx.input(1).shape().dim(axis);
  return index;
}

double ElementAt(const Tensor& t, int64_t i) { return IsNarrow(t.dtype()) ? FromNarrow(t.dtype(), t.data<uint8_t>()[i]) : RealAt(t, i); }

std::vector<double> ZeroPoints(const EvalContext& ctx) {
  std::vector<double> zero(std::max<int64_t>(ctx.input(1).elements(), 1), 0.0);
  if (!ctx.has_input(2)) return zero;
  for (int64_t i = 0; i < ctx.input(2).elements(); ++i) zero[i] = ElementAt(ctx.input(2), i);
  return zero;
}

float RoundedTo(DType dtype, float value) {
  if (dtype == DType::kFloat16) return FromFloat16(ToFloat16(value));
  return dtype == DType::kBFloat16 ? FromBFloat16(ToBFloat16(value)) : value;
}

absl::StatusOr<DType> TypeAttribute(const InferContext& ctx, const char* name, DType fallback) {
  const int64_t number = ctx.attrs().Int(name, static_cast<int64_t>(fallback));
  if (number > 0 && number < 256 && IsValid(static_cast<DType>(number))) return static_cast<DType>(number);
  return absl::InvalidArgumentError(absl::StrCat("attribute ", name, " is ", number, ", which is no element type"));
}

}  // namespace

absl::Status InferQuantizeLinear(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(CheckScale(ctx));
  OMKIT_RETURN_IF_ERROR(TypeAttribute(ctx, "precision", DType::kFloat32).status());
  OMKIT_ASSIGN_OR_RETURN(DType dtype, TypeAttribute(ctx, "output_dtype", DType::kUInt8));
  if (ctx.has_input(2)) dtype = ctx.dtype(2);
  if (!IsQuantizedType(dtype)) {
    return absl::InvalidArgumentError(absl::StrCat("the quantized type is ", Name(dtype), ", expected one of at most 16 bits"));
  }
  return SetOutputChecked(ctx, 0, dtype, ctx.shape(0));
}

absl::Status EvalQuantizeLinear(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  Tensor& out = ctx.output(0);
  OMKIT_ASSIGN_OR_RETURN(const ScaleIndex index, MakeScaleIndex(ctx));
  const std::vector<double> scale = ReadReals(ctx.input(1));
  const std::vector<double> zero = ZeroPoints(ctx);
  const auto precision = static_cast<DType>(ctx.attrs.Int("precision", static_cast<int64_t>(DType::kFloat32)));
  if (IsNarrow(out.dtype())) {
    const bool integer = out.dtype() == kInt4 || out.dtype() == kUInt4;
    for (int64_t i = 0; i < x.elements(); ++i) {
      const int64_t s = index(i);
      const float steps = RoundedTo(precision, static_cast<float>(RealAt(x, i)) / static_cast<float>(scale[s]));
      const float value = integer && std::isfinite(steps) ? std::nearbyint(steps) : steps;
      out.mutable_data<uint8_t>()[i] = ToNarrow(out.dtype(), value + static_cast<float>(zero[s]), ctx.attrs.Int("saturate", 1) != 0);
    }
    return absl::OkStatus();
  }
  const QuantRange range = RangeOf(out.dtype());
  DispatchNumeric(out.dtype(), [&](auto kind) {
    using T = decltype(kind);
    for (int64_t i = 0; i < x.elements(); ++i) {
      const int64_t s = index(i);
      const float steps = RoundedTo(precision, static_cast<float>(RealAt(x, i)) / static_cast<float>(scale[s]));
      out.mutable_data<T>()[i] = ConvertElement<T>(QuantizeValue(steps, 1.0f, static_cast<int32_t>(zero[s]), range.min, range.max));
    }
  });
  return absl::OkStatus();
}

absl::Status InferDequantizeLinear(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(CheckScale(ctx));
  const bool fits = IsQuantizedType(ctx.dtype(0)) || ctx.dtype(0) == DType::kInt32;
  if (!fits || ctx.input(0).quantized()) {
    return absl::InvalidArgumentError(
        absl::StrCat("input 0 is ", ctx.input(0).ToString(), ", expected a plain integer tensor of 4 to 32 bits or a narrow float"));
  }
  if (ctx.has_input(2)) OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 2));
  OMKIT_ASSIGN_OR_RETURN(const DType dtype, TypeAttribute(ctx, "output_dtype", ValueDType(ctx, 1)));
  if (!IsFloat(dtype)) return absl::InvalidArgumentError(absl::StrCat("output_dtype is ", Name(dtype), ", expected a float type"));
  return SetOutputChecked(ctx, 0, dtype, ctx.shape(0));
}

absl::Status EvalDequantizeLinear(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  Tensor& out = ctx.output(0);
  OMKIT_ASSIGN_OR_RETURN(const ScaleIndex index, MakeScaleIndex(ctx));
  const std::vector<double> scale = ReadReals(ctx.input(1));
  const std::vector<double> zero = ZeroPoints(ctx);
  DispatchFloat(out.dtype(), [&](auto kind) {
    using T = decltype(kind);
    for (int64_t i = 0; i < x.elements(); ++i) {
      const int64_t s = index(i);
      out.mutable_data<T>()[i] = ConvertElement<T>(static_cast<float>(ElementAt(x, i) - zero[s]) * static_cast<float>(scale[s]));
    }
  });
  return absl::OkStatus();
}

}  // namespace omkit::ir
