// Float Softmax and LogSoftmax along one axis of views of any layout; Softmax can round its result to uint8 at once. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_SOFTMAX_F32_SOFTMAX_F32_H_
#define OMKIT_BACKENDS_KERNELS_SOFTMAX_F32_SOFTMAX_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input f32, 1 output f32 (may be the input's memory when the views are equal), or u8 when quantized. Same dims, rank >= 1.
struct SoftmaxF32Params {
  View in, out;
  int32_t axis;         // 0 <= axis < rank
  int32_t log_softmax;  // 1: x - max - log(sum e^(x - max))
  int32_t quantized;    // 1: QuantizeValue(softmax, scale, zero_point, 0, 255); the axis is the last and has stride 1 in both views
  float scale;
  int32_t zero_point;
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
};

// "softmax_f32.<isa>".
std::string SoftmaxF32Kernel(Isa isa);
void RegisterSoftmaxF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_SOFTMAX_F32_SOFTMAX_F32_H_
