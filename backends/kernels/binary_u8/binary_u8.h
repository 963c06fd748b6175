// INT8 Add, Sub and Mul with broadcasting by zero strides. Floor 4.
//   Add/Sub: q = RoundToQuantized(float(a - a_zero) * a_multiplier +- float(b - b_zero) * b_multiplier, out_zero, clamp_min, clamp_max)
//   Mul:     q = RoundToQuantized(float((a - a_zero) * (b - b_zero)) * a_multiplier, ...)
#ifndef OMKIT_BACKENDS_KERNELS_BINARY_U8_BINARY_U8_H_
#define OMKIT_BACKENDS_KERNELS_BINARY_U8_BINARY_U8_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

enum class BinaryU8Op : int32_t { kAdd = 0, kSub = 1, kMul = 2 };

// Operands: 0 a u8, 1 b u8, 2 output u8. a, b and out have the same rank and dims; a broadcast dimension has stride 0.
struct BinaryU8Params {
  View a, b, out;
  BinaryU8Op op;
  int32_t a_zero, b_zero, out_zero;
  float a_multiplier;  // scale_a / scale_out; Mul: scale_a * scale_b / scale_out
  float b_multiplier;  // scale_b / scale_out; unused by Mul
  int32_t clamp_min, clamp_max;
};

// "binary_u8.<isa>".
std::string BinaryU8Kernel(Isa isa);
void RegisterBinaryU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_BINARY_U8_BINARY_U8_H_
