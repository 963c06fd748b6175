// Exported functions: start and end of the library, devices, contexts.
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "runtime/acl/config.h"
#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/kernels_hook.h"
#include "runtime/acl/memory.h"
#include "runtime/soc.h"

namespace acl = omkit::acl;
using acl::Enter;
using acl::Fail;

extern "C" {

aclError aclInit(const char* configPath) {
  return Enter(__func__, [&]() -> aclError {
    acl::Config config;
    if (configPath != nullptr) ACL_RETURN_IF_ERROR(acl::ReadConfig(configPath, &config));
    if (config.default_device >= 0) ACL_RETURN_IF_ERROR(acl::CheckDevice(config.default_device));
    if (const absl::Status status = acl::RegisterKernelsOnce(); !status.ok()) return acl::FailExecuting(status);
    return acl::InitializeProcess(config);
  });
}

aclError aclFinalize(void) {
  return Enter(__func__, [&] { return acl::FinalizeProcess(true, nullptr); });
}

aclError aclFinalizeReference(uint64_t* refCount) {
  return Enter(__func__, [&] { return acl::FinalizeProcess(false, refCount); });
}

aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion, int32_t* patchVersion) {
  return Enter(__func__, [&]() -> aclError {
    if (majorVersion == nullptr || minorVersion == nullptr || patchVersion == nullptr)
      return Fail(ACL_ERROR_INVALID_PARAM, "a result pointer is null");
    *majorVersion = ACL_MAJOR_VERSION;
    *minorVersion = ACL_MINOR_VERSION;
    *patchVersion = ACL_PATCH_VERSION;
    return ACL_SUCCESS;
  });
}

const char* aclrtGetSocName(void) {
  return acl::EnterOr<const char*>(__func__, nullptr, []() -> const char* {
    const absl::StatusOr<omkit::runtime::SocRow> row = omkit::runtime::DeviceSoc();
    if (row.ok()) return row->name;
    acl::FailExecuting(row.status());
    return nullptr;
  });
}

const char* aclGetRecentErrMsg(void) { return acl::TakeMessage(); }

aclError aclrtSetDevice(int32_t deviceId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    ACL_RETURN_IF_ERROR(acl::CheckDevice(deviceId));
    return acl::SetDevice(deviceId);
  });
}

aclError aclrtResetDevice(int32_t deviceId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    ACL_RETURN_IF_ERROR(acl::CheckDevice(deviceId));
    return acl::ResetDevice(deviceId, false);
  });
}

aclError aclrtResetDeviceForce(int32_t deviceId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    ACL_RETURN_IF_ERROR(acl::CheckDevice(deviceId));
    return acl::ResetDevice(deviceId, true);
  });
}

aclError aclrtGetDevice(int32_t* deviceId) {
  return Enter(__func__, [&]() -> aclError {
    acl::CurrentContext current;
    ACL_RETURN_IF_ERROR(acl::NeedContext(&current));
    if (deviceId == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "deviceId is null");
    *deviceId = current.context->device();
    return ACL_SUCCESS;
  });
}

aclError aclrtGetDeviceCount(uint32_t* count) {
  return Enter(__func__, [&]() -> aclError {
    if (count == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "count is null");
    *count = acl::kDeviceCount;
    return ACL_SUCCESS;
  });
}

aclError aclrtGetRunMode(aclrtRunMode* runMode) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (runMode == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "runMode is null");
    const char* mode = std::getenv("OMKIT_RUN_MODE");
    if (mode != nullptr && std::strcmp(mode, "device") != 0 && std::strcmp(mode, "host") != 0) {
      return Fail(ACL_ERROR_INVALID_PARAM, "OMKIT_RUN_MODE is '%.64s'; use 'host' or 'device'", mode);
    }
    *runMode = mode != nullptr && mode[0] == 'd' ? ACL_DEVICE : ACL_HOST;
    return ACL_SUCCESS;
  });
}

aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout) {
  return Enter(__func__, [&]() -> aclError {
    acl::CurrentContext current;
    ACL_RETURN_IF_ERROR(acl::NeedContext(&current));
    return acl::SynchronizeStreams(current.context->Streams(), timeout);
  });
}

aclError aclrtSynchronizeDevice(void) { return aclrtSynchronizeDeviceWithTimeout(-1); }

aclError aclrtCreateContext(aclrtContext* context, int32_t deviceId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (context == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "context is null");
    ACL_RETURN_IF_ERROR(acl::CheckDevice(deviceId));
    return acl::CreateContext(deviceId, context);
  });
}

aclError aclrtDestroyContext(aclrtContext context) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (context == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "context is null");
    return acl::DestroyContext(context);
  });
}

aclError aclrtSetCurrentContext(aclrtContext context) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (context == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "context is null");
    if (acl::ContextTable::Get().Find(context) == nullptr) return Fail(ACL_ERROR_RT_INVALID_HANDLE, "%p is not a live context", context);
    acl::SetCurrentContext(context);
    return ACL_SUCCESS;
  });
}

aclError aclrtGetCurrentContext(aclrtContext* context) {
  return Enter(__func__, [&]() -> aclError {
    acl::CurrentContext current;
    if (context == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "context is null");
    ACL_RETURN_IF_ERROR(acl::NeedContext(&current));
    *context = current.handle;
    return ACL_SUCCESS;
  });
}

}  // extern "C"
