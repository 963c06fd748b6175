// ArgMax and ArgMin of floats or bytes along one axis. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ARGMAX_ARGMAX_H_
#define OMKIT_BACKENDS_KERNELS_ARGMAX_ARGMAX_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input f32 or u8 (by the element size of the view), 1 output int64. Same rank; out.dims[axis] is 1, other dims are equal. NaN never wins
// against a number.
struct ArgMaxParams {
  View in, out;
  int32_t axis;
  int32_t minimum;       // 1: ArgMin
  int32_t select_last;   // ties: 0 first index, 1 last index
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
};

// "argmax.<isa>".
std::string ArgMaxKernel(Isa isa);
void RegisterArgMaxKernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ARGMAX_ARGMAX_H_
