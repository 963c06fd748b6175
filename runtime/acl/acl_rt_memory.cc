// Exported functions: memory of device and host, copies.
#include <cstdlib>
#include <cstring>

#include "acl/ops/acl_dvpp.h"
#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/memory.h"
#include "runtime/acl/memory_check.h"

namespace acl = omkit::acl;
using acl::AddressInfo;
using acl::Enter;
using acl::Fail;
using acl::Memory;
using acl::MemoryKind;

namespace omkit::acl {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kDvppAlignment = 128;
constexpr size_t kSlack = 32;

bool Strict() {
  static const bool strict = [] {
    const char* value = std::getenv("OMKIT_STRICT");
    return value != nullptr && std::strcmp(value, "1") == 0;
  }();
  return strict;
}

bool ValidPolicy(aclrtMemMallocPolicy policy) {
  constexpr int kFlags = ACL_MEM_TYPE_LOW_BAND_WIDTH | ACL_MEM_TYPE_HIGH_BAND_WIDTH | ACL_MEM_ACCESS_USER_SPACE_READONLY;
  const int value = policy;
  return value >= 0 && (value & ~kFlags) <= ACL_MEM_MALLOC_HUGE1G_ONLY_P2P;
}

bool Huge(aclrtMemMallocPolicy policy) {
  const int value = policy & 0xFF;
  return value != ACL_MEM_MALLOC_NORMAL_ONLY && value != ACL_MEM_MALLOC_NORMAL_ONLY_P2P;
}

aclError MallocDevice(void** address, size_t size, aclrtMemMallocPolicy policy) {
  ACL_RETURN_IF_ERROR(NeedContext());
  if (!ValidPolicy(policy)) return Fail(ACL_ERROR_RT_INVALID_MALLOC_TYPE, "policy is %d", static_cast<int>(policy));
  return AllocateDevice(address, size, kAlignment, kSlack, Huge(policy));
}

aclError FreeMemory(void* address, MemoryKind kind) {
  if (address == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the pointer is null");
  switch (Memory::Get().Free(address, kind)) {
    case Memory::FreeResult::kOk: return ACL_SUCCESS;
    case Memory::FreeResult::kUnknown: return Fail(ACL_ERROR_RT_PARAM_INVALID, "%p was not allocated by this library", address);
    case Memory::FreeResult::kDead: return Fail(ACL_ERROR_RT_PARAM_INVALID, "%p was freed before", address);
    case Memory::FreeResult::kInterior: return Fail(ACL_ERROR_RT_PARAM_INVALID, "%p lies inside an allocation and is not its start", address);
    case Memory::FreeResult::kOtherKind: break;
  }
  return Fail(ACL_ERROR_RT_INVALID_MEMORY_TYPE, "%p is %s memory", address, kind == MemoryKind::kDevice ? "host" : "device");
}

struct Kind {
  Expect from;
  Expect to;
};

bool FindKind(aclrtMemcpyKind value, Kind* kind) {
  switch (value) {
    case ACL_MEMCPY_HOST_TO_HOST: *kind = {Expect::kHost, Expect::kHost}; return true;
    case ACL_MEMCPY_HOST_TO_DEVICE:
    case ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE: *kind = {Expect::kHost, Expect::kDevice}; return true;
    case ACL_MEMCPY_DEVICE_TO_HOST: *kind = {Expect::kDevice, Expect::kHost}; return true;
    case ACL_MEMCPY_DEVICE_TO_DEVICE:
    case ACL_MEMCPY_INNER_DEVICE_TO_DEVICE:
    case ACL_MEMCPY_INTER_DEVICE_TO_DEVICE: *kind = {Expect::kDevice, Expect::kDevice}; return true;
    case ACL_MEMCPY_DEFAULT: *kind = {Expect::kAny, Expect::kAny}; return true;
  }
  return false;
}

struct CopyPins {
  std::shared_ptr<const Allocation> to;
  std::shared_ptr<const Allocation> from;
};

aclError CheckCopy(void* dst, size_t dest_max, const void* src, size_t count, aclrtMemcpyKind value, CopyPins* pins) {
  Kind kind;
  if (!FindKind(value, &kind)) return Fail(ACL_ERROR_INVALID_PARAM, "kind is %d", static_cast<int>(value));
  if (count > dest_max) return Fail(ACL_ERROR_RT_PARAM_INVALID, "count %zu is larger than destMax %zu", count, dest_max);
  if (count == 0) return ACL_SUCCESS;
  ACL_RETURN_IF_ERROR(CheckRange("dst", dst, count, kind.to, &pins->to));
  return CheckRange("src", src, count, kind.from, &pins->from);
}

// Rows of two pitches, in the order of memcpy2d.
struct Copy2d {
  void* dst;
  size_t dpitch;
  const void* src;
  size_t spitch;
  size_t width;
  size_t height;
  void Run() const {
    for (size_t row = 0; row < height; ++row) {
      std::memcpy(static_cast<char*>(dst) + row * dpitch, static_cast<const char*>(src) + row * spitch, width);
    }
  }
};

aclError CheckCopy2d(const Copy2d& copy, aclrtMemcpyKind value, CopyPins* pins) {
  Kind kind;
  if (!FindKind(value, &kind)) return Fail(ACL_ERROR_INVALID_PARAM, "kind is %d", static_cast<int>(value));
  if (copy.width > copy.dpitch || copy.width > copy.spitch) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "width %zu is larger than dpitch %zu or spitch %zu", copy.width, copy.dpitch, copy.spitch);
  }
  if (copy.width == 0 || copy.height == 0) return ACL_SUCCESS;
  size_t to_size = 0;
  size_t from_size = 0;
  if (__builtin_mul_overflow(copy.height - 1, copy.dpitch, &to_size) || __builtin_add_overflow(to_size, copy.width, &to_size) ||
      __builtin_mul_overflow(copy.height - 1, copy.spitch, &from_size) || __builtin_add_overflow(from_size, copy.width, &from_size)) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "%zu rows of pitch %zu or %zu do not fit in memory", copy.height, copy.dpitch, copy.spitch);
  }
  ACL_RETURN_IF_ERROR(CheckRange("dst", copy.dst, to_size, kind.to, &pins->to));
  ACL_RETURN_IF_ERROR(CheckRange("src", copy.src, from_size, kind.from, &pins->from));
  const uintptr_t to = reinterpret_cast<uintptr_t>(copy.dst);
  const uintptr_t from = reinterpret_cast<uintptr_t>(copy.src);
  if (to < from + from_size && from < to + to_size) return Fail(ACL_ERROR_RT_PARAM_INVALID, "dst and src overlap");
  return ACL_SUCCESS;
}

