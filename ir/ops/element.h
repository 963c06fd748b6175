// Element arithmetic of the reference evaluators: what C++ type an element is computed in, and the conversions of Cast. Floor 2.
#ifndef OMKIT_IR_OPS_ELEMENT_H_
#define OMKIT_IR_OPS_ELEMENT_H_

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/dtype.h"

namespace omkit::ir {

// How elements of type T are loaded for arithmetic and stored again. The 16-bit floats compute in float.
template <typename T>
struct Element {
  using Compute = T;
  static T Load(T v) { return v; }
  static T Store(T v) { return v; }
};
template <>
struct Element<Float16> {
  using Compute = float;
  static float Load(Float16 v) { return FromFloat16(v); }
  static Float16 Store(float v) { return ToFloat16(v); }
};
template <>
struct Element<BFloat16> {
  using Compute = float;
  static float Load(BFloat16 v) { return FromBFloat16(v); }
  static BFloat16 Store(float v) { return ToBFloat16(v); }
};

template <typename T>
constexpr bool kIsFloat = std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

// Truncates toward zero and clamps to the range of the integer type; NaN gives 0.
template <typename Int>
Int TruncateTo(double v) {
  if (!(v == v)) return 0;
  // 2^digits is the first value above the range; it is exact in double where max() is not.
  const double above = std::ldexp(1.0, std::numeric_limits<Int>::digits);
  if (v >= above) return std::numeric_limits<Int>::max();
  if (v <= static_cast<double>(std::numeric_limits<Int>::min())) return std::numeric_limits<Int>::min();
  return static_cast<Int>(v);
}

// The conversion of ONNX Cast: floats to integers truncate (out of range: clamp), integers wrap, anything non-zero is true.
template <typename To, typename From>
To ConvertElement(From from) {
  const auto v = Element<From>::Load(from);
  if constexpr (std::is_same_v<To, bool>) return v != 0;
  else if constexpr (std::is_same_v<To, Float16> || std::is_same_v<To, BFloat16>) return Element<To>::Store(static_cast<float>(v));
  else if constexpr (std::is_integral_v<To> && kIsFloat<From>) return TruncateTo<To>(static_cast<double>(v));
  else return static_cast<To>(v);
}

// Like DispatchDType, for the four float types only; false for every other type.
template <typename Fn>
bool DispatchFloat(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kFloat32: fn(float{}); return true;
    case DType::kFloat16: fn(Float16{}); return true;
    case DType::kBFloat16: fn(BFloat16{}); return true;
    case DType::kFloat64: fn(double{}); return true;
    default: return false;
  }
}

// Floats and integers; false for bool.
template <typename Fn>
bool DispatchNumeric(DType dtype, Fn&& fn) {
  return dtype != DType::kBool && DispatchDType(dtype, [&](auto zero) {
           if constexpr (!std::is_same_v<decltype(zero), bool>) fn(zero);
         });
}

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_ELEMENT_H_
