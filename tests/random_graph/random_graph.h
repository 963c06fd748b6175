// Random networks for differential tests: every seed gives a small float graph of the operators that INT8 networks are made of, with
// odd sizes, asymmetric pads, strides, dilations, groups, residuals, concatenations and broadcasts.
#ifndef OMKIT_TESTS_RANDOM_GRAPH_RANDOM_GRAPH_H_
#define OMKIT_TESTS_RANDOM_GRAPH_RANDOM_GRAPH_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/tensor.h"
#include "ir/graph.h"

namespace omkit::testing {

// A graph with one float input and one to three outputs; shapes are static and inferred.
std::unique_ptr<ir::Graph> RandomGraph(uint32_t seed);

// Uniform values in [-2, 3) for every graph input.
std::vector<Tensor> RandomInputs(const ir::Graph& graph, uint32_t seed);

}  // namespace omkit::testing

#endif  // OMKIT_TESTS_RANDOM_GRAPH_RANDOM_GRAPH_H_
