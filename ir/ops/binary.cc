// Elementwise arithmetic with numpy broadcasting; attributes of ONNX.
//
// Add, Sub and Mul may carry act_min and act_max (floats): a clamp of the result in real units, set by fusion passes. Their integer
// form (both operands and the output 8-bit, per tensor):
//   Add/Sub: RoundToQuantized(float(a - za) * (sa / sy) +- float(b - zb) * (sb / sy), zy, clamp)
//   Mul:     RoundToQuantized(float((a - za) * (b - zb)) * (sa * sb / sy), zy, clamp)
// Any other quantized combination is computed in float on dequantized values. Integers wrap; integer division truncates.
#include <cmath>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"
#include "ir/ops/requantize.h"

namespace omkit::ir {
namespace {

absl::Status InferArithmetic(InferContext& ctx) {
  Shape out = ctx.shape(0);
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.has_input(i)) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, i));
    OMKIT_ASSIGN_OR_RETURN(out, BroadcastShapes(out, ctx.shape(i)));
  }
  const RealRange clamp = ClampRealRange(ctx.attrs());
  if (!(clamp.min <= clamp.max)) return absl::InvalidArgumentError(absl::StrCat("act_min ", clamp.min, " is above act_max ", clamp.max));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out));
}

// y[i] = fn(a[i], b[i]) on compute values, for one row; steps in elements.
template <typename T, typename Fn>
void CombineRow(const void* a, int64_t step_a, const void* b, int64_t step_b, void* y, int64_t n) {
  const T* pa = static_cast<const T*>(a);
  const T* pb = static_cast<const T*>(b);
  T* py = static_cast<T*>(y);
  for (int64_t i = 0; i < n; ++i) py[i] = Element<T>::Store(Fn()(Element<T>::Load(pa[i * step_a]), Element<T>::Load(pb[i * step_b])));
}

// The walk over rows, which all functions and types share. The three tensors have one element size.
void Broadcast2(const Tensor& a, const Tensor& b, Tensor& out, void (*row)(const void*, int64_t, const void*, int64_t, void*, int64_t)) {
  const auto* pa = static_cast<const uint8_t*>(a.raw());
  const auto* pb = static_cast<const uint8_t*>(b.raw());
  auto* y = static_cast<uint8_t*>(out.mutable_raw());
  const auto size = static_cast<int64_t>(SizeOf(out.dtype()));
  ForEachRow<2>(out.shape().dims(), {BroadcastStrides(a.shape(), out.shape()), BroadcastStrides(b.shape(), out.shape())},
                [&](const auto& at, const auto& step, int64_t n) {
                  row(pa + at[0] * size, step[0], pb + at[1] * size, step[1], y, n);
                  y += n * size;
                });
}

// Signed overflow wraps: the arithmetic is done on unsigned values of at least 32 bits.
template <typename T>
using Wrapping = std::conditional_t<(sizeof(T) < 8), uint32_t, uint64_t>;

struct AddFn {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
    else return a + b;
  }
};
struct SubFn {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
    else return a - b;
  }
};
struct MulFn {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    else return a * b;
  }
};
// A zero divisor gives 0 here; EvalDiv and EvalMod refuse it before.
struct DivFn {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) return 0;
      if constexpr (std::is_signed_v<T>) {
        if (b == T(-1)) return SubFn()(T(0), a);
      }
      return static_cast<T>(a / b);
    } else {
      return a / b;
    }
  }
};
struct FmodFn {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(SubFn()(a, MulFn()(DivFn()(a, b), b)));
    else return std::fmod(a, b);
  }
};
// The remainder takes the sign of the divisor, as in Python.
struct FloorModFn {
  template <typename T>
  T operator()(T a, T b) const {
    const T r = FmodFn()(a, b);
    return r != 0 && ((r < 0) != (b < 0)) ? static_cast<T>(r + b) : r;
  }
};
struct MaxFn {
  template <typename T>
  T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct MinFn {
  template <typename T>
  T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};
struct PReluFn {
  template <typename T>
  T operator()(T x, T slope) const {
    return x < 0 ? MulFn()(x, slope) : x;
  }
};

template <typename Fn>
absl::Status EvalPlain(const Tensor& a, const Tensor& b, Tensor& out, Fn) {
  const bool known = DispatchNumeric(out.dtype(), [&](auto zero) { Broadcast2(a, b, out, CombineRow<decltype(zero), Fn>); });
  return known ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("no arithmetic on ", Name(out.dtype())));
}

