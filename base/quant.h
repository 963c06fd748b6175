// Affine quantization and the integer arithmetic contract of INT8 networks. Floor 1: the interpreter, the compiler and every
// kernel use these few functions, which is why they agree bit for bit.
//
//   real = scale * (q - zero_point)                                       (ONNX QuantizeLinear, opset 13)
//   output = clamp(roundHalfEven(float(acc) * multiplier) + zero_point)   one float multiply, one rounding
//
// Everything here is exact IEEE 754 single precision without fused multiply-add (the build sets -ffp-contract=off).
#ifndef OMKIT_BASE_QUANT_H_
#define OMKIT_BASE_QUANT_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "base/dtype.h"

namespace omkit {

// Parameters of one quantized tensor. Empty `scale` means: not quantized.
struct QuantParams {
  std::vector<float> scale;         // one entry, or one per slice along `axis`
  std::vector<int32_t> zero_point;  // same length as scale
  int axis = -1;                    // -1: per tensor

  bool quantized() const { return !scale.empty(); }
  bool per_tensor() const { return scale.size() == 1 && axis < 0; }
  static QuantParams PerTensor(float scale, int32_t zero_point) { return {{scale}, {zero_point}, -1}; }

  friend bool operator==(const QuantParams& a, const QuantParams& b) {
    return a.scale == b.scale && a.zero_point == b.zero_point && a.axis == b.axis;
  }
  friend bool operator!=(const QuantParams& a, const QuantParams& b) { return !(a == b); }
};

// Scales must be finite, normal and positive; zero points representable in `dtype`; lengths equal.
absl::Status ValidateQuantParams(const QuantParams& params, DType dtype);

struct QuantRange {
  int32_t min;
  int32_t max;
};
// [0,255] for uint8, [-128,127] for int8, and so on for the integer types up to 32 bits.
QuantRange RangeOf(DType dtype);

// Parameters of an asymmetric uint8 tensor over [lo, hi] widened to hold 0, which is exact; rounding the zero point moves the range by
// half a step at most. Ranges narrower than 8e-4 are widened.
QuantParams ChooseAsymmetricU8(float lo, float hi);
// Scale of a symmetric int8 slice with largest magnitude `amax` in [-127, 127]; 1 for an all-zero slice.
float ChooseSymmetricS8(float amax);

// Round to nearest, ties to even, of a value known to lie inside int32.
inline int32_t RoundHalfEven(float value) { return static_cast<int32_t>(std::lrintf(value)); }

// q = clamp(roundHalfEven(value / scale) + zero_point, qmin, qmax). NaN gives zero_point.
inline int32_t QuantizeValue(float value, float scale, int32_t zero_point, int32_t qmin, int32_t qmax) {
  const float lo = static_cast<float>(qmin - zero_point);
  const float hi = static_cast<float>(qmax - zero_point);
  float v = value / scale;
  if (!(v == v)) return zero_point;
  v = v < lo ? lo : v;
  v = v > hi ? hi : v;
  return RoundHalfEven(v) + zero_point;
}

inline float DequantizeValue(int32_t q, float scale, int32_t zero_point) { return static_cast<float>(q - zero_point) * scale; }

// float(a * b / c) computed in double: the multiplier that takes an accumulator of scale a*b to an output of scale c.
inline float Multiplier(float a, float b, float c) {
  return static_cast<float>(static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(c));
}

// The rounding step shared by all integer operators; `v` is already in units of the output scale.
inline int32_t RoundToQuantized(float v, int32_t zero_point, int32_t qmin, int32_t qmax) {
  const float lo = static_cast<float>(qmin - zero_point);
  const float hi = static_cast<float>(qmax - zero_point);
  v = v < lo ? lo : v;
  v = v > hi ? hi : v;
  return RoundHalfEven(v) + zero_point;
}

// acc -> q for convolutions, matrix products and pools.
inline int32_t Requantize(int32_t acc, float multiplier, int32_t zero_point, int32_t qmin, int32_t qmax) {
  return RoundToQuantized(static_cast<float>(acc) * multiplier, zero_point, qmin, qmax);
}

// acc plus a residual operand, one rounding: float(acc)*multiplier + float(residual - residual_zero)*residual_multiplier.
inline int32_t RequantizeAdd(int32_t acc, float multiplier, int32_t residual_minus_zero, float residual_multiplier, int32_t zero_point, int32_t qmin,
                             int32_t qmax) {
  const float main = static_cast<float>(acc) * multiplier;
  const float side = static_cast<float>(residual_minus_zero) * residual_multiplier;
  return RoundToQuantized(main + side, zero_point, qmin, qmax);
}

}  // namespace omkit

#endif  // OMKIT_BASE_QUANT_H_
