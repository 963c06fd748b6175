// Functions of one element, with the attributes of ONNX. Float types are computed in double and rounded once.
//
// Abs, Clip, Neg, Relu and Sign also take integers. Clip: inputs 1 and 2 are min and max, scalars of x's type, each optional.
// Swish: x * sigmoid(alpha * x), alpha 1 by default.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

absl::Status InferFloatUnary(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

absl::Status InferNumericUnary(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

template <typename Fn>
absl::Status EvalFloat(const EvalContext& ctx, Fn fn) {
  const Tensor& x = ctx.input(0);
  const bool known = DispatchFloat(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = x.data<T>();
    T* out = ctx.output(0).mutable_data<T>();
    for (int64_t i = 0; i < x.elements(); ++i) {
      const double y = fn(static_cast<double>(Element<T>::Load(in[i])));
      out[i] = Element<T>::Store(static_cast<typename Element<T>::Compute>(y));
    }
  });
  return known ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("input 0 is ", Name(x.dtype()), ", expected a float type"));
}

// fn is called with the element's own compute type.
template <typename Fn>
absl::Status EvalNumeric(const EvalContext& ctx, Fn fn) {
  const Tensor& x = ctx.input(0);
  const bool known = DispatchNumeric(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = x.data<T>();
    T* out = ctx.output(0).mutable_data<T>();
    for (int64_t i = 0; i < x.elements(); ++i) out[i] = Element<T>::Store(fn(Element<T>::Load(in[i])));
  });
  return known ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("input 0 is ", Name(x.dtype()), ", expected a numeric type"));
}

// Negation that wraps on the smallest integer.
template <typename T>
T Negated(T v) {
  if constexpr (std::is_integral_v<T>) return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(v));
  else return -v;
}

double SigmoidOf(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double SoftplusOf(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

}  // namespace

#define OMKIT_FLOAT_UNARY(name, ...)                                           \
  absl::Status Infer##name(InferContext& ctx) { return InferFloatUnary(ctx); } \
  absl::Status Eval##name(const EvalContext& ctx) {                            \
    return EvalFloat(ctx, [](double x) -> double { return __VA_ARGS__; });     \
  }

OMKIT_FLOAT_UNARY(Acos, std::acos(x))
OMKIT_FLOAT_UNARY(Acosh, std::acosh(x))
OMKIT_FLOAT_UNARY(Asin, std::asin(x))
OMKIT_FLOAT_UNARY(Asinh, std::asinh(x))
OMKIT_FLOAT_UNARY(Atan, std::atan(x))
OMKIT_FLOAT_UNARY(Atanh, std::atanh(x))
OMKIT_FLOAT_UNARY(Cos, std::cos(x))
OMKIT_FLOAT_UNARY(Cosh, std::cosh(x))
OMKIT_FLOAT_UNARY(Sin, std::sin(x))
OMKIT_FLOAT_UNARY(Sinh, std::sinh(x))
OMKIT_FLOAT_UNARY(Tan, std::tan(x))
OMKIT_FLOAT_UNARY(Ceil, std::ceil(x))
OMKIT_FLOAT_UNARY(Erf, std::erf(x))
OMKIT_FLOAT_UNARY(Exp, std::exp(x))
OMKIT_FLOAT_UNARY(Floor, std::floor(x))
OMKIT_FLOAT_UNARY(HardSwish, x* std::min(std::max(x / 6 + 0.5, 0.0), 1.0))
OMKIT_FLOAT_UNARY(Log, std::log(x))
OMKIT_FLOAT_UNARY(Mish, x* std::tanh(SoftplusOf(x)))
OMKIT_FLOAT_UNARY(Reciprocal, 1 / x)
OMKIT_FLOAT_UNARY(Round, std::nearbyint(x))
OMKIT_FLOAT_UNARY(Sigmoid, SigmoidOf(x))
OMKIT_FLOAT_UNARY(Softplus, SoftplusOf(x))
OMKIT_FLOAT_UNARY(Softsign, x / (1 + std::fabs(x)))
OMKIT_FLOAT_UNARY(Sqrt, std::sqrt(x))
OMKIT_FLOAT_UNARY(Tanh, std::tanh(x))
#undef OMKIT_FLOAT_UNARY

