// Conversion of element types between views of any layout. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_CAST_CAST_H_
#define OMKIT_BACKENDS_KERNELS_CAST_CAST_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"
#include "base/dtype.h"

namespace omkit::kernels {

// Operands: 0 input, 1 output. Same dims. All types of DType but float64 and uint64. Float to integer truncates toward zero and clamps
// to the target's range, NaN gives 0; integer to narrower integer keeps the low bits; anything to bool is `value != 0`.
struct CastParams {
  View in, out;
  DType from, to;
  uint8_t reserved[6] = {};  // no padding, whose bytes would differ from file to file
};

// "cast.<isa>".
std::string CastKernel(Isa isa);
void RegisterCastKernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CAST_CAST_H_
