#include "runtime/acl/npy.h"

#include <cstring>
#include <vector>

#include "base/dtype.h"

namespace omkit::acl {
namespace {

const char* Descr(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kBFloat16: return "<f4";
    case DType::kFloat16: return "<f2";
    case DType::kFloat64: return "<f8";
    case DType::kInt8: return "|i1";
    case DType::kUInt8: return "|u1";
    case DType::kInt16: return "<i2";
    case DType::kUInt16: return "<u2";
    case DType::kInt32: return "<i4";
    case DType::kUInt32: return "<u4";
    case DType::kInt64: return "<i8";
    case DType::kUInt64: return "<u8";
    case DType::kBool: return "|b1";
    case DType::kUndefined: break;
  }
  return "|u1";
}

std::string Header(const runtime::TensorRecord& tensor) {
  std::string text = std::string("{'descr': '") + Descr(tensor.dtype) + "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : tensor.dims) text += std::to_string(dim) + ",";
  text += "), }";
  constexpr size_t kPrefix = 10;
  while ((kPrefix + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

void AppendElement(DType dtype, const uint8_t* data, size_t size, std::string* file) {
  if (dtype == DType::kBFloat16) {
    BFloat16 brain;
    std::memcpy(&brain, data, sizeof brain);
    const float value = FromBFloat16(brain);
    file->append(reinterpret_cast<const char*>(&value), sizeof value);
  } else {
    file->append(reinterpret_cast<const char*>(data), size);
  }
}

}  // namespace

std::string NpyFile(const runtime::TensorRecord& tensor, const uint8_t* data) {
  std::string file = Header(tensor);
  const size_t size = SizeOf(tensor.dtype);
  const size_t rank = tensor.dims.size();
  std::vector<int64_t> strides = tensor.strides;
  if (strides.empty()) {
    strides.resize(rank, 1);
    for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * tensor.dims[i];
  }
  int64_t elements = 1;
  for (int64_t dim : tensor.dims) elements *= dim;
  file.reserve(file.size() + static_cast<size_t>(elements) * (tensor.dtype == DType::kBFloat16 ? 4 : size));
  std::vector<int64_t> index(rank, 0);
  int64_t at = 0;
  for (int64_t n = 0; n < elements; ++n) {
    AppendElement(tensor.dtype, data + at * static_cast<int64_t>(size), size, &file);
    for (size_t i = rank; i-- > 0;) {
      at += strides[i];
      if (++index[i] < tensor.dims[i]) break;
      at -= strides[i] * tensor.dims[i];
      index[i] = 0;
    }
  }
  return file;
}

}  // namespace omkit::acl
