// The order of packed depthwise weights per tier. Floor 4; the kernels' headers state the orders.
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_U8_PACK_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_U8_PACK_H_

#include <cstdint>

#include "base/checked.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Bytes of PackDwConvU8Weights; not ok() on overflow.
CheckedSize PackedDwConvU8Size(Isa isa, int64_t channels, int64_t kernel_h, int64_t kernel_w);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_U8_PACK_H_