void ClampReal(const Attrs& attrs, Tensor& out) {
  const RealRange range = ClampRealRange(attrs);
  if (!attrs.Has("act_min") && !attrs.Has("act_max")) return;
  DispatchFloat(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (T& v : absl::MakeSpan(out.mutable_data<T>(), out.elements())) {
      auto c = Element<T>::Load(v);
      c = c < range.min ? range.min : c;
      v = Element<T>::Store(c > range.max ? range.max : c);
    }
  });
}

// float(a - za) * ma + float(b - zb) * mb, or the product, per base/quant.h.
template <typename Combine>
void EvalInteger(const EvalContext& ctx, Combine&& combine) {
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  Tensor& out = ctx.output(0);
  const QuantParams& q = out.type().quant;
  const QuantRange range = ClampRange(ctx.attrs, q, out.dtype());
  const int32_t za = a.type().quant.zero_point[0];
  const int32_t zb = b.type().quant.zero_point[0];
  int64_t e = 0;
  ForEachRow<2>(out.shape().dims(), {BroadcastStrides(a.shape(), out.shape()), BroadcastStrides(b.shape(), out.shape())},
                [&](const auto& at, const auto& step, int64_t n) {
                  for (int64_t i = 0; i < n; ++i, ++e) {
                    const auto da = static_cast<int32_t>(IntegerAt(a, at[0] + i * step[0])) - za;
                    const auto db = static_cast<int32_t>(IntegerAt(b, at[1] + i * step[1])) - zb;
                    const int32_t v = RoundToQuantized(combine(da, db), q.zero_point[0], range.min, range.max);
                    if (out.dtype() == DType::kUInt8) out.mutable_data<uint8_t>()[e] = static_cast<uint8_t>(v);
                    else out.mutable_data<int8_t>()[e] = static_cast<int8_t>(v);
                  }
                });
}

bool IsInteger8(const EvalContext& ctx) {
  return IsInt8Activation(ctx.input(0).type()) && IsInt8Activation(ctx.input(1).type()) && IsInt8Activation(ctx.output(0).type());
}

// Real arithmetic for plain tensors and for quantized mixes, with the fused clamp.
template <typename Fn>
absl::Status EvalReal(const EvalContext& ctx, Fn fn) {
  OMKIT_ASSIGN_OR_RETURN(const Tensor a, Dequantized(ctx.input(0)));
  OMKIT_ASSIGN_OR_RETURN(const Tensor b, Dequantized(ctx.input(1)));
  Tensor& out = ctx.output(0);
  if (!out.type().quantized()) {
    OMKIT_RETURN_IF_ERROR(EvalPlain(a, b, out, fn));
    ClampReal(ctx.attrs, out);
    return absl::OkStatus();
  }
  OMKIT_ASSIGN_OR_RETURN(Tensor real, Tensor::Allocate(DType::kFloat32, out.shape()));
  if (a.dtype() != DType::kFloat32 || b.dtype() != DType::kFloat32) return absl::UnimplementedError("a quantized result of non-float32 operands");
  OMKIT_RETURN_IF_ERROR(EvalPlain(a, b, real, fn));
  ClampReal(ctx.attrs, real);
  WriteReals(ReadReals(real), &out);
  return absl::OkStatus();
}

