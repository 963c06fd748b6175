// The layer-wise part of accuracy: the INT8 graph of an offline model's recipe beside the float graph. Floor 5.
#ifndef OMKIT_TOOLS_ACCURACY_LAYERS_H_
#define OMKIT_TOOLS_ACCURACY_LAYERS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/graph.h"
#include "passes/recipe.h"
#include "tools/accuracy/measure.h"

namespace omkit::accuracy {

// `graph`: the fused float graph. `soc`: the row that the model was compiled for. With `effect`, each layer's effect on the network's
// result is measured too.
absl::StatusOr<std::vector<LayerResult>> MeasureLayers(const ir::Graph& graph, const passes::Recipe& recipe, const std::string& soc,
                                                       const std::vector<std::vector<Tensor>>& samples, bool effect,
                                                       const std::function<void(double)>& progress);

}  // namespace omkit::accuracy

#endif  // OMKIT_TOOLS_ACCURACY_LAYERS_H_
