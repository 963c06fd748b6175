// ir::Graph into ONNX: any stage of a compile, usually the last one before lowering. Floor 3.
//
// What omkit has of its own is written with standard operators: quantization parameters of tensor types as QuantizeLinear and
// DequantizeLinear, Dense as Gemm or MatMul, fused residuals and clamps as Add, Relu and Clip, Swish as Mul and Sigmoid. Importing the
// result gives the same INT8 network again. Layers on bfloat16 become float32 layers with the rounded weights.
#ifndef OMKIT_FRONTENDS_ONNX_EXPORTER_H_
#define OMKIT_FRONTENDS_ONNX_EXPORTER_H_

#include <string>

#include "absl/status/statusor.h"
#include "ir/graph.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {

// How quantization is written.
enum class QuantStyle {
  kQdq,     // fake quantization: QuantizeLinear -> DequantizeLinear at every quantized tensor, weights int8, biases int32
  kAscend,  // deploy models of AMCT: AscendQuant -> layer on integers -> AscendDequant, other operators on floats
};

struct ExportOptions {
  QuantStyle style = QuantStyle::kQdq;
  // Least opset; operators that came later, or have attributes that did, raise it.
  int64_t opset = 17;
};

// The graph must be typed (ir::InferGraph). UNIMPLEMENTED, naming the node, for operators that ONNX does not have and for tensor types
// that are not written. Equal graphs give equal models.
absl::StatusOr<onnx::ModelProto> ExportOnnx(const ir::Graph& graph, const ExportOptions& options);

// The same into a file, which is replaced only when everything went well. RESOURCE_EXHAUSTED above 2 GB, the limit of protobuf.
absl::Status WriteOnnx(const ir::Graph& graph, const ExportOptions& options, const std::string& path);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_EXPORTER_H_
