// Bias correction: the mean error that rounding the weights and activations leaves in each output channel is taken back in the bias.
// Floor 3, after ranges and equalization are decided.
//
// Sequential and empirical (Nagel et al., ICCV 2019, section 4.2; NNCF calls it full bias correction): layer by layer, with inputs that
// the corrected INT8 layers before deliver. Where there are no samples, the fast, analytic form: -(dequantized W - W) E[x] with the
// means of the calibration statistics.
#ifndef OMKIT_PASSES_CORRECT_BIAS_H_
#define OMKIT_PASSES_CORRECT_BIAS_H_

#include <vector>

#include "absl/status/status.h"
#include "ir/evaluate.h"
#include "ir/graph.h"
#include "passes/recipe.h"

namespace omkit::passes {

// `original` is the float graph after equalization, `quantized` what Quantize made of a copy of it (its biases change). A layer's
// correction is kept when the squared error of its output falls. Adds the corrections to the recipe's biases.
absl::Status CorrectBias(const ir::Graph& original, ir::Graph& quantized, const std::vector<std::vector<Tensor>>& samples,
                         const ir::EvaluatorFactory& evaluators, Recipe* recipe);

// The analytic form; borders of padded convolutions count as inner pixels.
absl::Status CorrectBiasAnalytically(const ir::Graph& original, const ir::Graph& quantized, const Statistics& statistics, Recipe* recipe);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_CORRECT_BIAS_H_
