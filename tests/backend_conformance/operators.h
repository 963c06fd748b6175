// Small networks, one or two operators each, in the forms that random graphs do not reach.
#ifndef OMKIT_TESTS_BACKEND_CONFORMANCE_OPERATORS_H_
#define OMKIT_TESTS_BACKEND_CONFORMANCE_OPERATORS_H_

#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace omkit::conformance {

struct OperatorCase {
  std::string name;
  std::unique_ptr<ir::Graph> graph;  // float inputs, static shapes, inferred
};

std::vector<OperatorCase> OperatorCases();

}  // namespace omkit::conformance

#endif  // OMKIT_TESTS_BACKEND_CONFORMANCE_OPERATORS_H_
