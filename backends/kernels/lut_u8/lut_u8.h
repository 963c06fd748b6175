// Any function of one 8-bit element as a table of 256 bytes built at compile time: activations, requantization. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_LUT_U8_LUT_U8_H_
#define OMKIT_BACKENDS_KERNELS_LUT_U8_LUT_U8_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input u8, 1 table u8[256], 2 output u8. in and out have the same dims.
struct LutU8Params {
  View in, out;
};

// "lut_u8.<isa>".
std::string LutU8Kernel(Isa isa);
void RegisterLutU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_LUT_U8_LUT_U8_H_