// Folds fn over all inputs: y = fn(fn(x0, x1), x2)...
template <typename Fn>
absl::Status EvalVariadic(const EvalContext& ctx, Fn fn) {
  Tensor so_far = ctx.input(0);
  for (int i = 1; i < ctx.num_inputs(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(so_far.shape(), ctx.input(i).shape()));
    OMKIT_ASSIGN_OR_RETURN(Tensor next, Tensor::Allocate(so_far.dtype(), std::move(shape)));
    OMKIT_RETURN_IF_ERROR(EvalPlain(so_far, ctx.input(i), next, fn));
    so_far = std::move(next);
  }
  std::memcpy(ctx.output(0).mutable_raw(), so_far.raw(), ctx.output(0).bytes());
  return absl::OkStatus();
}

absl::Status RefuseZeroDivisor(const Tensor& divisor) {
  if (!IsInteger(divisor.dtype())) return absl::OkStatus();
  for (int64_t i = 0; i < divisor.elements(); ++i) {
    if (IntegerAt(divisor, i) == 0) return absl::InvalidArgumentError(absl::StrCat("integer division by zero (element ", i, " of input 1)"));
  }
  return absl::OkStatus();
}

// An exponent of whichever type: whole numbers exactly, everything else as the double that std::pow takes.
struct Exponent {
  bool whole;  // of an integer type and not negative
  uint64_t power;
  double real;
};
Exponent ReadExponent(const Tensor& b, int64_t i) {
  Exponent e = {false, 0, 0};
  DispatchNumeric(b.dtype(), [&](auto zero) {
    const auto v = Element<decltype(zero)>::Load(b.data<decltype(zero)>()[i]);
    e.real = static_cast<double>(v);
    if constexpr (!kIsFloat<decltype(zero)>) {
      e.whole = v >= 0;
      e.power = static_cast<uint64_t>(v);
    }
  });
  return e;
}

template <typename B>
B Power(B base, const Exponent& exponent) {
  if constexpr (std::is_integral_v<B>) {
    if (exponent.whole) {
      B result = 1;
      for (uint64_t e = exponent.power; e != 0; e >>= 1) {
        if (e & 1) result = MulFn()(result, base);
        base = MulFn()(base, base);
      }
      return result;
    }
  }
  const double p = std::pow(static_cast<double>(base), exponent.real);
  if constexpr (std::is_integral_v<B>) return TruncateTo<B>(p);
  else return static_cast<B>(p);
}

template <typename T>
void PowTyped(const EvalContext& ctx) {
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  Tensor& out = ctx.output(0);
  T* y = out.mutable_data<T>();
  ForEachRow<2>(out.shape().dims(), {BroadcastStrides(a.shape(), out.shape()), BroadcastStrides(b.shape(), out.shape())},
                [&](const auto& at, const auto& step, int64_t n) {
                  Exponent e = ReadExponent(b, at[1]);
                  for (int64_t i = 0; i < n; ++i) {
                    if (i > 0 && step[1] != 0) e = ReadExponent(b, at[1] + i * step[1]);
                    *y++ = Element<T>::Store(Power(Element<T>::Load(a.data<T>()[at[0] + i * step[0]]), e));
                  }
                });
}

}  // namespace

absl::Status InferAdd(InferContext& ctx) { return InferArithmetic(ctx); }
absl::Status InferSub(InferContext& ctx) { return InferArithmetic(ctx); }
absl::Status InferMul(InferContext& ctx) { return InferArithmetic(ctx); }
absl::Status InferDiv(InferContext& ctx) { return InferArithmetic(ctx); }
absl::Status InferMax(InferContext& ctx) { return InferArithmetic(ctx); }
absl::Status InferMin(InferContext& ctx) { return InferArithmetic(ctx); }

