// The passes that make every shape static. Floor 3: first in the pipeline, everything later relies on them.
#ifndef OMKIT_PASSES_SHAPES_H_
#define OMKIT_PASSES_SHAPES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace omkit::passes {

// Gives graph inputs the shapes of --input_shape. Every dimension that the model leaves open must be given, a fixed one may only be
// repeated. Errors: unknown input name (with the nearest), rank mismatch, conflicting dimension, dimension left open.
Pass BindShapes(std::map<std::string, std::vector<int64_t>> input_shapes);

// Infers types in topological order; a node whose inputs are all constant, and Shape or Size of a static value, becomes a constant on
// the way, so that shape-computing subgraphs vanish. Afterwards every shape is static.
Pass InferShapes();

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_SHAPES_H_
