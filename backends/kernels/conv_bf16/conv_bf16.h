// Convolution and dense layers on bfloat16 operands: the layers of a network that stay float, where the user allows bfloat16. Input, bias,
// residual and output are float32 as in conv_f32; inputs are rounded to bfloat16 as the step reads them, weights are bfloat16. Floor 4.
//
// The arithmetic is that of VDPBF16PS as the Intel SDM (volume 2) describes it and AMD's Zen 4 computes it, whatever MXCSR says: rounding is to
// nearest even; denormal values, sums and results are zeros of their sign; tininess is found after rounding. Every output is bias, then one
// fused multiply-add per (kh, kw, ic) in that order, then + residual, then the clamp. The instruction takes two products, that of the high
// halves first, which is why the first of two channels lies there. The same bits on every ISA and for every thread count: where
// the instruction is missing, a float multiply-add and the same zeros take its place (avx512vnni without AVX512-BF16 runs the avx2 code).
// Arm's BFDOT and BFMMLA round in other places and are not used.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_BF16_CONV_BF16_H_
#define OMKIT_BACKENDS_KERNELS_CONV_BF16_CONV_BF16_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backends/kernels/conv_f32/conv_f32.h"

namespace omkit::kernels {

// "conv_bf16.<isa>", with ConvF32Params and its operands. Every tier has a row.
std::string ConvBf16Kernel(Isa isa);

// Bytes of the packed form of w[oc][ic_per_group][kernel_h][kernel_w], bits of bfloat16, the same for every tier: per group and per 16 output
// channels a panel [kernel_h][kernel_w][pairs of ic_per_group][16][2], the second channel of a pair first. Where conv_bf16/plan.h joins the
// taps of a kernel row, the pairs go over kernel_w and ic_per_group together. Missing partners are -0: their product changes no sum.
// groups divides oc.
std::vector<uint8_t> PackConvBf16Weights(const uint16_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups);

void RegisterConvBf16Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_BF16_CONV_BF16_H_
