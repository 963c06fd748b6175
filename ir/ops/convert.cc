// Changes of element type.
//
// Cast: attribute to is the number of an omkit DType (base/dtype.h). Floats to integers truncate; values out of range clamp.
// Quantize and Dequantize are omkit's own: their parameters are the QuantParams of their tensors, per tensor or per slice of an axis.
// Quantize also takes a quantized tensor and changes its parameters with one rounding.
// QuantizeLinear and DequantizeLinear: ONNX 21 with scale and zero point as tensors, per tensor or per slice of attribute axis; the
// zero point gives the quantized type (uint8 without one). Blocked quantization is refused.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

// The zero point's type decides what a linear quantization stores.
absl::Status CheckScaleAndZero(const InferContext& ctx) {
  if (ctx.attrs().Int("block_size", 0) != 0) return absl::UnimplementedError("blocked quantization (block_size) is not supported");
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  const Shape& scale = ctx.shape(1);
  if (ctx.has_input(2) && ctx.shape(2) != scale && ctx.shape(2).IsStatic() && scale.IsStatic() && ctx.shape(2).elements() != scale.elements()) {
    return absl::InvalidArgumentError(absl::StrCat("scale has shape ", scale.ToString(), ", zero point ", ctx.shape(2).ToString()));
  }
  if (scale.rank() == 0 || (scale.rank() == 1 && scale.dim(0) == 1)) return absl::OkStatus();
  if (scale.rank() > 1) {
    return absl::UnimplementedError(absl::StrCat("a scale of shape ", scale.ToString(), " means blocked quantization, which is not supported"));
  }
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", 1), ctx.shape(0).rank()));
  if (!Conflict(scale.dim(0), ctx.shape(0).dim(axis))) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(scale.dim(0), " scales for axis ", axis, " of ", ctx.shape(0).ToString()));
}

// Which scale element `e` uses; `axis` only matters when there are several.
absl::StatusOr<SliceIndex> ScaleIndex(const EvalContext& ctx) {
  QuantParams params;
  params.scale.assign(ctx.input(1).elements(), 1.0f);
  if (params.scale.size() > 1) {
    OMKIT_ASSIGN_OR_RETURN(params.axis, NormalizeAxis(ctx.attrs.Int("axis", 1), ctx.input(0).shape().rank()));
  }
  return SliceIndex(ctx.input(0).shape(), params);
}

bool Is8Or16BitInteger(DType dtype) { return IsInteger(dtype) && SizeOf(dtype) <= 2; }

template <typename T>
void StoreAll(Tensor& out, T&& value_at) {
  DispatchNumeric(out.dtype(), [&](auto zero) {
    using E = decltype(zero);
    E* y = out.mutable_data<E>();
    for (int64_t i = 0; i < out.elements(); ++i) y[i] = ConvertElement<E>(value_at(i));
  });
}

void QuantizeReal(const Tensor& x, Tensor& out) {
  const QuantParams& q = out.type().quant;
  const SliceIndex slice(out.shape(), q);
  const QuantRange range = RangeOf(out.dtype());
  StoreAll(out, [&](int64_t i) {
    const int64_t s = slice(i);
    return QuantizeValue(static_cast<float>(RealAt(x, i)), q.scale[s], q.zero_point[s], range.min, range.max);
  });
}

// q -> q with one rounding; equal parameters copy.
void QuantizeAgain(const Tensor& x, Tensor& out) {
  const QuantParams& from = x.type().quant;
  const QuantParams& to = out.type().quant;
  const SliceIndex in_slice(x.shape(), from);
  const SliceIndex out_slice(out.shape(), to);
  const QuantRange range = RangeOf(out.dtype());
  StoreAll(out, [&](int64_t i) {
    const int64_t a = in_slice(i);
    const int64_t b = out_slice(i);
    const auto centered = static_cast<float>(static_cast<int32_t>(IntegerAt(x, i)) - from.zero_point[a]);
    return RoundToQuantized(centered * Multiplier(from.scale[a], 1.0f, to.scale[b]), to.zero_point[b], range.min, range.max);
  });
}

}  // namespace

absl::Status InferCast(InferContext& ctx) {
  const int64_t to = ctx.attrs().Int("to", 0);
  const auto dtype = static_cast<DType>(to);
  if (to < 1 || to > 255 || !IsValid(dtype)) return absl::InvalidArgumentError(absl::StrCat("attribute to is ", to, ", which is no element type"));
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  return SetOutputChecked(ctx, 0, dtype, ctx.shape(0));
}