aclError CheckConfig(const aclrtMallocConfig* config) {
  if (config == nullptr || config->numAttrs == 0) return ACL_SUCCESS;
  if (config->attrs == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "cfg has %zu attributes at a null address", config->numAttrs);
  for (size_t i = 0; i < config->numAttrs; ++i) {
    const aclrtMallocAttribute& attribute = config->attrs[i];
    if (attribute.attr == ACL_RT_MEM_ATTR_DEVICE_ID) {
      if (attribute.value.deviceId > INT32_MAX) return Fail(ACL_ERROR_RT_INVALID_DEVICEID, "device %u does not exist", attribute.value.deviceId);
      ACL_RETURN_IF_ERROR(CheckDevice(static_cast<int32_t>(attribute.value.deviceId)));
    } else if (attribute.attr != ACL_RT_MEM_ATTR_RSV && attribute.attr != ACL_RT_MEM_ATTR_MODULE_ID) {
      return Fail(ACL_ERROR_INVALID_PARAM, "attribute %d does not exist", static_cast<int>(attribute.attr));
    }
  }
  return ACL_SUCCESS;
}

aclError CheckSet(void* address, size_t max_count, size_t count, std::shared_ptr<const Allocation>* pin) {
  if (count > max_count) return Fail(ACL_ERROR_RT_PARAM_INVALID, "count %zu is larger than maxCount %zu", count, max_count);
  if (count == 0) return ACL_SUCCESS;
  return CheckRange("devPtr", address, count, Expect::kAny, pin);
}