absl::Status InferCelu(InferContext& ctx) {
  if (ctx.attrs().Float("alpha", 1.0f) == 0) return absl::InvalidArgumentError("attribute alpha is 0");
  return InferFloatUnary(ctx);
}
absl::Status EvalCelu(const EvalContext& ctx) {
  const double alpha = ctx.attrs.Float("alpha", 1.0f);
  return EvalFloat(ctx, [=](double x) { return std::max(0.0, x) + std::min(0.0, alpha * std::expm1(x / alpha)); });
}

absl::Status InferThresholdedRelu(InferContext& ctx) { return InferFloatUnary(ctx); }
absl::Status EvalThresholdedRelu(const EvalContext& ctx) {
  const double alpha = ctx.attrs.Float("alpha", 1.0f);
  return EvalFloat(ctx, [=](double x) { return x > alpha ? x : 0.0; });
}

absl::Status InferShrink(InferContext& ctx) { return InferNumericUnary(ctx); }
absl::Status EvalShrink(const EvalContext& ctx) {
  const double bias = ctx.attrs.Float("bias", 0.0f);
  const double lambda = ctx.attrs.Float("lambd", 0.5f);
  return EvalNumeric(ctx, [=](auto x) {
    const double v = static_cast<double>(x);
    return ConvertElement<decltype(x)>(v < -lambda ? v + bias : v > lambda ? v - bias : 0.0);
  });
}

absl::Status InferIsNaN(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  return SetOutputChecked(ctx, 0, DType::kBool, ctx.shape(0));
}
absl::Status EvalIsNaN(const EvalContext& ctx) {
  const std::vector<double> x = ReadReals(ctx.input(0));
  for (size_t i = 0; i < x.size(); ++i) ctx.output(0).mutable_data<bool>()[i] = std::isnan(x[i]);
  return absl::OkStatus();
}

absl::Status InferIsInf(InferContext& ctx) { return InferIsNaN(ctx); }
absl::Status EvalIsInf(const EvalContext& ctx) {
  const bool positive = ctx.attrs.Int("detect_positive", 1) != 0;
  const bool negative = ctx.attrs.Int("detect_negative", 1) != 0;
  const std::vector<double> x = ReadReals(ctx.input(0));
  for (size_t i = 0; i < x.size(); ++i) ctx.output(0).mutable_data<bool>()[i] = std::isinf(x[i]) && (x[i] > 0 ? positive : negative);
  return absl::OkStatus();
}

absl::Status InferElu(InferContext& ctx) { return InferFloatUnary(ctx); }
absl::Status EvalElu(const EvalContext& ctx) {
  const double alpha = ctx.attrs.Float("alpha", 1.0f);
  return EvalFloat(ctx, [=](double x) { return x < 0 ? alpha * std::expm1(x) : x; });
}

absl::Status InferGelu(InferContext& ctx) {
  const std::string mode = ctx.attrs().String("approximate", "none");
  if (mode != "none" && mode != "tanh") {
    return absl::InvalidArgumentError(absl::StrCat("attribute approximate is '", mode, "', allowed are none and tanh"));
  }
  return InferFloatUnary(ctx);
}
absl::Status EvalGelu(const EvalContext& ctx) {
  constexpr double kSqrtHalf = 0.70710678118654752440;
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
  if (ctx.attrs.String("approximate", "none") == "tanh") {
    return EvalFloat(ctx, [](double x) { return 0.5 * x * (1 + std::tanh(kSqrtTwoOverPi * (x + 0.044715 * x * x * x))); });
  }
  return EvalFloat(ctx, [](double x) { return 0.5 * x * (1 + std::erf(x * kSqrtHalf)); });
}

