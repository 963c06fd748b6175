// Judges an absorbed graph against the model it came from: every stretch of float arithmetic between two quantizers for itself.
#ifndef OMKIT_TESTS_QDQ_COMPARE_H_
#define OMKIT_TESTS_QDQ_COMPARE_H_

#include <string>
#include <vector>

#include "ir/graph.h"

namespace omkit::testing {

// Float32 inputs that are the same everywhere, in [low, high).
std::vector<Tensor> MadeInputs(const ir::Graph& graph, float low, float high, uint32_t seed = 1);

std::vector<ir::NodeId> Order(const ir::Graph& graph);

struct Difference {
  int tensors = 0;  // quantized tensors of the model that the absorbed graph still has under their names
  int64_t elements = 0, unequal = 0, beyond_one = 0, largest = 0;
  std::string where;        // the tensor with the largest difference
  double output_error = 0;  // largest difference of a float model output, relative to the largest magnitude in it
};

// Runs `absorbed`, then `model` by the definition of its operators; behind each QuantizeLinear the model goes on with the integers of the
// absorbed graph. Adds test failures when either graph does not run.
Difference Compare(const ir::Graph& model, const ir::Graph& absorbed, const std::vector<Tensor>& inputs);

}  // namespace omkit::testing

#endif  // OMKIT_TESTS_QDQ_COMPARE_H_
