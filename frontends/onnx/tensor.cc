#include "frontends/onnx/tensor.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/narrow.h"
#include "base/status.h"
#include "frontends/onnx/quoted.h"

namespace omkit::frontends {
namespace {

using onnx::TensorProto;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data is little-endian");

// Elements in all typed fields together: only the field of the tensor's own type may hold any.
int64_t TypedElements(const TensorProto& p) {
  return int64_t{0} + p.float_data_size() + p.int32_data_size() + p.string_data_size() + p.int64_data_size() + p.double_data_size() +
         p.uint64_data_size();
}

template <typename T, typename Field>
absl::Status CopyIntegers(const Field& field, Tensor* tensor) {
  T* out = tensor->mutable_data<T>();
  for (int i = 0; i < field.size(); ++i) {
    const auto value = field.Get(i);
    out[i] = static_cast<T>(value);
    if (static_cast<std::decay_t<decltype(value)>>(out[i]) != value || (std::is_unsigned_v<T> && value < 0 && sizeof(T) < 8)) {
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " is ", value, ", which does not fit ", Name(tensor->dtype())));
    }
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status CopyBits16(const TensorProto& p, Tensor* tensor) {
  T* out = tensor->mutable_data<T>();
  for (int i = 0; i < p.int32_data_size(); ++i) {
    if (p.int32_data(i) < 0 || p.int32_data(i) > 0xffff) {
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " holds ", p.int32_data(i), ", which is not a 16-bit pattern"));
    }
    out[i].bits = static_cast<uint16_t>(p.int32_data(i));
  }
  return absl::OkStatus();
}

absl::Status CheckCount(int64_t have, const Tensor& tensor) {
  if (have == tensor.elements()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("has ", have, " values in the field of its type but shape ", tensor.shape().ToString(), " needs ", tensor.elements()));
}

absl::Status CopyTyped(const TensorProto& p, Tensor* t) {
  switch (t->dtype()) {
    case DType::kFloat32:
      OMKIT_RETURN_IF_ERROR(CheckCount(p.float_data_size(), *t));
      if (t->elements() > 0) std::memcpy(t->mutable_raw(), p.float_data().data(), t->bytes());
      return absl::OkStatus();
    case DType::kFloat64:
      OMKIT_RETURN_IF_ERROR(CheckCount(p.double_data_size(), *t));
      if (t->elements() > 0) std::memcpy(t->mutable_raw(), p.double_data().data(), t->bytes());
      return absl::OkStatus();
    case DType::kInt64: OMKIT_RETURN_IF_ERROR(CheckCount(p.int64_data_size(), *t)); return CopyIntegers<int64_t>(p.int64_data(), t);
    case DType::kUInt32:
    case DType::kUInt64:
      OMKIT_RETURN_IF_ERROR(CheckCount(p.uint64_data_size(), *t));
      return t->dtype() == DType::kUInt32 ? CopyIntegers<uint32_t>(p.uint64_data(), t) : CopyIntegers<uint64_t>(p.uint64_data(), t);
    default: break;
  }
  OMKIT_RETURN_IF_ERROR(CheckCount(p.int32_data_size(), *t));
  switch (t->dtype()) {
    case DType::kFloat16: return CopyBits16<Float16>(p, t);
    case DType::kBFloat16: return CopyBits16<BFloat16>(p, t);
    case DType::kInt8: return CopyIntegers<int8_t>(p.int32_data(), t);
    case DType::kUInt8: return CopyIntegers<uint8_t>(p.int32_data(), t);
    case DType::kInt16: return CopyIntegers<int16_t>(p.int32_data(), t);
    case DType::kUInt16: return CopyIntegers<uint16_t>(p.int32_data(), t);
    case DType::kInt32: return CopyIntegers<int32_t>(p.int32_data(), t);
    case DType::kBool: return CopyIntegers<uint8_t>(p.int32_data(), t);
    default: return absl::InternalError(absl::StrCat("no storage field for ", Name(t->dtype())));
  }
}

void NormalizeBools(Tensor* tensor) {
  if (tensor->dtype() != DType::kBool) return;
  uint8_t* bytes = tensor->mutable_data<uint8_t>();
  for (int64_t i = 0; i < tensor->elements(); ++i) bytes[i] = bytes[i] != 0;
}

bool Is4Bit(DType dtype) { return dtype == kInt4 || dtype == kUInt4 || dtype == kFloat4E2M1; }

// In a file two 4-bit elements share a byte, the first in the lower half.
uint64_t StoredBytes(DType dtype, int64_t elements) {
  const auto count = static_cast<uint64_t>(elements);
  return Is4Bit(dtype) ? count / 2 + count % 2 : count * SizeOf(dtype);
}

// Spreads packed halves over one byte per element; the packed bytes lie at the start of the tensor.
void Unpack4Bit(Tensor* tensor) {
  if (!Is4Bit(tensor->dtype())) return;
  uint8_t* bytes = tensor->mutable_data<uint8_t>();
  for (int64_t i = tensor->elements() - 1; i >= 0; --i) bytes[i] = static_cast<uint8_t>(bytes[i / 2] >> (i % 2 * 4) & 0xf);
}

absl::Status CopyNarrow(const TensorProto& p, Tensor* t) {
  for (int i = 0; i < p.int32_data_size(); ++i) {
    if (p.int32_data(i) < 0 || p.int32_data(i) > 0xff) {
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " holds ", p.int32_data(i), ", which is not an 8-bit pattern"));
    }
    t->mutable_data<uint8_t>()[i] = static_cast<uint8_t>(p.int32_data(i));
  }
  return absl::OkStatus();
}

