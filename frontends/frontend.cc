#include "frontends/frontend.h"

#include "absl/strings/str_cat.h"
#include "frontends/onnx/importer.h"

namespace omkit::frontends {

absl::StatusOr<std::unique_ptr<ir::Graph>> Import(int framework, const ImportOptions& options) {
  constexpr char kAdvice[] = "; supported: 5 (ONNX). Export the network to ONNX first (opset 1 to 25)";
  switch (static_cast<Framework>(framework)) {
    case Framework::kOnnx: return ImportOnnx(options.model_path);
    case Framework::kCaffe: return absl::UnimplementedError(absl::StrCat("framework 0 (Caffe) is not supported", kAdvice));
    case Framework::kMindSpore: return absl::UnimplementedError(absl::StrCat("framework 1 (MindSpore) is not supported", kAdvice));
    case Framework::kTensorFlow: return absl::UnimplementedError(absl::StrCat("framework 3 (TensorFlow) is not supported", kAdvice));
  }
  return absl::InvalidArgumentError(absl::StrCat("framework ", framework, " does not exist", kAdvice));
}

}  // namespace omkit::frontends