absl::Status EvalCast(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  Tensor& out = ctx.output(0);
  DispatchDType(x.dtype(), [&](auto from) {
    DispatchDType(out.dtype(), [&](auto to) {
      const auto* in = x.data<decltype(from)>();
      auto* y = out.mutable_data<decltype(to)>();
      for (int64_t i = 0; i < x.elements(); ++i) y[i] = ConvertElement<decltype(to)>(in[i]);
    });
  });
  return absl::OkStatus();
}

absl::Status InferQuantize(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  const TensorType& out = ctx.known_output(0);
  if (!out.quantized()) return absl::InvalidArgumentError("the output must carry quantization parameters");
  OMKIT_RETURN_IF_ERROR(Annotate(ValidateQuantParams(out.quant, out.dtype), "output 0"));
  if (!IsInteger(out.dtype)) return absl::InvalidArgumentError(absl::StrCat("the output is quantized but of type ", Name(out.dtype)));
  const Shape& x = ctx.shape(0);
  if (out.quant.axis >= 0 && (out.quant.axis >= x.rank() || Conflict(x.dim(out.quant.axis), static_cast<int64_t>(out.quant.scale.size())))) {
    return absl::InvalidArgumentError(absl::StrCat(out.quant.scale.size(), " scales on axis ", out.quant.axis, " of ", x.ToString()));
  }
  return SetOutputChecked(ctx, 0, out.dtype, x);
}

absl::Status EvalQuantize(const EvalContext& ctx) {
  if (ctx.input(0).type().quantized()) QuantizeAgain(ctx.input(0), ctx.output(0));
  else QuantizeReal(ctx.input(0), ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferDequantize(InferContext& ctx) {
  if (!ctx.input(0).quantized()) return absl::InvalidArgumentError("input 0 carries no quantization parameters");
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  return SetOutputChecked(ctx, 0, DType::kFloat32, ctx.shape(0));
}

absl::Status EvalDequantize(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (ctx.output(0).type().quantized()) {
    QuantizeAgain(x, ctx.output(0));
    return absl::OkStatus();
  }
  const QuantParams& q = x.type().quant;
  const SliceIndex slice(x.shape(), q);
  StoreAll(ctx.output(0), [&](int64_t i) {
    const int64_t s = slice(i);
    return DequantizeValue(static_cast<int32_t>(IntegerAt(x, i)), q.scale[s], q.zero_point[s]);
  });
  return absl::OkStatus();
}

absl::Status InferQuantizeLinear(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(CheckScaleAndZero(ctx));
  const DType dtype = ctx.has_input(2) ? ctx.dtype(2) : DType::kUInt8;
  if (!Is8Or16BitInteger(dtype)) {
    return absl::InvalidArgumentError(absl::StrCat("the zero point is ", Name(dtype), ", expected an integer of 8 or 16 bits"));
  }
  return SetOutputChecked(ctx, 0, dtype, ctx.shape(0));
}

absl::Status EvalQuantizeLinear(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  Tensor& out = ctx.output(0);
  OMKIT_ASSIGN_OR_RETURN(const SliceIndex slice, ScaleIndex(ctx));
  const std::vector<double> scale = ReadReals(ctx.input(1));
  std::vector<int64_t> zero(scale.size(), 0);
  if (ctx.has_input(2)) zero = ReadIntegers(ctx.input(2));
  const QuantRange range = RangeOf(out.dtype());
  StoreAll(out, [&](int64_t i) {
    const int64_t s = slice(i);
    return QuantizeValue(static_cast<float>(RealAt(x, i)), static_cast<float>(scale[s]), static_cast<int32_t>(zero[s]), range.min, range.max);
  });
  return absl::OkStatus();
}

absl::Status InferDequantizeLinear(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(CheckScaleAndZero(ctx));
  const bool fits = Is8Or16BitInteger(ctx.dtype(0)) || ctx.dtype(0) == DType::kInt32;
  if (!fits || ctx.input(0).quantized()) {
    return absl::InvalidArgumentError(absl::StrCat("input 0 is ", ctx.input(0).ToString(), ", expected a plain integer tensor of 8, 16 or 32 bits"));
  }
  if (ctx.has_input(2)) OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 2));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 1), ctx.shape(0));
}

absl::Status EvalDequantizeLinear(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  OMKIT_ASSIGN_OR_RETURN(const SliceIndex slice, ScaleIndex(ctx));
  const std::vector<double> scale = ReadReals(ctx.input(1));
  std::vector<int64_t> zero(scale.size(), 0);
  if (ctx.has_input(2)) zero = ReadIntegers(ctx.input(2));
  StoreAll(ctx.output(0), [&](int64_t i) {
    const int64_t s = slice(i);
    return static_cast<float>(IntegerAt(x, i) - zero[s]) * static_cast<float>(scale[s]);
  });
  return absl::OkStatus();
}

}  // namespace omkit::ir
