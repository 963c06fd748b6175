// The toy DSP: what its compile side (compile.cc) and its run side (kernels.cc) agree on.
//
// The chip computes on 16-bit integers. A tensor in its memory is an image: one exponent for all elements and a 16-bit mantissa each,
// value = mantissa * 2^exponent ("block floating point", the usual form on fixed-point signal processors). Its multiplier takes two
// 16-bit pairs per cycle for four output channels and adds into wide accumulators:
//
//   acc[m] += w[m][k] * x[k] + w[m][k+1] * x[k+1]      m = 0..3
//
// so weights are packed as [output channels / 4][k / 2][4][2], zero padded, with one exponent per output channel; k runs over the
// input channels of a group and the taps of the kernel, in ONNX order. Results leave the chip as float.
#ifndef OMKIT_PLUGINS_TOY_DSP_CHIP_H_
#define OMKIT_PLUGINS_TOY_DSP_CHIP_H_

#include <cmath>
#include <cstdint>

#include "omkit/plugin.h"

namespace toy_dsp {

// Raise it when one of the structs below changes: models that were compiled before are then refused with a message.
constexpr uint32_t kParamsVersion = 1;

constexpr int kLanes = 4;         // output channels that are computed at once
constexpr int kPair = 2;          // products that are added at once
constexpr int kImageHeader = 64;  // bytes in front of an image's mantissas; the first four are its exponent

constexpr char kLoad[] = "toy_dsp.load";
constexpr char kConv[] = "toy_dsp.conv";
constexpr char kAdd[] = "toy_dsp.add";

// Operands: image (written), float tensor.
struct LoadParams {
  int64_t count;
};

// Operands: result in float (written), image of x, packed weights, int32 exponent and float bias of each output channel, and with
// has_residual a float tensor that is added to the result.
struct ConvParams {
  int64_t batch, in_channels, in_height, in_width;
  int64_t out_channels, out_height, out_width;
  int64_t kernel_height, kernel_width, stride_height, stride_width, dilation_height, dilation_width;
  int64_t pad_top, pad_left;
  int64_t group;
  int32_t has_residual;
  float act_min, act_max;
  int32_t reserved;
};

// Operands: result in float (written), image of a, image of b; b repeats: element i of the result reads b[i / inner % b_count].
struct AddParams {
  int64_t count, b_count, inner;
  float act_min, act_max;
};

inline int64_t RoundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }
// Elements of one output channel's weights, padded to pairs.
inline int64_t ReductionOf(const ConvParams& p) { return RoundUp(p.in_channels / p.group * p.kernel_height * p.kernel_width, kPair); }
// 16-bit elements of all packed weights.
inline int64_t PackedSize(const ConvParams& p) { return p.group * RoundUp(p.out_channels / p.group, kLanes) * ReductionOf(p); }

// The exponent with which `largest` magnitude just fits 16 bits.
inline int ExponentFor(float largest) {
  int exponent = 0;
  std::frexp(largest, &exponent);
  constexpr int kLeast = -100;  // 2^-exponent must be a finite float
  return (exponent < kLeast ? kLeast : exponent) - 15;
}

// Symmetric, so that a pair of products fits 32 bits.
inline int16_t ToMantissa(float value, float inverse_unit) {
  const float scaled = std::nearbyint(value * inverse_unit);
  return static_cast<int16_t>(scaled > 32767.0f ? 32767.0f : scaled < -32767.0f ? -32767.0f : scaled);
}

// The kernels, and what compile.cc adds to them.
extern const OmkitKernel kKernels[];
extern const uint32_t kKernelCount;
extern const OmkitCompiler kCompiler;
// Set by omkit_plugin_entry before anything else is called.
extern const OmkitHost* host;

int32_t Fail(OmkitError* error, int32_t code, const char* format, ...) __attribute__((format(printf, 3, 4)));

}  // namespace toy_dsp

#endif  // OMKIT_PLUGINS_TOY_DSP_CHIP_H_
