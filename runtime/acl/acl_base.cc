// Exported functions: float16, element sizes, log, data buffers.
#include <cstdarg>
#include <cstdio>

#include "base/dtype.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/tensor.h"

namespace acl = omkit::acl;
using acl::DataBuffer;
using acl::DataBufferTable;
using acl::Enter;
using acl::EnterOr;
using acl::Fail;

extern "C" {

float aclFloat16ToFloat(aclFloat16 value) { return omkit::FromFloat16(omkit::Float16{value}); }

aclFloat16 aclFloatToFloat16(float value) { return omkit::ToFloat16(value).bits; }

size_t aclDataTypeSize(aclDataType dataType) {
  switch (dataType) {
    case ACL_INT8:
    case ACL_UINT8:
    case ACL_BOOL:
    case ACL_HIFLOAT8:
    case ACL_FLOAT8_E5M2:
    case ACL_FLOAT8_E4M3FN:
    case ACL_FLOAT8_E8M0: return 1;
    case ACL_FLOAT16:
    case ACL_BF16:
    case ACL_INT16:
    case ACL_UINT16: return 2;
    case ACL_FLOAT:
    case ACL_INT32:
    case ACL_UINT32:
    case ACL_COMPLEX32: return 4;
    case ACL_INT64:
    case ACL_UINT64:
    case ACL_DOUBLE:
    case ACL_COMPLEX64: return 8;
    case ACL_COMPLEX128: return 16;
    default: return 0;
  }
}

void aclAppLog(aclLogLevel logLevel, const char* func, const char* file, uint32_t line, const char* fmt, ...) {
  if (fmt == nullptr || logLevel < ACL_DEBUG || logLevel > ACL_ERROR || !acl::LogEnabled(logLevel)) return;
  char text[1024];
  va_list args;
  va_start(args, fmt);
  std::vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  acl::Log(logLevel, "%s:%u %s: %s", file != nullptr ? file : "?", line, func != nullptr ? func : "?", text);
}

aclDataBuffer* aclCreateDataBuffer(void* data, size_t size) {
  return EnterOr<aclDataBuffer*>(__func__, nullptr, [&] {
    void* const handle = DataBufferTable::Get().Add(std::make_shared<DataBuffer>(DataBuffer{data, size}));
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many data buffers");
    return static_cast<aclDataBuffer*>(handle);
  });
}

aclError aclDestroyDataBuffer(const aclDataBuffer* dataBuffer) {
  return Enter(__func__, [&]() -> aclError {
    if (DataBufferTable::Get().Remove(dataBuffer) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live data buffer", static_cast<const void*>(dataBuffer));
  });
}

aclError aclUpdateDataBuffer(aclDataBuffer* dataBuffer, void* data, size_t size) {
  return Enter(__func__, [&]() -> aclError {
    const std::shared_ptr<DataBuffer> buffer = DataBufferTable::Get().Find(dataBuffer);
    if (buffer == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live data buffer", static_cast<void*>(dataBuffer));
    *buffer = {data, size};
    return ACL_SUCCESS;
  });
}

void* aclGetDataBufferAddr(const aclDataBuffer* dataBuffer) {
  return EnterOr<void*>(__func__, nullptr, [&]() -> void* {
    const std::shared_ptr<DataBuffer> buffer = DataBufferTable::Get().Find(dataBuffer);
    if (buffer != nullptr) return buffer->data;
    Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live data buffer", static_cast<const void*>(dataBuffer));
    return nullptr;
  });
}

size_t aclGetDataBufferSizeV2(const aclDataBuffer* dataBuffer) {
  return EnterOr<size_t>(__func__, 0, [&]() -> size_t {
    const std::shared_ptr<DataBuffer> buffer = DataBufferTable::Get().Find(dataBuffer);
    if (buffer != nullptr) return buffer->size;
    Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live data buffer", static_cast<const void*>(dataBuffer));
    return 0;
  });
}

uint32_t aclGetDataBufferSize(const aclDataBuffer* dataBuffer) { return static_cast<uint32_t>(aclGetDataBufferSizeV2(dataBuffer)); }

}  // extern "C"
