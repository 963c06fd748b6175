// Equalization: channels of a tensor between two layers are rescaled so that one 8-bit scale serves all of them. Floor 3, before quantize.
//
// Cross-layer equalization (Nagel et al., ICCV 2019) with activation ranges, as NNCF's channel alignment and PPQ do it, and with a
// LayerNormalization in front it is SmoothQuant (Xiao et al., ICML 2023): the producer's channel c is divided by S_c, the readers' weights
// for it are multiplied by S_c. The network computes the same function. S_c = (range of channel c / range of the tensor)^alpha <= 1, so
// small channels grow into the tensor's range and the range itself stays; alpha is the one of {0, 1/4, 1/2, 3/4, 1} with the least
// expected squared error at the readers, activation and weight rounding together. A clamp of the producer stays exact for all calibrated
// values, because no channel grows beyond the tensor's range.
#ifndef OMKIT_PASSES_EQUALIZE_H_
#define OMKIT_PASSES_EQUALIZE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ir/graph.h"
#include "passes/recipe.h"
#include "passes/statistics.h"

namespace omkit::passes {

// Factors for every tensor of the plan that gains by it; deterministic, without samples.
std::map<std::string, std::vector<float>> FindEqualization(const ir::Graph& graph, const QuantizationPlan& plan, const Statistics& statistics,
                                                           const Recipe& recipe);

// Factors for the tensors that a layer with LayerConfig::migration m reads, by AMCT's rule (DMQ balancer): S_c is proportional to
// a_c^m / w_c^(1 - m), with the largest activation a_c and the largest weight w_c of the channel; 1 stands for a channel of zeros. The factor
// common to all channels is such that none grows beyond the tensor's range. Tensors that do not lie between layers stay as they are.
std::map<std::string, std::vector<float>> MigrateDifficulty(const ir::Graph& graph, const QuantizationPlan& plan, const QuantizePolicy& policy,
                                                            const Statistics& statistics, const Recipe& recipe);

// Rewrites weights and biases. INVALID_ARGUMENT: a tensor that does not exist, has another number of channels, or does not lie between
// layers that can be rescaled.
absl::Status Equalize(const std::map<std::string, std::vector<float>>& factors, ir::Graph& graph);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_EQUALIZE_H_
