// Exported functions: start and end of the library, devices, contexts.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "runtime/acl/config.h"
#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/kernels_hook.h"
#include "runtime/acl/memory.h"
#include "runtime/soc.h"

namespace acl = omkit::acl;
using acl::Enter;
using acl::Fail;

namespace omkit::acl {
namespace {

// Percent of the machine's time since the last call that its cores were busy; 0 when the system does not tell.
int32_t BusyPercent() {
  static std::mutex mutex;
  static uint64_t last_all = 0;
  static uint64_t last_idle = 0;
  unsigned long long field[8] = {};
  FILE* const file = std::fopen("/proc/stat", "re");
  if (file == nullptr) return 0;
  const int read = std::fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &field[0], &field[1], &field[2], &field[3], &field[4], &field[5],
                               &field[6], &field[7]);
  std::fclose(file);
  if (read != 8) return 0;
  uint64_t all = 0;
  for (unsigned long long value : field) all += value;
  const uint64_t idle = field[3] + field[4];
  const std::lock_guard<std::mutex> lock(mutex);
  const uint64_t all_since = all - last_all;
  const uint64_t idle_since = idle - last_idle;
  last_all = all;
  last_idle = idle;
  return all_since == 0 || idle_since > all_since ? 0 : static_cast<int32_t>(100 - 100 * idle_since / all_since);
}

}  // namespace
}  // namespace omkit::acl

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

aclError aclrtSetTsDevice(aclrtTsId tsId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (tsId == ACL_TS_ID_AICORE || tsId == ACL_TS_ID_AIVECTOR) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "tsId is %d", static_cast<int>(tsId));
  });
}

aclError aclrtGetDeviceUtilizationRate(int32_t deviceId, aclrtUtilizationInfo* utilizationInfo) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (utilizationInfo == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "utilizationInfo is null");
    ACL_RETURN_IF_ERROR(acl::CheckDevice(deviceId));
    const int32_t busy = acl::BusyPercent();
    const size_t total = acl::Memory::TotalBytes();
    *utilizationInfo = {busy, busy, busy, static_cast<int32_t>(100 - 100 * (acl::Memory::FreeBytes() / 1024) / (total / 1024)), nullptr};
    return ACL_SUCCESS;
  });
}

aclError aclrtSetDeviceSatMode(aclrtFloatOverflowMode mode) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (mode == ACL_RT_OVERFLOW_MODE_INFNAN) return ACL_SUCCESS;
    if (mode == ACL_RT_OVERFLOW_MODE_SATURATION) return Fail(ACL_ERROR_API_NOT_SUPPORT, "floats overflow to infinity here");
    return Fail(ACL_ERROR_INVALID_PARAM, "mode is %d", static_cast<int>(mode));
  });
}

aclError aclrtGetDeviceSatMode(aclrtFloatOverflowMode* mode) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (mode == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "mode is null");
    *mode = ACL_RT_OVERFLOW_MODE_INFNAN;
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

aclError aclrtSynchronizeDevice(void) {
  const acl::FunctionScope scope(__func__);
  return aclrtSynchronizeDeviceWithTimeout(-1);
}

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
