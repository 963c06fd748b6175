// Test support: INT8 convolution as nested loops over base/quant.h, and random cases for both convolution families.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_REFERENCE_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_REFERENCE_H_

#include <cstdint>
#include <vector>

#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/step_runner.h"

namespace omkit::kernels {

struct ConvCase {
  ConvU8Params params;
  std::vector<uint8_t> input, residual, table;
  std::vector<int8_t> weights;  // [oc][ic / groups][kernel_h][kernel_w]
  std::vector<int16_t> wide;    // the same beyond [-127, 127]; when there are some, `weights` is the first of SplitWeights
  std::vector<int32_t> bias;
  std::vector<float> multiplier;
  std::vector<uint8_t> output;  // what the output operand holds before the run, gaps included
};

// What to fix in a random case; zero or false leaves it to chance.
struct ConvChoice {
  int64_t kernel = 0, stride = 0, groups = 0, in_channels = 0, out_channels = 0, height = 0, width = 0, batch = 0;
  bool depthwise = false;
  bool dense = false;  // no gaps, offsets, residual or float output; clamps 0 to 255
};
ConvCase RandomConvCase(Random& random, const ConvChoice& choice);

// Gives a few weights, or all, the least value that the tier's kernels take.
void MakeLeast(Random& random, Isa isa, ConvCase* c);
// Gives a few weights, all of a channel, or all of the layer values beyond [-127, 127].
void MakeWide(Random& random, ConvCase* c);

// The output operand after the convolution; bytes outside the view stay.
std::vector<uint8_t> ReferenceConv(const ConvCase& c);

// Adds the case's operands to a runner of its kernel.
void AddOperands(const ConvCase& c, const std::vector<uint8_t>& packed, StepRunner* runner, const std::vector<uint8_t>& remainders = {});

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_REFERENCE_H_
