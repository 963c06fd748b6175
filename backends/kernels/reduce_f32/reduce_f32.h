// Float reductions over any set of axes, in a fixed order of summation. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_REDUCE_F32_REDUCE_F32_H_
#define OMKIT_BACKENDS_KERNELS_REDUCE_F32_REDUCE_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// The numbers are written into offline models: append only.
enum class ReduceF32 : int32_t {
  kSum = 0,
  kMean = 1,
  kMax = 2,
  kMin = 3,
  kL1 = 4,
  kL2 = 5,
  kSumSquare = 6,
  kProd = 7,
  kLogSum = 8,
  kLogSumExp = 9,
};

// Operands: 0 input f32, 1 output f32. Same rank; out.dims[k] is 1 on reduced axes and in.dims[k] elsewhere. Empty reductions are
// refused by verify.
struct ReduceF32Params {
  View in, out;
  ReduceF32 kind;
  uint32_t axes;  // bit k: axis k is reduced; at least one
};

// "reduce_f32.<isa>".
std::string ReduceF32Kernel(Isa isa);
void RegisterReduceF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_REDUCE_F32_REDUCE_F32_H_
