// The order of packed convolution weights per tier. Floor 4; the kernels' headers state the orders.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_PACK_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_PACK_H_

#include <cstdint>

#include "base/checked.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Bytes of PackConvU8Weights; not ok() on overflow.
CheckedSize PackedConvU8Size(Isa isa, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups);
// Bytes of ConvU8Remainders of so many steps.
int64_t ConvU8RemaindersSize(Isa isa, int64_t steps, int64_t oc, int64_t ic_per_group, int64_t groups);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_PACK_H_
