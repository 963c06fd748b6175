// Depthwise weights in the model and as the tiers read them. Floor 4. The model holds one compact order, [tap][channel] with channels
// padded to 16; the tiers that interleave rows lay it out at load (constants.h): depthwise weights are few.
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_U8_PACK_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_U8_PACK_H_

#include <cstdint>

#include "base/checked.h"

namespace omkit::kernels {

// Channels are padded to this number with zero weights.
constexpr int64_t kDwPackedChannels = 16;
// Arrays of remainders that weights of 16 bits need at most.
constexpr int64_t kDwMaxRemainders = 258;

// Bytes of PackDwConvU8Weights; not ok() on overflow.
CheckedSize PackedDwConvU8Size(int64_t channels, int64_t kernel_h, int64_t kernel_w);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_U8_PACK_H_
