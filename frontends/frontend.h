// The door of the compiler: a model file of any supported framework becomes an ir::Graph. Floor 3.
#ifndef OMKIT_FRONTENDS_FRONTEND_H_
#define OMKIT_FRONTENDS_FRONTEND_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ir/graph.h"

namespace omkit::frontends {

// The numbers of atc's --framework flag.
enum class Framework : int { kCaffe = 0, kMindSpore = 1, kTensorFlow = 3, kOnnx = 5 };

struct ImportOptions {
  std::string model_path;
};

// Reads the model. Only framework 5 (ONNX) is supported; other documented numbers give UNIMPLEMENTED, others INVALID_ARGUMENT.
// NOT_FOUND when the file does not exist; see onnx/importer.h for the other errors. Dimensions the file leaves open are kUnknownDim.
absl::StatusOr<std::unique_ptr<ir::Graph>> Import(int framework, const ImportOptions& options);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_FRONTEND_H_
