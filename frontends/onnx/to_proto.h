// Tensors and attributes of omkit as ONNX protobuf. Floor 3, part of the exporter.
#ifndef OMKIT_FRONTENDS_ONNX_TO_PROTO_H_
#define OMKIT_FRONTENDS_ONNX_TO_PROTO_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/tensor.h"
#include "ir/attrs.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {

// The number of onnx::TensorProto::DataType. UNIMPLEMENTED for types that the exporter does not write.
absl::StatusOr<int> ToOnnxDType(DType dtype);

// The elements as raw_data; quantization parameters are not part of it.
absl::StatusOr<onnx::TensorProto> ToTensorProto(const Tensor& tensor, const std::string& name);

absl::StatusOr<onnx::AttributeProto> ToAttributeProto(absl::string_view name, const ir::Attr& attr);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_TO_PROTO_H_
