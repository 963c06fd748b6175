// ONNX files into ir::Graph. Floor 3: the first stage of a compile.
//
// Files are untrusted. Everything is checked here with omkit's own code on the generated protobuf classes. Accepted: IR version 3 to 11,
// opset 7 to 23 of the default domain, operators of onnx_ops.inc. Constant nodes become constants; weights that are also listed as
// graph inputs are weights. Node names are kept; nodes without one are called "<Op>_<index>", repeated names get "_2", "_3", ...
// Unknown dimensions of inputs become kUnknownDim. Value types of inputs and constants are set, others only where they follow at once.
#ifndef OMKIT_FRONTENDS_ONNX_IMPORTER_H_
#define OMKIT_FRONTENDS_ONNX_IMPORTER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/graph.h"

namespace omkit::frontends {

// Errors, each naming the file and the node or tensor:
//   NOT_FOUND         the file does not exist
//   INVALID_ARGUMENT  the file is no ONNX model or breaks ONNX's rules
//   UNIMPLEMENTED     valid ONNX that omkit does not support; one message lists all unsupported nodes
absl::StatusOr<std::unique_ptr<ir::Graph>> ImportOnnx(const std::string& path);

// `source_name` stands in messages and Graph::source. An empty directory refuses external data.
absl::StatusOr<std::unique_ptr<ir::Graph>> ImportOnnxBytes(absl::string_view bytes, const std::string& source_name,
                                                           const std::string& directory_for_external_data);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_IMPORTER_H_
