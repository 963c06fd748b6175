#include "base/tensor.h"

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/checked.h"

namespace omkit {

std::string TensorType::ToString() const {
  std::string text = absl::StrCat(Name(dtype), " ", shape.ToString());
  if (!quantized()) return text;
  if (quant.per_tensor()) {
    absl::StrAppend(&text, " scale ", quant.scale[0], " zero ", quant.zero_point[0]);
  } else {
    absl::StrAppend(&text, " ", quant.scale.size(), " scales on axis ", quant.axis);
  }
  return text;
}

absl::StatusOr<Tensor> Tensor::Allocate(TensorType type) {
  if (!IsValid(type.dtype)) return absl::InvalidArgumentError("a tensor needs an element type");
  auto elements = CheckedElements(type.shape.dims());
  if (!elements.ok()) return elements.status();
  constexpr size_t kAlignment = 64;
  // Never zero bytes: an empty tensor still has an address.
  const size_t size = RoundUp(*elements * static_cast<int64_t>(SizeOf(type.dtype)) + 1, kAlignment);
  auto* data = static_cast<uint8_t*>(std::aligned_alloc(kAlignment, size));
  if (data == nullptr) return absl::ResourceExhaustedError(absl::StrCat("no memory for a tensor of ", size, " bytes"));
  std::memset(data, 0, size);
  Tensor t;
  t.type_ = std::move(type);
  t.elements_ = *elements;
  t.data_ = data;
  t.owner_ = std::shared_ptr<uint8_t>(data, std::free);
  return t;
}

Tensor Tensor::View(TensorType type, void* data) {
  Tensor t;
  t.elements_ = type.shape.elements();
  t.type_ = std::move(type);
  t.data_ = static_cast<uint8_t*>(data);
  return t;
}

Tensor Tensor::WithType(TensorType type) const {
  Tensor t = *this;
  t.elements_ = type.shape.elements();
  t.type_ = std::move(type);
  return t;
}

Tensor Tensor::Clone() const {
  if (!defined()) return Tensor();
  Tensor t = *Allocate(type_);
  std::memcpy(t.data_, data_, bytes());
  return t;
}

int64_t IntegerAt(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::kInt8: return tensor.data<int8_t>()[i];
    case DType::kUInt8: return tensor.data<uint8_t>()[i];
    case DType::kInt16: return tensor.data<int16_t>()[i];
    case DType::kUInt16: return tensor.data<uint16_t>()[i];
    case DType::kInt32: return tensor.data<int32_t>()[i];
    case DType::kUInt32: return tensor.data<uint32_t>()[i];
    case DType::kInt64: return tensor.data<int64_t>()[i];
    case DType::kUInt64: return static_cast<int64_t>(tensor.data<uint64_t>()[i]);
    case DType::kBool: return tensor.data<bool>()[i] ? 1 : 0;
    default: return 0;
  }
}

absl::StatusOr<std::vector<int64_t>> IntegerValues(const Tensor& tensor) {
  if (!IsInteger(tensor.dtype()) && tensor.dtype() != DType::kBool) {
    return absl::InvalidArgumentError(absl::StrCat("expected an integer tensor, got ", Name(tensor.dtype())));
  }
  std::vector<int64_t> values(tensor.elements());
  for (int64_t i = 0; i < tensor.elements(); ++i) values[i] = IntegerAt(tensor, i);
  return values;
}

double RealAt(const Tensor& tensor, int64_t i) {
  double value = 0;
  switch (tensor.dtype()) {
    case DType::kFloat32: value = tensor.data<float>()[i]; break;
    case DType::kFloat16: value = FromFloat16(tensor.data<Float16>()[i]); break;
    case DType::kBFloat16: value = FromBFloat16(tensor.data<BFloat16>()[i]); break;
    case DType::kFloat64: value = tensor.data<double>()[i]; break;
    default: value = static_cast<double>(IntegerAt(tensor, i)); break;
  }
  const QuantParams& q = tensor.type().quant;
  return q.per_tensor() ? (value - q.zero_point[0]) * q.scale[0] : value;
}

}  // namespace omkit
