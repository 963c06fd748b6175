#include "frontends/onnx/to_proto.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace omkit::frontends {

using onnx::AttributeProto;
using onnx::TensorProto;

absl::StatusOr<int> ToOnnxDType(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return TensorProto::FLOAT;
    case DType::kFloat16: return TensorProto::FLOAT16;
    case DType::kBFloat16: return TensorProto::BFLOAT16;
    case DType::kFloat64: return TensorProto::DOUBLE;
    case DType::kInt8: return TensorProto::INT8;
    case DType::kUInt8: return TensorProto::UINT8;
    case DType::kInt16: return TensorProto::INT16;
    case DType::kUInt16: return TensorProto::UINT16;
    case DType::kInt32: return TensorProto::INT32;
    case DType::kUInt32: return TensorProto::UINT32;
    case DType::kInt64: return TensorProto::INT64;
    case DType::kUInt64: return TensorProto::UINT64;
    case DType::kBool: return TensorProto::BOOL;
    default: return absl::UnimplementedError(absl::StrCat("tensors of type ", Name(dtype), " are not exported to ONNX"));
  }
}

absl::StatusOr<TensorProto> ToTensorProto(const Tensor& tensor, const std::string& name) {
  TensorProto proto;
  OMKIT_ASSIGN_OR_RETURN(const int type, ToOnnxDType(tensor.dtype()));
  proto.set_name(name);
  proto.set_data_type(type);
  for (const int64_t d : tensor.shape().dims()) proto.add_dims(d);
  proto.set_raw_data(tensor.raw(), tensor.bytes());
  return proto;
}

absl::StatusOr<AttributeProto> ToAttributeProto(absl::string_view name, const ir::Attr& attr) {
  AttributeProto a;
  a.set_name(std::string(name));
  if (const auto* i = std::get_if<int64_t>(&attr)) {
    a.set_type(AttributeProto::INT);
    a.set_i(*i);
  } else if (const auto* f = std::get_if<float>(&attr)) {
    a.set_type(AttributeProto::FLOAT);
    a.set_f(*f);
  } else if (const auto* s = std::get_if<std::string>(&attr)) {
    a.set_type(AttributeProto::STRING);
    a.set_s(*s);
  } else if (const auto* is = std::get_if<std::vector<int64_t>>(&attr)) {
    a.set_type(AttributeProto::INTS);
    for (const int64_t v : *is) a.add_ints(v);
  } else if (const auto* fs = std::get_if<std::vector<float>>(&attr)) {
    a.set_type(AttributeProto::FLOATS);
    for (const float v : *fs) a.add_floats(v);
  } else if (const auto* ss = std::get_if<std::vector<std::string>>(&attr)) {
    a.set_type(AttributeProto::STRINGS);
    for (const std::string& v : *ss) a.add_strings(v);
  } else if (const auto* t = std::get_if<Tensor>(&attr)) {
    a.set_type(AttributeProto::TENSOR);
    OMKIT_ASSIGN_OR_RETURN(*a.mutable_t(), ToTensorProto(*t, ""));
  } else {
    return absl::UnimplementedError(absl::StrCat("attribute '", name, "' has a form that is not exported to ONNX"));
  }
  return a;
}

}  // namespace omkit::frontends
