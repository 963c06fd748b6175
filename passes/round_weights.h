// Rounding of weights by what it does to the layer's output instead of to the nearest integer. Floor 3, for --quant_effort=high.
//
// For a layer that is linear in its weights the squared error of an output channel is d^T G d, with d the rounding errors of its weights
// and G = E[x x^T] the Gram matrix of the (already quantized) inputs: the objective of AdaRound (Nagel et al., ICML 2020) and of
// OBQ/GPTQ (Frantar et al., 2022). It is lowered by coordinate descent over steps of one from the nearest integer: deterministic, and never
// worse than the nearest by that measure.
#ifndef OMKIT_PASSES_ROUND_WEIGHTS_H_
#define OMKIT_PASSES_ROUND_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "ir/evaluate.h"
#include "ir/graph.h"
#include "passes/recipe.h"

namespace omkit::passes {

// Steps, each -1, 0 or 1, for one output channel: `weights` in units of their scale, `gram` count x count, row-major.
std::vector<int8_t> RoundByGram(const std::vector<double>& weights, const std::vector<double>& gram);

// Multiply-adds that rounding a node's weights takes; 0 for nodes without.
double RoundingOperations(const ir::Graph& graph, const ir::Node& node);

// `original` is the float graph after equalization, `quantized` what Quantize made of a copy of it (its weights change). A layer keeps its new
// rounding when the squared error of its output falls. Layers with more than 2,048 weights per output channel are passed over. Fills the
// recipe's roundings.
absl::Status RoundWeights(const ir::Graph& original, ir::Graph& quantized, const std::vector<std::vector<Tensor>>& samples,
                          const ir::EvaluatorFactory& evaluators, Recipe* recipe);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_ROUND_WEIGHTS_H_
