// Float functions of one or two elements over views of any layout, with our own polynomials: the same bits on every ISA.
// Broadcasting is a zero stride, a layout change costs no extra pass. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ELEMENTWISE_F32_ELEMENTWISE_F32_H_
#define OMKIT_BACKENDS_KERNELS_ELEMENTWISE_F32_ELEMENTWISE_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

enum class UnaryF32 : int32_t {
#define OMKIT_UNARY_F32(name, number) k##name = number,
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
};
enum class BinaryF32 : int32_t {
#define OMKIT_BINARY_F32(name, number) k##name = number,
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
};

// Operands: 0 input f32, 1 output f32 (may be the input's memory when the views are equal). Same dims.
struct UnaryF32Params {
  View in, out;
  UnaryF32 kind;
  float alpha, beta;       // see elementwise_f32.inc
  float act_min, act_max;  // clamp of the result; -infinity and infinity: none
  int32_t reserved = 0;    // no padding, whose bytes would differ from file to file
};

// Operands: 0 a f32, 1 b f32, 2 output f32. a, b and out have the same rank and dims; a broadcast dimension has stride 0.
struct BinaryF32Params {
  View a, b, out;
  BinaryF32 kind;
  float act_min, act_max;
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
};

// "unary_f32.<isa>".
std::string UnaryF32Kernel(Isa isa);
// "binary_f32.<isa>".
std::string BinaryF32Kernel(Isa isa);
void RegisterElementwiseF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ELEMENTWISE_F32_ELEMENTWISE_F32_H_
