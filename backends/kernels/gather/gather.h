// Gather of slices along one axis of dense data by constant or runtime indices. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_GATHER_GATHER_H_
#define OMKIT_BACKENDS_KERNELS_GATHER_GATHER_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// out[outer][index_count][inner] = data[outer][axis][inner] at axis = indices[j]. Operands: 0 data, 1 indices (int32 or int64),
// 2 output. Negative indices count from the end; an index outside [-axis, axis) is clamped into the range, whatever the caller gave.
struct GatherParams {
  int64_t outer, axis, inner;
  int64_t index_count;
  int32_t element_size;  // 1, 2, 4 or 8
  int32_t index_size;    // 4 or 8
};

// "gather.<isa>".
std::string GatherKernel(Isa isa);
void RegisterGatherKernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_GATHER_GATHER_H_