absl::Status EvalAdd(const EvalContext& ctx) {
  if (!IsInteger8(ctx)) return EvalReal(ctx, AddFn());
  const float out_scale = ctx.output(0).type().quant.scale[0];
  const float ma = Multiplier(ctx.input(0).type().quant.scale[0], 1.0f, out_scale);
  const float mb = Multiplier(ctx.input(1).type().quant.scale[0], 1.0f, out_scale);
  EvalInteger(ctx, [=](int32_t a, int32_t b) { return static_cast<float>(a) * ma + static_cast<float>(b) * mb; });
  return absl::OkStatus();
}

absl::Status EvalSub(const EvalContext& ctx) {
  if (!IsInteger8(ctx)) return EvalReal(ctx, SubFn());
  const float out_scale = ctx.output(0).type().quant.scale[0];
  const float ma = Multiplier(ctx.input(0).type().quant.scale[0], 1.0f, out_scale);
  const float mb = Multiplier(ctx.input(1).type().quant.scale[0], 1.0f, out_scale);
  EvalInteger(ctx, [=](int32_t a, int32_t b) { return static_cast<float>(a) * ma - static_cast<float>(b) * mb; });
  return absl::OkStatus();
}

absl::Status EvalMul(const EvalContext& ctx) {
  if (!IsInteger8(ctx)) return EvalReal(ctx, MulFn());
  const float m = Multiplier(ctx.input(0).type().quant.scale[0], ctx.input(1).type().quant.scale[0], ctx.output(0).type().quant.scale[0]);
  EvalInteger(ctx, [=](int32_t a, int32_t b) { return static_cast<float>(a * b) * m; });
  return absl::OkStatus();
}

absl::Status EvalDiv(const EvalContext& ctx) {
  OMKIT_RETURN_IF_ERROR(RefuseZeroDivisor(ctx.input(1)));
  return EvalPlain(ctx.input(0), ctx.input(1), ctx.output(0), DivFn());
}

absl::Status EvalMax(const EvalContext& ctx) { return EvalVariadic(ctx, MaxFn()); }
absl::Status EvalMin(const EvalContext& ctx) { return EvalVariadic(ctx, MinFn()); }

absl::Status InferMod(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(InferArithmetic(ctx));
  if (IsFloat(ValueDType(ctx, 0)) && ctx.attrs().Int("fmod", 0) == 0) {
    return absl::InvalidArgumentError("Mod of floats needs the attribute fmod = 1");
  }
  return absl::OkStatus();
}

absl::Status EvalMod(const EvalContext& ctx) {
  OMKIT_RETURN_IF_ERROR(RefuseZeroDivisor(ctx.input(1)));
  if (ctx.attrs.Int("fmod", 0) != 0) return EvalPlain(ctx.input(0), ctx.input(1), ctx.output(0), FmodFn());
  return EvalPlain(ctx.input(0), ctx.input(1), ctx.output(0), FloorModFn());
}

absl::Status InferPow(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 1));
  OMKIT_ASSIGN_OR_RETURN(Shape out, BroadcastShapes(ctx.shape(0), ctx.shape(1)));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out));
}

absl::Status EvalPow(const EvalContext& ctx) {
  const bool known = (IsFloat(ctx.input(1).dtype()) || IsInteger(ctx.input(1).dtype())) &&
                     DispatchNumeric(ctx.input(0).dtype(), [&](auto base) { PowTyped<decltype(base)>(ctx); });
  return known ? absl::OkStatus() : absl::InvalidArgumentError("Pow takes numeric tensors");
}

absl::Status InferPRelu(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 1));
  if (!BroadcastsTo(ctx.shape(1), ctx.shape(0))) {
    return absl::InvalidArgumentError(absl::StrCat("slope of shape ", ctx.shape(1).ToString(), " does not broadcast to ", ctx.shape(0).ToString()));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

absl::Status EvalPRelu(const EvalContext& ctx) { return EvalPlain(ctx.input(0), ctx.input(1), ctx.output(0), PReluFn()); }

}  // namespace omkit::ir
