// Weights, bias and multipliers as the depthwise tiers read them (blocks.h), laid out once at load in memory of the caller's
// choice. Floor 4; plain code without allocation, for the full runtime and the one without an operating system.
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_U8_CONSTANTS_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_U8_CONSTANTS_H_

#include <cstdint>

#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Bytes that the layout of verified parameters takes; 0: the tier reads the model's operands as they are.
int64_t DwConvU8ConstantsBytes(Isa isa, const DwConvU8Params& params);
// Writes them to `memory` (64-byte aligned) from the weight operands of the step and returns the kernel's state.
const void* LayOutDwConvU8Constants(Isa isa, const DwConvU8Params& params, void* const* operands, void* memory);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_U8_CONSTANTS_H_
