// The passes that make shapes known. Floor 3: first in the pipeline. Shapes are static afterwards; a model whose shapes are chosen at run
// time goes through the pipeline with open dimensions (kUnknownDim) and gets static ones when it is bound (backends/bind).
#ifndef OMKIT_PASSES_SHAPES_H_
#define OMKIT_PASSES_SHAPES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace omkit::passes {

enum class OpenDims {
  kRefuse,  // a dimension that is not known is an error
  kKeep,    // it stays kUnknownDim
};

// Gives graph inputs the shapes of --input_shape. Every dimension that the model leaves open must be given, a fixed one may only be
// repeated; with kKeep -1 leaves a dimension open, also one that the model fixes. Errors: unknown input name (with the nearest), rank
// mismatch, conflicting dimension, dimension left open.
Pass BindShapes(std::map<std::string, std::vector<int64_t>> input_shapes, OpenDims open = OpenDims::kRefuse);

// Infers types in topological order; a node whose inputs are all constant, and Shape or Size of a static value, becomes a constant on
// the way, so that shape-computing subgraphs vanish. Afterwards every shape is static. With kKeep subgraphs that compute an open shape
// stay, except that a Reshape to a shape with one open dimension gets a constant one with -1.
Pass InferShapes(OpenDims open = OpenDims::kRefuse);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_SHAPES_H_
