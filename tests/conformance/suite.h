// Backend tests of the ONNX project: folders of model.onnx and test_data_set_N/{input,output}_N.pb. Reading them, and running one through
// the interpreter and through a whole compile.
#ifndef OMKIT_TESTS_CONFORMANCE_SUITE_H_
#define OMKIT_TESTS_CONFORMANCE_SUITE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace omkit::conformance {

enum class Outcome {
  kAgrees,
  kRefused,  // the importer, or the reader of the data, does not support it
  kDiffers,
};

struct Result {
  Outcome outcome = Outcome::kAgrees;
  absl::Status status;
};

// Names of the folder's entries, sorted.
std::vector<std::string> ListFolder(const std::string& folder);

// Runs the graph as it was imported, node by node. Shapes may depend on the inputs' values.
Result RunInterpreted(const std::string& folder);

// Compiles for this machine without quantization and executes the program. Inputs that shapes depend on become constants of the model,
// as they are in exported networks: first none, then integers and bools, then all.
Result RunCompiled(const std::string& folder);

}  // namespace omkit::conformance

#endif  // OMKIT_TESTS_CONFORMANCE_SUITE_H_
