// INT8 convolution and dense layers: uint8 activations times int8 weights, int32 accumulation, requantization, optional residual
// and clamp in the epilogue (base/quant.h). 1x1 convolutions and dense layers are the case of one tap. Floor 4.
//
// Input and output are NHWC views. The input operand must hold a halo filled with the input's zero point wherever a tap falls
// outside the image, so kernels have no border code. Channel stride is 1; channels are read in groups of four bytes, and the bytes
// between `dims[3]` and the next multiple of 4 may hold anything (their weights are zero): the next pixel, or what lies behind.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_CONV_U8_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_CONV_U8_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// ConvU8Params::chunk_pixels is at most this.
constexpr int32_t kMostChunkPixels = 448;

// Operands: 0 input u8, 1 packed weights, 2 bias int32[oc] (zero point already folded in: b - zx * sum(w)), 3 multiplier f32[oc],
// 4 output, then residual u8 (only when has_residual), table u8[256] (only when has_table): a function of one element behind the layer,
// remainders (only when there are some): what packed weights leave of weights beyond [LeastWeight, 127], ConvU8Remainders.
struct ConvU8Params {
  View in;        // N, H, W, C
  View out;       // N, OH, OW, OC; u8, or f32 when float_output; channel stride 1, or see ConvU8WritesPlanes
  View residual;  // same dims as out
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t dilation_h, dilation_w;
  int32_t pad_top, pad_left;
  int32_t groups;
  int32_t float_output;  // 1: out = float(acc) * multiplier + residual, clamped to [act_min, act_max]
  int32_t out_zero;      // u8 output: clamp(round(...) + out_zero, clamp_min, clamp_max)
  int32_t clamp_min, clamp_max;
  int32_t has_residual;
  int32_t residual_zero;
  float residual_multiplier;
  float act_min, act_max;
  // One word: files that know no remainders have zeros there.
  uint32_t has_table : 1;      // 1: a u8 output becomes table[output] at last; ConvU8ReadsTable
  uint32_t gathers_tails : 1;  // 1: weights are packed behind GatherConvU8Tails
  uint32_t remainders : 30;    // steps of the last operand
  // Pixels that all blocks of output channels pass over before the next ones have their turn; 0: what the kernel's rule says for their sizes.
  // Changes no result. Kernels without blocks, and dwconv_u8, have no use for it.
  int32_t chunk_pixels;
};
// The operand of the remainders, where there is one.
inline int ConvU8RemainderOperand(const ConvU8Params& p) { return 5 + p.has_residual + p.has_table; }

// Whether this tier's kernel takes has_table, for a convolution of so many input channels per group.
bool ConvU8ReadsTable(Isa isa, int64_t ic_per_group, int64_t groups);

// Whether this tier's kernel writes float results without a residual in planes: neighbouring pixels of a row side by side, channels anywhere.
bool ConvU8WritesPlanes(Isa isa, int64_t ic_per_group, int64_t groups);

// Whether this tier's kernel takes gathers_tails. A kernel row of one byte more than whole groups of four would fill a step with that byte alone:
// the kernel collects the last bytes of up to four rows in one step instead. First convolutions over three channels have such rows.
bool ConvU8GathersTails(Isa isa, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups);
// The weights w[oc][ic][kernel_h] of such a convolution in the kernel's order of steps, as those of a 1x1 convolution over so many channels:
// whole groups of every row, then last bytes.
int64_t ConvU8TailedChannels(int64_t ic, int64_t kernel_h);
std::vector<int8_t> GatherConvU8Tails(const int8_t* w, int64_t oc, int64_t ic, int64_t kernel_h);

// "conv_u8.<isa>". Every tier has a row.
std::string ConvU8Kernel(Isa isa);

// Weights w[oc][ic / groups][kernel_h][kernel_w] in the order this tier's kernel reads.
std::vector<uint8_t> PackConvU8Weights(Isa isa, const int8_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                       int64_t groups);

// The least weight of this tier's INT8 kernels, depthwise ones included: -128, or -127 where they add two products in 16 bits.
int LeastWeight(Isa isa);

// Weights of any size as arrays in [least, 127] whose sum they are: one if they fit, two up to 254. Models of quantization-aware training have a
// few weights that do not fit where their uint8 weights lie around a zero point far from 128.
std::vector<std::vector<int8_t>> SplitWeights(const int16_t* w, int64_t count, int least = -127);

// Steps of input channels that a block of output channels adds once more to its sums, in the order of blocks: those in which some of the arrays
// behind the first of SplitWeights is not all zero. blocks.h has their form.
struct ConvU8Remainders {
  std::vector<uint8_t> packed;
  int32_t steps;  // ConvU8Params::remainders
};
ConvU8Remainders PackConvU8Remainders(Isa isa, const std::vector<std::vector<int8_t>>& arrays, int64_t oc, int64_t ic_per_group, int64_t kernel_h,
                                      int64_t kernel_w, int64_t groups);

void RegisterConvU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_CONV_U8_H_
