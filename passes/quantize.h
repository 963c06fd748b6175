// Turns the planned part of a float graph into INT8: tensor types get QuantParams, weights become int8, biases int32, and Quantize and
// Dequantize nodes stand at the borders. Floor 3, after calibration.
#ifndef OMKIT_PASSES_QUANTIZE_H_
#define OMKIT_PASSES_QUANTIZE_H_

#include "passes/pass.h"
#include "passes/quantization_plan.h"
#include "passes/recipe.h"

namespace omkit::passes {

// Follows `recipe`, whose equalization is part of the graph already. Activations uint8 asymmetric per tensor; weights int8 symmetric in
// [-127, 127] per output channel, or per tensor; bias int32 with scale_x * scale_w. A channel whose bias or accumulator would leave int32
// gets a larger weight scale. Nodes of precision W8A16 get int8 weights only.
// Concat inputs take the output's parameters when their ranges are within a factor of 8 of the union, else they are requantized.
// Errors: a planned value without a range; NaN or infinity in weights; a reduction too long for int32 accumulation; bias or rounding in the
// recipe that do not fit the weights.
absl::Status Quantize(const QuantizationPlan& plan, const Recipe& recipe, ir::Graph& graph);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_QUANTIZE_H_
