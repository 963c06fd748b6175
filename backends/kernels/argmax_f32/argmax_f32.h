// ArgMax and ArgMin of float data along one axis. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ARGMAX_F32_ARGMAX_F32_H_
#define OMKIT_BACKENDS_KERNELS_ARGMAX_F32_ARGMAX_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input f32, 1 output int64. Same rank; out.dims[axis] is 1, other dims are equal. NaN never wins against a number.
struct ArgMaxF32Params {
  View in, out;
  int32_t axis;
  int32_t minimum;      // 1: ArgMin
  int32_t select_last;  // ties: 0 first index, 1 last index
};

// "argmax_f32.<isa>".
std::string ArgMaxF32Kernel(Isa isa);
void RegisterArgMaxF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ARGMAX_F32_ARGMAX_F32_H_
