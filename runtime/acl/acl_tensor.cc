// Exported functions: tensor descriptions.
#include <climits>
#include <cstring>

#include "base/checked.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/tensor.h"

namespace acl = omkit::acl;
using acl::Enter;
using acl::EnterOr;
using acl::Fail;
using acl::TensorDesc;
using acl::TensorDescTable;

namespace omkit::acl {
namespace {

aclError CheckDims(int num_dims, const int64_t* dims) {
  if (num_dims < 0 || num_dims > ACL_MAX_DIM_CNT) return Fail(ACL_ERROR_INVALID_PARAM, "numDims is %d; the limit is %d", num_dims, ACL_MAX_DIM_CNT);
  if (num_dims > 0 && dims == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "dims is null");
  for (int i = 0; i < num_dims; ++i) {
    if (dims[i] < -2 || (dims[i] == -2 && num_dims != 1)) {
      return Fail(ACL_ERROR_INVALID_PARAM, "dims[%d] is %lld", i, static_cast<long long>(dims[i]));
    }
  }
  return ACL_SUCCESS;
}

bool UnknownRank(const TensorDesc& desc) { return desc.dims.size() == 1 && desc.dims[0] == -2; }

// 0 when a dimension is unknown or the product leaves 63 bits.
size_t Elements(const TensorDesc& desc) {
  CheckedSize count = 1;
  for (int64_t dim : desc.dims) count = count * CheckedSize(dim);
  return count.ok() ? static_cast<size_t>(count.value()) : 0;
}

// Runs fn on a live description, or gives `failed`.
template <typename T, typename Fn>
T WithDesc(const char* function, const aclTensorDesc* handle, T failed, Fn fn) {
  return EnterOr<T>(function, failed, [&]() -> T {
    std::shared_ptr<TensorDesc> desc;
    return UseTensorDesc(handle, &desc) == ACL_SUCCESS ? fn(*desc) : failed;
  });
}

template <typename Fn>
aclError ChangeDesc(const char* function, const aclTensorDesc* handle, Fn fn) {
  return Enter(function, [&]() -> aclError {
    std::shared_ptr<TensorDesc> desc;
    ACL_RETURN_IF_ERROR(UseTensorDesc(handle, &desc));
    return fn(desc.get());
  });
}

}  // namespace

aclError UseTensorDesc(const aclTensorDesc* handle, std::shared_ptr<TensorDesc>* desc) {
  *desc = TensorDescTable::Get().Find(handle);
  if (*desc != nullptr) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live tensor description", static_cast<const void*>(handle));
}

}  // namespace omkit::acl

extern "C" {

aclTensorDesc* aclCreateTensorDesc(aclDataType dataType, int numDims, const int64_t* dims, aclFormat format) {
  return EnterOr<aclTensorDesc*>(__func__, nullptr, [&]() -> aclTensorDesc* {
    if (acl::CheckDims(numDims, dims) != ACL_SUCCESS) return nullptr;
    auto desc = std::make_shared<TensorDesc>();
    desc->type = dataType;
    desc->format = desc->origin_format = format;
    desc->dims.assign(dims, dims + numDims);
    desc->origin_dims = desc->dims;
    void* const handle = TensorDescTable::Get().Add(std::move(desc));
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many tensor descriptions");
    return static_cast<aclTensorDesc*>(handle);
  });
}

void aclDestroyTensorDesc(const aclTensorDesc* desc) {
  if (desc == nullptr) return;
  acl::ChangeDesc(__func__, desc, [&](TensorDesc* found) -> aclError {
    if (found->owned) return Fail(ACL_ERROR_INVALID_PARAM, "the description belongs to a dataset or a list");
    for (void* entry : found->entries) TensorDescTable::Get().Remove(entry);
    TensorDescTable::Get().Remove(desc);
    return ACL_SUCCESS;
  });
}

aclDataType aclGetTensorDescType(const aclTensorDesc* desc) {
  return acl::WithDesc(__func__, desc, ACL_DT_UNDEFINED, [](const TensorDesc& d) { return d.type; });
}

aclFormat aclGetTensorDescFormat(const aclTensorDesc* desc) {
  return acl::WithDesc(__func__, desc, ACL_FORMAT_UNDEFINED, [](const TensorDesc& d) { return d.format; });
}

size_t aclGetTensorDescSize(const aclTensorDesc* desc) {
  return acl::WithDesc<size_t>(__func__, desc, 0, [](const TensorDesc& d) {
    const omkit::CheckedSize bytes = omkit::CheckedSize(static_cast<int64_t>(acl::Elements(d))) * static_cast<int64_t>(aclDataTypeSize(d.type));
    return bytes.ok() ? static_cast<size_t>(bytes.value()) : 0;
  });
}

size_t aclGetTensorDescElementCount(const aclTensorDesc* desc) {
  return acl::WithDesc<size_t>(__func__, desc, 0, [](const TensorDesc& d) { return acl::Elements(d); });
}

size_t aclGetTensorDescNumDims(const aclTensorDesc* desc) {
  return acl::WithDesc<size_t>(__func__, desc, 0, [](const TensorDesc& d) { return acl::UnknownRank(d) ? ACL_UNKNOWN_RANK : d.dims.size(); });
}

int64_t aclGetTensorDescDim(const aclTensorDesc* desc, size_t index) {
  int64_t dim = -1;
  return aclGetTensorDescDimV2(desc, index, &dim) == ACL_SUCCESS ? dim : -1;
}

aclError aclGetTensorDescDimV2(const aclTensorDesc* desc, size_t index, int64_t* dimSize) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    if (dimSize == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "dimSize is null");
    if (index >= d->dims.size()) return Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but there are %zu dimensions", index, d->dims.size());
    *dimSize = d->dims[index];
    return ACL_SUCCESS;
  });
}

