// Bias and multipliers per slot and the places of remainders as the convolution tiers read them (blocks.h), laid out once at load in memory of the
// caller's choice. Floor 4; plain code without allocation, for the full runtime and the one without an operating system.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_CONSTANTS_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_CONSTANTS_H_

#include <cstdint>

#include "backends/kernels/conv_u8/conv_u8.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Bytes that the layout of verified parameters takes; 0: the tier reads the model's operands as they are.
int64_t ConvU8ConstantsBytes(Isa isa, const ConvU8Params& params);
// Writes them to `memory` (64-byte aligned) from the weight operands of the step and returns the kernel's state.
const void* LayOutConvU8Constants(Isa isa, const ConvU8Params& params, void* const* operands, void* memory);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_CONSTANTS_H_
