#include "base/narrow.h"

#include <algorithm>
#include <cmath>

namespace omkit {
namespace {

// A sign bit, then exponent and mantissa bits.
struct Format {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  bool unsigned_zero;  // "FNUZ": the pattern of -0 is the only NaN
  bool has_infinity;   // IEEE: the highest exponent holds infinity and NaN
  bool has_nan;
};

Format FormatOf(DType dtype) {
  if (dtype == kFloat8E4M3FN) return {4, 3, 7, false, false, true};
  if (dtype == kFloat8E4M3FNUZ) return {4, 3, 8, true, false, true};
  if (dtype == kFloat8E5M2) return {5, 2, 15, false, true, true};
  if (dtype == kFloat8E5M2FNUZ) return {5, 2, 16, true, false, true};
  return {2, 1, 1, false, false, false};
}

uint8_t SignBit(const Format& f) { return static_cast<uint8_t>(1u << (f.exponent_bits + f.mantissa_bits)); }

// Magnitude bits of the largest finite value, of infinity, of NaN.
uint8_t Largest(const Format& f) {
  const auto all = static_cast<uint8_t>(SignBit(f) - 1);
  if (f.has_infinity) return static_cast<uint8_t>(all - (1u << f.mantissa_bits));
  return f.has_nan && !f.unsigned_zero ? static_cast<uint8_t>(all - 1) : all;
}
uint8_t NanBits(const Format& f) { return f.unsigned_zero ? SignBit(f) : static_cast<uint8_t>(SignBit(f) - 1); }

float Magnitude(const Format& f, uint8_t bits) {
  const int mantissa = bits & ((1 << f.mantissa_bits) - 1);
  const int exponent = bits >> f.mantissa_bits;
  if (exponent == 0) return std::ldexp(static_cast<float>(mantissa), 1 - f.bias - f.mantissa_bits);
  return std::ldexp(static_cast<float>(mantissa + (1 << f.mantissa_bits)), exponent - f.bias - f.mantissa_bits);
}

// Magnitude bits of a finite value, rounded; may come out above the largest one.
int RoundedBits(const Format& f, float magnitude) {
  if (magnitude == 0) return 0;
  int exponent;
  std::frexp(magnitude, &exponent);  // magnitude = [0.5, 1) * 2^exponent
  exponent = std::max(exponent - 1, 1 - f.bias);
  if (exponent + f.bias >= 1 << f.exponent_bits) return 256;
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, f.mantissa_bits - exponent)));
  // A carry out of the mantissa raises the exponent by itself; subnormals have no implicit bit.
  return ((exponent + f.bias - 1) << f.mantissa_bits) + steps;
}

}  // namespace

float FromNarrow(DType dtype, uint8_t bits) {
  if (dtype == kUInt4) return static_cast<float>(bits & 0xf);
  if (dtype == kInt4) return static_cast<float>(((bits & 0xf) ^ 8) - 8);
  const Format f = FormatOf(dtype);
  const auto magnitude = static_cast<uint8_t>(bits & (SignBit(f) - 1));
  const bool negative = (bits & SignBit(f)) != 0;
  if (f.unsigned_zero && negative && magnitude == 0) return NAN;
  if (!f.unsigned_zero && magnitude > Largest(f)) {
    if (f.has_infinity && magnitude == Largest(f) + 1) return negative ? -INFINITY : INFINITY;
    return NAN;
  }
  const float value = Magnitude(f, magnitude);
  return negative ? -value : value;
}

uint8_t ToNarrow(DType dtype, float value, bool saturate) {
  if (dtype == kUInt4) return std::isnan(value) ? 0 : static_cast<uint8_t>(std::nearbyint(std::clamp(value, 0.0f, 15.0f)));
  if (dtype == kInt4) return std::isnan(value) ? 0 : static_cast<uint8_t>(static_cast<int>(std::nearbyint(std::clamp(value, -8.0f, 7.0f))) & 0xf);
  const Format f = FormatOf(dtype);
  if (std::isnan(value)) return f.has_nan ? NanBits(f) : 0;
  const uint8_t sign = std::signbit(value) ? SignBit(f) : 0;
  const int bits = std::isinf(value) ? 256 : RoundedBits(f, std::fabs(value));
  if (bits == 0) return f.unsigned_zero ? 0 : sign;
  if (bits <= Largest(f)) return static_cast<uint8_t>(sign | bits);
  if (saturate || !f.has_nan) return static_cast<uint8_t>(sign | Largest(f));
  if (f.has_infinity) return static_cast<uint8_t>(sign | (Largest(f) + 1));
  return static_cast<uint8_t>(f.unsigned_zero ? NanBits(f) : sign | NanBits(f));
}

}  // namespace omkit