aclError CheckCached(void* address, size_t size) {
  ACL_RETURN_IF_ERROR(NeedContext());
  if (size == 0) return Fail(ACL_ERROR_INVALID_PARAM, "size is 0");
  std::shared_ptr<const Allocation> pin;
  return CheckRange("devPtr", address, size, Expect::kDevice, &pin);
}

}  // namespace

aclError CheckRange(const char* what, const void* address, size_t size, Expect expect, std::shared_ptr<const Allocation>* pin) {
  if (address == nullptr) return Fail(ACL_ERROR_RT_PARAM_INVALID, "%s is null", what);
  AddressInfo info = Memory::Get().Find(address);
  if (info.state == AddressInfo::kDead)
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "%s %p is device memory that was freed, or never allocated", what, address);
  if (info.state == AddressInfo::kLive && info.available < size) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "%s %p has %zu bytes left in its allocation, but %zu are used", what, address, info.available, size);
  }
  if (Strict() && expect != Expect::kAny) {
    const bool on_device = info.state == AddressInfo::kLive && info.allocation->kind == MemoryKind::kDevice;
    if (on_device != (expect == Expect::kDevice)) {
      return Fail(ACL_ERROR_RT_INVALID_MEMORY_TYPE, "%s %p is %s memory where %s memory is needed (OMKIT_STRICT=1)", what, address,
                  on_device ? "device" : "host", on_device ? "host" : "device");
    }
  }
  *pin = std::move(info.allocation);
  return ACL_SUCCESS;
}

aclError AllocateDevice(void** address, size_t size, size_t alignment, size_t slack, bool huge_pages) {
  if (address == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the result pointer is null");
  if (size == 0) return Fail(ACL_ERROR_INVALID_PARAM, "size is 0");
  *address = Memory::Get().Allocate(size, alignment, slack, MemoryKind::kDevice, huge_pages);
  if (*address != nullptr) return ACL_SUCCESS;
  return Fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "no room for %zu bytes of device memory (%zu of %zu are free)", size, Memory::FreeBytes(),
              Memory::TotalBytes());
}

}  // namespace omkit::acl

extern "C" {

aclError aclrtMalloc(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  return Enter(__func__, [&] { return acl::MallocDevice(devPtr, size, policy); });
}

aclError aclrtMallocAlign32(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  return Enter(__func__, [&] { return acl::MallocDevice(devPtr, size, policy); });
}

aclError aclrtMallocCached(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  return Enter(__func__, [&] { return acl::MallocDevice(devPtr, size, policy); });
}

aclError aclrtMallocWithCfg(void** devPtr, size_t size, aclrtMemMallocPolicy policy, aclrtMallocConfig* cfg) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    ACL_RETURN_IF_ERROR(acl::CheckConfig(cfg));
    return acl::MallocDevice(devPtr, size, policy);
  });
}

aclError aclrtFree(void* devPtr) {
  return Enter(__func__, [&] { return acl::FreeMemory(devPtr, MemoryKind::kDevice); });
}

aclError acldvppMalloc(void** devPtr, size_t size) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    return acl::AllocateDevice(devPtr, size, acl::kDvppAlignment, acl::kSlack, true);
  });
}

aclError acldvppFree(void* devPtr) {
  return Enter(__func__, [&] { return acl::FreeMemory(devPtr, MemoryKind::kDevice); });
}

aclError aclrtMallocHost(void** hostPtr, size_t size) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (hostPtr == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "hostPtr is null");
    if (size == 0) return Fail(ACL_ERROR_INVALID_PARAM, "size is 0");
    *hostPtr = Memory::Get().Allocate(size, acl::kAlignment, acl::kSlack, MemoryKind::kHost, false);
    if (*hostPtr != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "no room for %zu bytes of host memory", size);
  });
}

