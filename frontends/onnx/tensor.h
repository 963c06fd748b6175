// ONNX TensorProto to omkit Tensor: the one place that knows ONNX's element types and their storage fields. Floor 3.
#ifndef OMKIT_FRONTENDS_ONNX_TENSOR_H_
#define OMKIT_FRONTENDS_ONNX_TENSOR_H_

#include "absl/status/statusor.h"
#include "base/tensor.h"
#include "frontends/onnx/external_data.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {

// TensorProto.DataType to DType. UNIMPLEMENTED for strings, complex numbers, 8-bit floats and 4-bit types; the text names the type.
absl::StatusOr<DType> FromOnnxDType(int data_type);

// "FLOAT", "INT4", or the number when ONNX has no such type.
std::string OnnxDTypeName(int data_type);

// Checks dims, element count and storage (raw_data, the typed field of the type, or external data: exactly one) and copies the
// values. Integer values must fit their type; bool bytes become 0 or 1. `files` may be nullptr: then external data is an error.
absl::StatusOr<Tensor> FromTensorProto(const onnx::TensorProto& proto, ExternalFiles* files);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_TENSOR_H_
