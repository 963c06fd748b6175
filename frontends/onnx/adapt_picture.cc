// ImageDecoder: the size of a picture is part of the data, and an offline model's memory is planned before there is any. A size that the
// model declares for the result (value_info, or the type of a graph output) becomes attributes height and width (ir/ops/picture.cc).
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {

absl::Status ImageDecoder(OnnxNode& node) {
  if (node.declared.rank() == 3 && node.declared.dim(0) > 0 && node.declared.dim(1) > 0) {
    node.attrs.Set("height", node.declared.dim(0));
    node.attrs.Set("width", node.declared.dim(1));
  }
  return Direct(node);
}

}  // namespace omkit::frontends::adapters