aclError aclGetTensorDescDimRange(const aclTensorDesc* desc, size_t index, size_t dimRangeNum, int64_t* dimRange) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    if (dimRange == nullptr || dimRangeNum < ACL_TENSOR_SHAPE_RANGE_NUM)
      return Fail(ACL_ERROR_INVALID_PARAM, "dimRange must have room for 2 numbers");
    if (index >= d->dims.size()) return Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but there are %zu dimensions", index, d->dims.size());
    if (index >= d->ranges.size() && d->dims[index] < 0) return Fail(ACL_ERROR_INVALID_PARAM, "dimension %zu is unknown and has no range", index);
    dimRange[0] = index < d->ranges.size() ? d->ranges[index][0] : d->dims[index];
    dimRange[1] = index < d->ranges.size() ? d->ranges[index][1] : d->dims[index];
    return ACL_SUCCESS;
  });
}

void aclSetTensorDescName(aclTensorDesc* desc, const char* name) {
  acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    d->name = name != nullptr ? name : "";
    return ACL_SUCCESS;
  });
}

const char* aclGetTensorDescName(aclTensorDesc* desc) {
  return acl::WithDesc<const char*>(__func__, desc, nullptr, [](const TensorDesc& d) { return d.name.c_str(); });
}

aclError aclSetTensorShape(aclTensorDesc* desc, int numDims, const int64_t* dims) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    ACL_RETURN_IF_ERROR(acl::CheckDims(numDims, dims));
    d->dims.assign(dims, dims + numDims);
    d->ranges.clear();
    return ACL_SUCCESS;
  });
}

aclError aclSetTensorFormat(aclTensorDesc* desc, aclFormat format) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    d->format = format;
    return ACL_SUCCESS;
  });
}

aclError aclSetTensorOriginShape(aclTensorDesc* desc, int numDims, const int64_t* dims) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    ACL_RETURN_IF_ERROR(acl::CheckDims(numDims, dims));
    d->origin_dims.assign(dims, dims + numDims);
    return ACL_SUCCESS;
  });
}

aclError aclSetTensorOriginFormat(aclTensorDesc* desc, aclFormat format) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    d->origin_format = format;
    return ACL_SUCCESS;
  });
}

aclError aclSetTensorShapeRange(aclTensorDesc* desc, size_t dimsCount, int64_t dimsRange[][ACL_TENSOR_SHAPE_RANGE_NUM]) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    if (dimsRange == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "dimsRange is null");
    if (dimsCount != d->dims.size()) return Fail(ACL_ERROR_INVALID_PARAM, "%zu ranges for %zu dimensions", dimsCount, d->dims.size());
    std::vector<std::array<int64_t, 2>> ranges;
    for (size_t i = 0; i < dimsCount; ++i) {
      const int64_t low = dimsRange[i][0];
      const int64_t high = dimsRange[i][1];
      if (low < 0 || (high != -1 && high < low)) return Fail(ACL_ERROR_INVALID_PARAM, "range %zu is wrong", i);
      ranges.push_back({low, high});
    }
    d->ranges = std::move(ranges);
    return ACL_SUCCESS;
  });
}

aclTensorDesc* aclGetTensorDescByIndex(aclTensorDesc* desc, size_t index) {
  return acl::WithDesc<aclTensorDesc*>(__func__, desc, nullptr, [&](const TensorDesc& d) -> aclTensorDesc* {
    if (index == 0) return desc;
    if (index <= d.entries.size()) return static_cast<aclTensorDesc*>(d.entries[index - 1]);
    Fail(ACL_ERROR_INVALID_PARAM, "index %zu of a list of %zu", index, d.entries.size() + 1);
    return nullptr;
  });
}

void* aclGetTensorDescAddress(const aclTensorDesc* desc) {
  return acl::WithDesc<void*>(__func__, desc, nullptr, [](const TensorDesc& d) { return d.address; });
}

aclError aclSetTensorConst(aclTensorDesc* desc, void* dataBuffer, size_t length) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    if (dataBuffer == nullptr || length == 0) return Fail(ACL_ERROR_INVALID_PARAM, "the constant is empty");
    d->constant.assign(static_cast<const char*>(dataBuffer), length);
    return ACL_SUCCESS;
  });
}

aclError aclSetTensorPlaceMent(aclTensorDesc* desc, aclMemType memType) {
  return acl::ChangeDesc(__func__, desc, [&](TensorDesc* d) -> aclError {
    if (memType < ACL_MEMTYPE_DEVICE || memType > ACL_MEMTYPE_HOST_COMPILE_INDEPENDENT)
      return Fail(ACL_ERROR_INVALID_PARAM, "memType is %d", memType);
    d->placement = memType;
    return ACL_SUCCESS;
  });
}

}  // extern "C"