aclError aclrtFreeHost(void* hostPtr) {
  return Enter(__func__, [&] { return acl::FreeMemory(hostPtr, MemoryKind::kHost); });
}

aclError aclrtMemFlush(void* devPtr, size_t size) {
  return Enter(__func__, [&] { return acl::CheckCached(devPtr, size); });
}

aclError aclrtMemInvalidate(void* devPtr, size_t size) {
  return Enter(__func__, [&] { return acl::CheckCached(devPtr, size); });
}

aclError aclrtMemcpy(void* dst, size_t destMax, const void* src, size_t count, aclrtMemcpyKind kind) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    acl::CopyPins pins;
    ACL_RETURN_IF_ERROR(acl::CheckCopy(dst, destMax, src, count, kind, &pins));
    if (count > 0) std::memmove(dst, src, count);
    return ACL_SUCCESS;
  });
}

aclError aclrtMemcpyAsync(void* dst, size_t destMax, const void* src, size_t count, aclrtMemcpyKind kind, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::Stream> found;
    ACL_RETURN_IF_ERROR(acl::UseStream(stream, &found));
    acl::CopyPins pins;
    ACL_RETURN_IF_ERROR(acl::CheckCopy(dst, destMax, src, count, kind, &pins));
    if (count == 0) return ACL_SUCCESS;
    return acl::PushTask(found, {[dst, src, count, pins]() -> aclError {
                                   std::memmove(dst, src, count);
                                   return ACL_SUCCESS;
                                 },
                                 nullptr});
  });
}

aclError aclrtMemcpy2d(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height, aclrtMemcpyKind kind) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    acl::CopyPins pins;
    const acl::Copy2d copy{dst, dpitch, src, spitch, width, height};
    ACL_RETURN_IF_ERROR(acl::CheckCopy2d(copy, kind, &pins));
    if (width > 0) copy.Run();
    return ACL_SUCCESS;
  });
}

aclError aclrtMemcpy2dAsync(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height, aclrtMemcpyKind kind,
                            aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::Stream> found;
    ACL_RETURN_IF_ERROR(acl::UseStream(stream, &found));
    acl::CopyPins pins;
    const acl::Copy2d copy{dst, dpitch, src, spitch, width, height};
    ACL_RETURN_IF_ERROR(acl::CheckCopy2d(copy, kind, &pins));
    if (width == 0 || height == 0) return ACL_SUCCESS;
    return acl::PushTask(found, {[copy, pins]() -> aclError {
                                   copy.Run();
                                   return ACL_SUCCESS;
                                 },
                                 nullptr});
  });
}

aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value, size_t count) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    std::shared_ptr<const acl::Allocation> pin;
    ACL_RETURN_IF_ERROR(acl::CheckSet(devPtr, maxCount, count, &pin));
    if (count > 0) std::memset(devPtr, value, count);
    return ACL_SUCCESS;
  });
}

aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value, size_t count, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::Stream> found;
    ACL_RETURN_IF_ERROR(acl::UseStream(stream, &found));
    std::shared_ptr<const acl::Allocation> pin;
    ACL_RETURN_IF_ERROR(acl::CheckSet(devPtr, maxCount, count, &pin));
    if (count == 0) return ACL_SUCCESS;
    return acl::PushTask(found, {[devPtr, value, count, pin]() -> aclError {
                                   std::memset(devPtr, value, count);
                                   return ACL_SUCCESS;
                                 },
                                 nullptr});
  });
}

aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t* free, size_t* total) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (free == nullptr || total == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "a result pointer is null");
    if (attr < ACL_DDR_MEM || attr > ACL_HBM_MEM_P2P_NORMAL) return Fail(ACL_ERROR_INVALID_PARAM, "attr is %d", static_cast<int>(attr));
    *free = Memory::FreeBytes();
    *total = Memory::TotalBytes();
    return ACL_SUCCESS;
  });
}

}  // extern "C"
