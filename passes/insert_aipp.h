// Image preprocessing in front of a network's inputs. Floor 3, behind quantization: calibration samples are what the network sees behind
// AIPP.
#ifndef OMKIT_PASSES_INSERT_AIPP_H_
#define OMKIT_PASSES_INSERT_AIPP_H_

#include <vector>

#include "base/aipp.h"
#include "passes/pass.h"

namespace omkit::passes {

// The stage that goes in front of graph input `input`. It has passed aipp::Check and has the input's dims.
struct AippInput {
  int input = 0;
  aipp::Stage stage;
};

// Makes the graph inputs images: each gets a node Aipp behind it, which quantizes as well when only Quantize nodes read its result. Where
// all channels have one factor and one integer mean, normalisation moves into the INT8 convolutions that read it: the factor becomes the
// input's scale, the mean its zero point, and every pixel stays the byte that it is. Only the rounding of the biases changes.
// A dynamic stage adds the input ascend_dynamic_aipp_data (with several: _0, _1, ... in the order of the stages) behind all others.
// Errors: an input that is neither float32 nor uint8 of four dimensions.
Pass InsertAipp(const std::vector<AippInput>& stages);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_INSERT_AIPP_H_
