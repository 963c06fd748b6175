// A few output channels of an INT8 convolution or dense layer whose weights do not fit int8: uint8 activations times int16 weights. Models of
// quantization-aware training have such channels where their uint8 weights lie around a zero point far from 128. The step follows
// conv_u8 or dwconv_u8, which computes all channels, and writes these over again. Same contract, halo and arithmetic as conv_u8. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_WIDE_CONV_U8_WIDE_CONV_U8_H_
#define OMKIT_BACKENDS_KERNELS_WIDE_CONV_U8_WIDE_CONV_U8_H_

#include <cstdint>
#include <string>

#include "backends/kernels/conv_u8/conv_u8.h"

namespace omkit::kernels {

// Operands: 0 input u8, 1 weights int16[count][kernel_h][kernel_w][ic / groups], 2 bias int32[count] (zero point folded in), 3 multiplier
// f32[count], 4 output, of which only the channels are written, 5 channels int32[count], 6 residual u8 (only when has_residual), which
// must not be the output's memory.
struct WideConvU8Params {
  ConvU8Params conv;
  int32_t count;         // output channels, at least 1
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
};

// "wide_conv_u8.<isa>". Every tier has a row.
std::string WideConvU8Kernel(Isa isa);

void RegisterWideConvU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_WIDE_CONV_U8_WIDE_CONV_U8_H_
