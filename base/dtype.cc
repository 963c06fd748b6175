#include "base/dtype.h"

#include <cstring>

#include "base/narrow.h"

namespace omkit {
namespace {

struct DTypeRow {
  size_t size;
  const char* name;
  bool is_float;
  bool is_integer;
  bool is_narrow = false;
};

constexpr DTypeRow kRows[] = {
    {0, "undefined", false, false},
    {4, "float32", true, false},
    {2, "float16", true, false},
    {2, "bfloat16", true, false},
    {8, "float64", true, false},
    {1, "int8", false, true},
    {1, "uint8", false, true},
    {2, "int16", false, true},
    {2, "uint16", false, true},
    {4, "int32", false, true},
    {4, "uint32", false, true},
    {8, "int64", false, true},
    {8, "uint64", false, true},
    {1, "bool", false, false},
    {1, "float8e4m3fn", false, false, true},
    {1, "float8e4m3fnuz", false, false, true},
    {1, "float8e5m2", false, false, true},
    {1, "float8e5m2fnuz", false, false, true},
    {1, "uint4", false, false, true},
    {1, "int4", false, false, true},
    {1, "float4e2m1", false, false, true},
};

const DTypeRow& Row(DType dtype) {
  const auto i = static_cast<size_t>(dtype);
  return kRows[i < sizeof(kRows) / sizeof(kRows[0]) ? i : 0];
}

uint32_t Bits(float value) {
  uint32_t u;
  std::memcpy(&u, &value, sizeof u);
  return u;
}

float FromBits(uint32_t u) {
  float f;
  std::memcpy(&f, &u, sizeof f);
  return f;
}

}  // namespace

size_t SizeOf(DType dtype) { return Row(dtype).size; }
const char* Name(DType dtype) { return Row(dtype).name; }
bool IsFloat(DType dtype) { return Row(dtype).is_float; }
bool IsInteger(DType dtype) { return Row(dtype).is_integer; }
bool IsNarrow(DType dtype) { return Row(dtype).is_narrow; }
bool IsValid(DType dtype) { return Row(dtype).size != 0; }

Float16 ToFloat16(float value) {
  const uint32_t u = Bits(value);
  const auto sign = static_cast<uint16_t>((u >> 16) & 0x8000);
  const uint32_t magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<uint16_t>(sign | 0x7e00)};
  // 65520 is the smallest value that rounds to infinity.
  if (magnitude >= 0x477ff000) return {static_cast<uint16_t>(sign | 0x7c00)};
  if (magnitude < 0x38800000) {
    // Adding 0.5f lines the subnormal's bits up at the bottom of the sum; the addition rounds to nearest even.
    return {static_cast<uint16_t>(sign | (Bits(FromBits(magnitude) + 0.5f) - 0x3f000000))};
  }
  const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000;
  return {static_cast<uint16_t>(sign | (rounded >> 13))};
}

float FromFloat16(Float16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1f;
  const uint32_t mantissa = value.bits & 0x3ff;
  if (exponent == 0x1f) return FromBits(sign | 0x7f800000 | (mantissa << 13) | (mantissa != 0 ? 0x400000 : 0));
  if (exponent != 0) return FromBits(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float subnormal = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -subnormal : subnormal;
}

BFloat16 ToBFloat16(float value) {
  const uint32_t u = Bits(value);
  if ((u & 0x7fffffff) > 0x7f800000) return {static_cast<uint16_t>((u >> 16) | 0x40)};
  return {static_cast<uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16)};
}

float FromBFloat16(BFloat16 value) { return FromBits(static_cast<uint32_t>(value.bits) << 16); }

}  // namespace omkit
