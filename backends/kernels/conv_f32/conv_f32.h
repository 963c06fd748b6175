// Float convolution and dense layers with bias, optional residual and clamp in the epilogue: the layers an INT8 network keeps in
// float, FP32 compiles, and the calibration runs. 1x1 convolutions and dense layers are the case of one tap. Floor 4.
//
// Input and output are NHWC f32 views with channel stride 1. The input operand must hold a halo of zeros wherever a tap falls
// outside the image, so kernels have no border code. Every output is bias, then one fused multiply-add per (kh, kw, ic) in that
// order, then + residual, then the clamp: the same bits on every ISA and for every thread count.
//
// conv_f32w8 is the same with int8 weights (W8A16, a quarter of the memory): they become floats
// on their way into the registers, the sum of products starts at 0, and one fused multiply-add with the channel's scale and bias ends it.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_F32_CONV_F32_H_
#define OMKIT_BACKENDS_KERNELS_CONV_F32_CONV_F32_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input f32, 1 packed weights, 2 bias f32[oc rounded up to 64] (zeros beyond oc), 3 output f32,
// 4 residual f32 (only when has_residual). Output and residual may be the same memory with the same view.
// conv_f32w8 has its scales f32[oc rounded up to 64] as operand 4 and the residual as operand 5.
struct ConvF32Params {
  View in;        // N, H, W, C
  View out;       // N, OH, OW, OC
  View residual;  // same dims as out
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t dilation_h, dilation_w;
  int32_t pad_top, pad_left;
  int32_t groups;
  int32_t has_residual;
  float act_min, act_max;  // -infinity and infinity: no clamp; NaN passes through
};

// "conv_f32.<isa>" and "conv_f32w8.<isa>". Every tier has a row.
std::string ConvF32Kernel(Isa isa);
std::string ConvF32W8Kernel(Isa isa);

// Bytes of the packed form of w[oc][ic_per_group][kernel_h][kernel_w] in the order this tier's kernel reads: per group and per 16
// output channels a panel [kernel_h][kernel_w][ic_per_group][16], zeros beyond the group's channels. groups divides oc.
std::vector<uint8_t> PackConvF32Weights(Isa isa, const float* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                        int64_t groups);

// The same panels of int8 for conv_f32w8.
std::vector<uint8_t> PackConvF32W8Weights(Isa isa, const int8_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                          int64_t groups);

void RegisterConvF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_F32_CONV_F32_H_
