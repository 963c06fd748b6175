// Strided copies and fills of elements of 1, 2, 4 or 8 bytes: transpose, layout change, concat, split, slice, pad, expand. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_COPY_COPY_H_
#define OMKIT_BACKENDS_KERNELS_COPY_COPY_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input, 1 output. Same dims and element size; input strides may be 0 (expand) or negative (slice with step < 0).
struct CopyParams {
  View in, out;
};
// "copy.<isa>".
std::string CopyKernel(Isa isa);

// Operands: 0 output. Sets every element of `out` except those whose first three indices all lie inside the box
// [skip_begin, skip_end) (skip_end[0] == 0: skip nothing): the halo of an image, the border of a Pad.
struct FillParams {
  View out;
  uint64_t value;  // the element's bytes, low end first
  int64_t skip_begin[3];
  int64_t skip_end[3];
};
// "fill.<isa>".
std::string FillKernel(Isa isa);

void RegisterCopyKernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_COPY_COPY_H_