// Bytes of the values as stored, before anything of that size is allocated.
absl::Status CheckStorage(const TensorProto& p, DType dtype, int64_t elements) {
  const bool external = p.data_location() == TensorProto::EXTERNAL;
  const int sources = (p.raw_data().empty() ? 0 : 1) + (TypedElements(p) > 0 ? 1 : 0) + (external ? 1 : 0);
  if (sources > 1) return absl::InvalidArgumentError("stores its values twice (of raw_data, typed data and external data only one may be set)");
  if (!external && p.external_data_size() > 0) return absl::InvalidArgumentError("has external_data entries but is not marked EXTERNAL");
  if (external) return absl::OkStatus();
  const uint64_t bytes = StoredBytes(dtype, elements);
  if (!p.raw_data().empty() && p.raw_data().size() != bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", p.raw_data().size(), " bytes of raw_data but ", elements, " elements of ", Name(dtype), " need ", bytes));
  }
  if (p.raw_data().empty() && TypedElements(p) != (Is4Bit(dtype) ? static_cast<int64_t>(bytes) : elements)) {
    return absl::InvalidArgumentError(absl::StrCat("has ", TypedElements(p), " values but its dims need ", elements));
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensor> Convert(const TensorProto& p, ExternalFiles* files) {
  OMKIT_ASSIGN_OR_RETURN(const DType dtype, FromOnnxDType(p.data_type()));
  if (p.has_segment()) return absl::UnimplementedError("is split into segments, which ONNX does not define");
  if (p.dims_size() > kMaxRank) {
    return absl::InvalidArgumentError(absl::StrCat("has ", p.dims_size(), " dimensions; the limit is ", kMaxRank));
  }
  const std::vector<int64_t> dims(p.dims().begin(), p.dims().end());
  OMKIT_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(dims));
  OMKIT_RETURN_IF_ERROR(CheckStorage(p, dtype, elements));
  const bool external = p.data_location() == TensorProto::EXTERNAL;
  if (external && files == nullptr) return absl::InvalidArgumentError("keeps its values in an external file, which is not possible here");
  const uint64_t stored = StoredBytes(dtype, elements);
  if (external) OMKIT_RETURN_IF_ERROR(files->Check(p.external_data(), stored));
  OMKIT_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Allocate(dtype, Shape(dims)));
  if (external) {
    OMKIT_RETURN_IF_ERROR(files->Read(p.external_data(), stored, tensor.mutable_raw()));
  } else if (!p.raw_data().empty()) {
    std::memcpy(tensor.mutable_raw(), p.raw_data().data(), stored);
  } else if (IsNarrow(dtype)) {
    OMKIT_RETURN_IF_ERROR(CopyNarrow(p, &tensor));
  } else {
    OMKIT_RETURN_IF_ERROR(CopyTyped(p, &tensor));
  }
  NormalizeBools(&tensor);
  Unpack4Bit(&tensor);
  return tensor;
}

}  // namespace

std::string OnnxDTypeName(int data_type) {
  if (TensorProto::DataType_IsValid(data_type)) return TensorProto::DataType_Name(static_cast<TensorProto::DataType>(data_type));
  return absl::StrCat("type number ", data_type);
}

absl::StatusOr<DType> FromOnnxDType(int data_type) {
  switch (data_type) {
    case TensorProto::FLOAT: return DType::kFloat32;
    case TensorProto::FLOAT16: return DType::kFloat16;
    case TensorProto::BFLOAT16: return DType::kBFloat16;
    case TensorProto::DOUBLE: return DType::kFloat64;
    case TensorProto::INT8: return DType::kInt8;
    case TensorProto::UINT8: return DType::kUInt8;
    case TensorProto::INT16: return DType::kInt16;
    case TensorProto::UINT16: return DType::kUInt16;
    case TensorProto::INT32: return DType::kInt32;
    case TensorProto::UINT32: return DType::kUInt32;
    case TensorProto::INT64: return DType::kInt64;
    case TensorProto::UINT64: return DType::kUInt64;
    case TensorProto::BOOL: return DType::kBool;
    case TensorProto::FLOAT8E4M3FN: return kFloat8E4M3FN;
    case TensorProto::FLOAT8E4M3FNUZ: return kFloat8E4M3FNUZ;
    case TensorProto::FLOAT8E5M2: return kFloat8E5M2;
    case TensorProto::FLOAT8E5M2FNUZ: return kFloat8E5M2FNUZ;
    case TensorProto::UINT4: return kUInt4;
    case TensorProto::INT4: return kInt4;
    case 23: return kFloat4E2M1;  // FLOAT4E2M1, younger than the generated classes
    case TensorProto::UNDEFINED: return absl::InvalidArgumentError("has no element type");
    default: break;
  }
  const std::string text = absl::StrCat("has element type ", OnnxDTypeName(data_type),
                                        "; supported: FLOAT, FLOAT16, BFLOAT16, DOUBLE, BOOL, integers of 4 to 64 bits and floats of 4 and 8 bits");
  return TensorProto::DataType_IsValid(data_type) ? absl::UnimplementedError(text) : absl::InvalidArgumentError(text);
}

absl::StatusOr<Tensor> FromTensorProto(const TensorProto& proto, ExternalFiles* files) {
  absl::StatusOr<Tensor> tensor = Convert(proto, files);
  if (tensor.ok()) return tensor;
  return Annotate(tensor.status(), absl::StrCat("tensor ", Quoted(proto.name())));
}

}  // namespace omkit::frontends
