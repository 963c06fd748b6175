// The last stage for models whose shapes are chosen at run time: a prepared graph with open dimensions, one shape for every input, and out
// comes the plan for them. Floor 4; the compiler binds every gear, libascendcl binds the shapes that a client asks for.
#ifndef OMKIT_BACKENDS_BIND_H_
#define OMKIT_BACKENDS_BIND_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/weight_pool.h"
#include "ir/graph.h"
#include "runtime/shapes.h"
#include "runtime/soc.h"

namespace omkit {

// A copy of the graph (constants are shared) with these input shapes; what computes shapes from them is folded away. Node and value ids stay
// the same. Errors name the node that cannot take the shape.
absl::StatusOr<std::unique_ptr<ir::Graph>> BindGraph(const ir::Graph& graph, const std::vector<std::vector<int64_t>>& dims);

// Binds and lowers; weights go into `pool`.
absl::StatusOr<runtime::Plan> LowerBound(const ir::Graph& graph, const std::vector<std::vector<int64_t>>& dims, const runtime::SocRow& soc,
                                         WeightPool* pool);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_BIND_H_
