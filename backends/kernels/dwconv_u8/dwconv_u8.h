// INT8 depthwise convolution with channel multiplier 1: same contract, halo and operands as conv_u8. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_U8_DWCONV_U8_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_U8_DWCONV_U8_H_

#include "backends/kernels/conv_u8/conv_u8.h"

namespace omkit::kernels {

// params.groups == input channels == output channels. Operands as in ConvU8Params, without a table; remainders are as many packed arrays, those
// behind the first of SplitWeights.
using DwConvU8Params = ConvU8Params;

// "dwconv_u8.<isa>". Kernels of any size, stride and dilation are correct; 3x3 and 5x5 with stride 1 or 2 are fast.
std::string DwConvU8Kernel(Isa isa);
// Weights w[channels][kernel_h][kernel_w] in the order that models hold, the same for every tier.
std::vector<uint8_t> PackDwConvU8Weights(const int8_t* w, int64_t channels, int64_t kernel_h, int64_t kernel_w);
void RegisterDwConvU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_U8_DWCONV_U8_H_
