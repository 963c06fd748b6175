// ONNX Runtime as a second opinion for accuracy: a node process with onnxruntime-node that runs the ONNX file sample by sample. Floor 5.
#ifndef OMKIT_TOOLS_ACCURACY_ONNX_RUNTIME_H_
#define OMKIT_TOOLS_ACCURACY_ONNX_RUNTIME_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/tensor.h"
#include "ir/graph.h"

namespace omkit::accuracy {

class OnnxRuntime {
 public:
  // Starts the process and loads the file. `graph` says which inputs it gets. onnxruntime-node is looked for where tests/oracle/install.sh puts it
  // ($OMKIT_ORACLE_DIR, ~/.cache/omkit-oracle), in the working directory and in NODE_PATH. UNAVAILABLE says what is not installed;
  // INVALID_ARGUMENT carries what ONNX Runtime says of the model.
  static absl::StatusOr<std::unique_ptr<OnnxRuntime>> Start(const std::string& model, const ir::Graph& graph);
  ~OnnxRuntime();
  OnnxRuntime(const OnnxRuntime&) = delete;
  OnnxRuntime& operator=(const OnnxRuntime&) = delete;

  // The outputs in the model's order, as floats, for tensors of the graph's inputs.
  absl::StatusOr<std::vector<std::vector<float>>> Run(absl::Span<const Tensor> inputs);

 private:
  OnnxRuntime(int process, int socket) : process_(process), socket_(socket) {}
  absl::Status Send(const void* data, size_t size);
  absl::Status Receive(void* data, size_t size);
  // A text behind its length; what it says is the status when it is not empty.
  absl::Status ReceiveVerdict();
  absl::StatusOr<uint64_t> ReceiveNumber(uint64_t most);

  int process_;
  int socket_;
};

}  // namespace omkit::accuracy

#endif  // OMKIT_TOOLS_ACCURACY_ONNX_RUNTIME_H_
