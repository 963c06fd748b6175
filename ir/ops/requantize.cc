#include "ir/ops/requantize.h"

#include <limits>

namespace omkit::ir {

std::vector<float> AccumulatorMultipliers(const QuantParams& x, const QuantParams& w, float out_scale, int64_t channels) {
  std::vector<float> multipliers(channels);
  for (int64_t m = 0; m < channels; ++m) {
    multipliers[m] = Multiplier(x.scale[0], w.scale[w.per_tensor() ? 0 : m], out_scale);
  }
  return multipliers;
}

float ProductMultiplier(const QuantParams& a, const QuantParams& b, float alpha, const TensorType& out) {
  const double scale = static_cast<double>(a.scale[0]) * static_cast<double>(b.scale[0]) * static_cast<double>(alpha);
  return static_cast<float>(out.quantized() ? scale / static_cast<double>(out.quant.scale[0]) : scale);
}

float ResidualMultiplier(const QuantParams& residual, float out_scale) { return Multiplier(residual.scale[0], 1.0f, out_scale); }

float AverageMultiplier(float in_scale, float out_scale, int64_t count) {
  return static_cast<float>(static_cast<double>(in_scale) / (static_cast<double>(out_scale) * static_cast<double>(count)));
}

QuantRange ClampRange(const Attrs& attrs, const QuantParams& out, DType dtype) {
  const QuantRange range = RangeOf(dtype);
  const RealRange real = ClampRealRange(attrs);
  return {QuantizeValue(real.min, out.scale[0], out.zero_point[0], range.min, range.max),
          QuantizeValue(real.max, out.scale[0], out.zero_point[0], range.min, range.max)};
}

RealRange ClampRealRange(const Attrs& attrs) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return {attrs.Float("act_min", -kInfinity), attrs.Float("act_max", kInfinity)};
}

bool IsInt8Activation(const TensorType& type) { return type.quant.per_tensor() && (type.dtype == DType::kUInt8 || type.dtype == DType::kInt8); }

}  // namespace omkit::ir
