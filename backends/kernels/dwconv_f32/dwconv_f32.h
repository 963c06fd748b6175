// Float depthwise convolution with channel multiplier 1: same contract, halo, order of sums and operands as conv_f32. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_F32_DWCONV_F32_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_F32_DWCONV_F32_H_

#include "backends/kernels/conv_f32/conv_f32.h"

namespace omkit::kernels {

// params.groups == input channels == output channels. Operands as in ConvF32Params.
using DwConvF32Params = ConvF32Params;

// "dwconv_f32.<isa>".
std::string DwConvF32Kernel(Isa isa);
// Weights w[channels][kernel_h][kernel_w]; packed as [kernel_h][kernel_w][channels].
std::vector<uint8_t> PackDwConvF32Weights(Isa isa, const float* w, int64_t channels, int64_t kernel_h, int64_t kernel_w);
void RegisterDwConvF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_F32_DWCONV_F32_H_
