// Multipliers and clamp bounds of integer operators, from the quantization parameters of their operands. Floor 2: the interpreter
// and every backend's lowering call these, so that both sides hold the same floats. The arithmetic itself is base/quant.h.
#ifndef OMKIT_IR_OPS_REQUANTIZE_H_
#define OMKIT_IR_OPS_REQUANTIZE_H_

#include <cstdint>
#include <vector>

#include "base/quant.h"
#include "base/tensor.h"
#include "ir/attrs.h"

namespace omkit::ir {

// One multiplier per output channel of Conv or Dense: Multiplier(sx, sw[m], sy). Pass out_scale 1 for a float output.
std::vector<float> AccumulatorMultipliers(const QuantParams& x, const QuantParams& w, float out_scale, int64_t channels);

// float(sa * sb * alpha / sy) of a product of two activations; sy is 1 for a float output.
float ProductMultiplier(const QuantParams& a, const QuantParams& b, float alpha, const TensorType& out);

// Multiplier(sr, 1, sy) of a quantized residual, or sr itself for a float output (out_scale 1).
float ResidualMultiplier(const QuantParams& residual, float out_scale);

// float(sx / (sy * count)): average of `count` taps.
float AverageMultiplier(float in_scale, float out_scale, int64_t count);

// The dtype's range tightened by the attributes act_min and act_max quantized with the output's parameters.
QuantRange ClampRange(const Attrs& attrs, const QuantParams& out, DType dtype);

// act_min and act_max in real units; -inf and +inf when absent.
struct RealRange {
  float min;
  float max;
};
RealRange ClampRealRange(const Attrs& attrs);

// True for an 8-bit tensor with one scale: what integer evaluation takes as activation.
bool IsInt8Activation(const TensorType& type);

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_REQUANTIZE_H_
