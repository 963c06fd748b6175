// Changes of element type.
//
// Cast: attribute to is the number of an omkit DType (base/dtype.h). Floats to integers truncate; values out of range clamp. Narrow types
// (base/narrow.h) round; attribute saturate (default 1) says what their floats do beyond the largest value.
// Quantize and Dequantize are omkit's own: their parameters are the QuantParams of their tensors, per tensor or per slice of an axis.
// Quantize also takes a quantized tensor and changes its parameters with one rounding.
// QuantizeLinear and DequantizeLinear are in linear.cc.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/narrow.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

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

void CastNarrow(const Tensor& x, bool saturate, Tensor& out) {
  const auto value = [&](int64_t i) { return IsNarrow(x.dtype()) ? FromNarrow(x.dtype(), x.data<uint8_t>()[i]) : static_cast<float>(RealAt(x, i)); };
  if (IsNarrow(out.dtype())) {
    for (int64_t i = 0; i < x.elements(); ++i) out.mutable_data<uint8_t>()[i] = ToNarrow(out.dtype(), value(i), saturate);
    return;
  }
  DispatchDType(out.dtype(), [&](auto to) {
    for (int64_t i = 0; i < x.elements(); ++i) out.mutable_data<decltype(to)>()[i] = ConvertElement<decltype(to)>(value(i));
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
  if (IsNarrow(x.dtype()) || IsNarrow(out.dtype())) {
    CastNarrow(x, ctx.attrs.Int("saturate", 1) != 0, out);
    return absl::OkStatus();
  }
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

}  // namespace omkit::ir
