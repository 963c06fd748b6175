// Element types of tensors, and the two 16-bit float formats. Floor 1.
#ifndef OMKIT_BASE_DTYPE_H_
#define OMKIT_BASE_DTYPE_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace omkit {

// The numbers are written into offline models: append only.
enum class DType : uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kFloat16 = 2,
  kBFloat16 = 3,
  kFloat64 = 4,
  kInt8 = 5,
  kUInt8 = 6,
  kInt16 = 7,
  kUInt16 = 8,
  kInt32 = 9,
  kUInt32 = 10,
  kInt64 = 11,
  kUInt64 = 12,
  kBool = 13,
};

// IEEE 754 binary16 held as bits.
struct Float16 {
  uint16_t bits = 0;
};
// The upper half of an IEEE 754 binary32.
struct BFloat16 {
  uint16_t bits = 0;
};

// Conversions round to nearest even, keep NaN quiet, and overflow to infinity.
Float16 ToFloat16(float value);
float FromFloat16(Float16 value);
BFloat16 ToBFloat16(float value);
float FromBFloat16(BFloat16 value);

// Bytes per element; 0 for kUndefined and for numbers outside the enum.
size_t SizeOf(DType dtype);
// "float32", "uint8", ...; "undefined" for anything else.
const char* Name(DType dtype);
bool IsFloat(DType dtype);
// Signed or unsigned integers of any width; bool is not one.
bool IsInteger(DType dtype);
bool IsValid(DType dtype);

template <typename T>
constexpr DType DTypeOf() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  else if constexpr (std::is_same_v<T, Float16>) return DType::kFloat16;
  else if constexpr (std::is_same_v<T, BFloat16>) return DType::kBFloat16;
  else if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
  else if constexpr (std::is_same_v<T, int8_t>) return DType::kInt8;
  else if constexpr (std::is_same_v<T, uint8_t>) return DType::kUInt8;
  else if constexpr (std::is_same_v<T, int16_t>) return DType::kInt16;
  else if constexpr (std::is_same_v<T, uint16_t>) return DType::kUInt16;
  else if constexpr (std::is_same_v<T, int32_t>) return DType::kInt32;
  else if constexpr (std::is_same_v<T, uint32_t>) return DType::kUInt32;
  else if constexpr (std::is_same_v<T, int64_t>) return DType::kInt64;
  else if constexpr (std::is_same_v<T, uint64_t>) return DType::kUInt64;
  else {
    static_assert(std::is_same_v<T, bool>, "no DType for this C++ type");
    return DType::kBool;
  }
}

// Calls `fn(T{})` with the C++ type of `dtype` and returns true; false for kUndefined.
//   DispatchDType(t.dtype(), [&](auto zero) { using T = decltype(zero); ... });
template <typename Fn>
bool DispatchDType(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kFloat32: fn(float{}); return true;
    case DType::kFloat16: fn(Float16{}); return true;
    case DType::kBFloat16: fn(BFloat16{}); return true;
    case DType::kFloat64: fn(double{}); return true;
    case DType::kInt8: fn(int8_t{}); return true;
    case DType::kUInt8: fn(uint8_t{}); return true;
    case DType::kInt16: fn(int16_t{}); return true;
    case DType::kUInt16: fn(uint16_t{}); return true;
    case DType::kInt32: fn(int32_t{}); return true;
    case DType::kUInt32: fn(uint32_t{}); return true;
    case DType::kInt64: fn(int64_t{}); return true;
    case DType::kUInt64: fn(uint64_t{}); return true;
    case DType::kBool: fn(bool{}); return true;
    case DType::kUndefined: return false;
  }
  return false;
}

}  // namespace omkit

#endif  // OMKIT_BASE_DTYPE_H_