absl::Status InferHardSigmoid(InferContext& ctx) { return InferFloatUnary(ctx); }
absl::Status EvalHardSigmoid(const EvalContext& ctx) {
  const double alpha = ctx.attrs.Float("alpha", 0.2f);
  const double beta = ctx.attrs.Float("beta", 0.5f);
  return EvalFloat(ctx, [=](double x) { return std::max(0.0, std::min(1.0, alpha * x + beta)); });
}

absl::Status InferLeakyRelu(InferContext& ctx) { return InferFloatUnary(ctx); }
absl::Status EvalLeakyRelu(const EvalContext& ctx) {
  const double alpha = ctx.attrs.Float("alpha", 0.01f);
  return EvalFloat(ctx, [=](double x) { return x < 0 ? alpha * x : x; });
}

absl::Status InferSelu(InferContext& ctx) { return InferFloatUnary(ctx); }
absl::Status EvalSelu(const EvalContext& ctx) {
  const double alpha = ctx.attrs.Float("alpha", 1.67326319217681884765625f);
  const double gamma = ctx.attrs.Float("gamma", 1.05070102214813232421875f);
  return EvalFloat(ctx, [=](double x) { return gamma * (x > 0 ? x : alpha * std::expm1(x)); });
}

absl::Status InferSwish(InferContext& ctx) { return InferFloatUnary(ctx); }
absl::Status EvalSwish(const EvalContext& ctx) {
  const double alpha = ctx.attrs.Float("alpha", 1.0f);
  return EvalFloat(ctx, [=](double x) { return x * SigmoidOf(alpha * x); });
}

absl::Status InferAbs(InferContext& ctx) { return InferNumericUnary(ctx); }
absl::Status EvalAbs(const EvalContext& ctx) {
  return EvalNumeric(ctx, [](auto x) {
    if constexpr (std::is_floating_point_v<decltype(x)>) return std::fabs(x);
    else return x < 0 ? Negated(x) : x;
  });
}

absl::Status InferNeg(InferContext& ctx) { return InferNumericUnary(ctx); }
absl::Status EvalNeg(const EvalContext& ctx) {
  return EvalNumeric(ctx, [](auto x) { return Negated(x); });
}

absl::Status InferRelu(InferContext& ctx) { return InferNumericUnary(ctx); }
absl::Status EvalRelu(const EvalContext& ctx) {
  return EvalNumeric(ctx, [](auto x) { return x < 0 ? decltype(x)(0) : x; });
}

absl::Status InferSign(InferContext& ctx) { return InferNumericUnary(ctx); }
absl::Status EvalSign(const EvalContext& ctx) {
  return EvalNumeric(ctx, [](auto x) {
    using C = decltype(x);
    return x != x ? x : static_cast<C>(x > 0 ? C(1) : x < 0 ? Negated(C(1)) : C(0));
  });
}

absl::Status InferClip(InferContext& ctx) {
  for (int i : {1, 2}) {
    if (!ctx.has_input(i)) continue;
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, i));
    OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, i));
  }
  return InferNumericUnary(ctx);
}

absl::Status EvalClip(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  const bool known = DispatchNumeric(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using C = typename Element<T>::Compute;
    const bool infinite = std::numeric_limits<C>::has_infinity;
    C lo = infinite ? -std::numeric_limits<C>::infinity() : std::numeric_limits<C>::lowest();
    C hi = infinite ? std::numeric_limits<C>::infinity() : std::numeric_limits<C>::max();
    if (ctx.has_input(1)) lo = Element<T>::Load(ctx.input(1).template data<T>()[0]);
    if (ctx.has_input(2)) hi = Element<T>::Load(ctx.input(2).template data<T>()[0]);
    // min above max gives max everywhere, as ONNX says.
    for (int64_t i = 0; i < x.elements(); ++i) {
      C v = Element<T>::Load(x.data<T>()[i]);
      v = v < lo ? lo : v;
      ctx.output(0).template mutable_data<T>()[i] = Element<T>::Store(v > hi ? hi : v);
    }
  });
  return known ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("input 0 is ", Name(x.dtype())));
}

}  // namespace omkit::ir
