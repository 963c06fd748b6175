// Exported functions: profiling sessions and subscriptions.
#include "acl/acl_prof.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/profiling.h"
#include "runtime/acl/slot_table.h"
#include "runtime/acl/subscription.h"

namespace acl = omkit::acl;
using acl::Enter;
using acl::EnterOr;
using acl::Fail;
using acl::OpRecord;

namespace omkit::acl {
namespace {

constexpr uint64_t kKnownBits = ACL_PROF_ACL_API | ACL_PROF_TASK_TIME | ACL_PROF_AICORE_METRICS | ACL_PROF_AICPU | ACL_PROF_L2CACHE |
                                ACL_PROF_HCCL_TRACE | ACL_PROF_TRAINING_TRACE | ACL_PROF_MSPROFTX | ACL_PROF_RUNTIME_API | ACL_PROF_GE_API_L0 |
                                ACL_PROF_TASK_TIME_L0 | ACL_PROF_TASK_MEMORY | ACL_PROF_TASK_TIME_L2 | ACL_PROF_OP_ATTR | ACL_PROF_GE_API_L1;
constexpr size_t kLongestPath = 4096;

struct ProfConfig {
  uint64_t bits = 0;
};
using ProfConfigTable = SlotTable<ProfConfig, HandleType::kProfConfig>;
using SubscribeConfigTable = SlotTable<SubscribeConfig, HandleType::kSubscribeConfig>;

bool KnownMetrics(aclprofAicoreMetrics metrics) {
  return (metrics >= ACL_AICORE_ARITHMETIC_UTILIZATION && metrics <= ACL_AICORE_MEMORY_ACCESS) || metrics == ACL_AICORE_NONE;
}

aclError UseConfig(const aclprofConfig* handle, std::shared_ptr<ProfConfig>* config) {
  *config = ProfConfigTable::Get().Find(handle);
  if (*config != nullptr) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live profiling configuration", static_cast<const void*>(handle));
}

// One of the records in `info`, which may be unaligned.
aclError ReadRecord(const void* info, size_t length, uint32_t index, OpRecord* record) {
  if (info == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "opInfo is null");
  if (length == 0 || length % sizeof(OpRecord) != 0) {
    return Fail(ACL_ERROR_INVALID_PARAM, "opInfoLen is %zu, not a multiple of %zu", length, sizeof(OpRecord));
  }
  if (index >= length / sizeof(OpRecord)) return Fail(ACL_ERROR_INVALID_PARAM, "index %u of %zu records", index, length / sizeof(OpRecord));
  std::memcpy(record, static_cast<const char*>(info) + index * sizeof(OpRecord), sizeof *record);
  if (record->magic != kOpRecordMagic || record->type[sizeof record->type - 1] != '\0' || record->name[sizeof record->name - 1] != '\0') {
    return Fail(ACL_ERROR_INVALID_PARAM, "record %u did not come from a subscription", index);
  }
  return ACL_SUCCESS;
}

aclError TextLength(const void* info, size_t length, uint32_t index, const char* (*text)(const OpRecord&), size_t* result) {
  if (result == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the result pointer is null");
  OpRecord record;
  ACL_RETURN_IF_ERROR(ReadRecord(info, length, index, &record));
  *result = std::strlen(text(record)) + 1;
  return ACL_SUCCESS;
}

aclError CopyText(const void* info, size_t length, uint32_t index, const char* (*text)(const OpRecord&), char* to, size_t room) {
  if (to == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the result pointer is null");
  OpRecord record;
  ACL_RETURN_IF_ERROR(ReadRecord(info, length, index, &record));
  const size_t needed = std::strlen(text(record)) + 1;
  if (room < needed) return Fail(ACL_ERROR_INVALID_PARAM, "the result has room for %zu bytes, %zu are needed", room, needed);
  std::memcpy(to, text(record), needed);
  return ACL_SUCCESS;
}

const char* TypeOf(const OpRecord& record) { return record.type; }
const char* NameOf(const OpRecord& record) { return record.name; }

template <typename Fn>
uint64_t Number(const char* function, const void* info, size_t length, uint32_t index, Fn fn) {
  return EnterOr<uint64_t>(function, 0, [&]() -> uint64_t {
    OpRecord record;
    return ReadRecord(info, length, index, &record) == ACL_SUCCESS ? fn(record) : 0;
  });
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclError aclprofInit(const char* profilerResultPath, size_t length) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (profilerResultPath == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "profilerResultPath is null");
    if (length == 0 || length > acl::kLongestPath || strnlen(profilerResultPath, length) != length) {
      return Fail(ACL_ERROR_INVALID_PARAM, "length is %zu, which is not the length of the path", length);
    }
    return acl::BeginProfile(std::string(profilerResultPath, length), acl::ProfileSource::kApi, {});
  });
}

aclError aclprofFinalize(void) {
  return Enter(__func__, [] { return acl::EndProfile(acl::ProfileSource::kApi); });
}

aclprofConfig* aclprofCreateConfig(uint32_t* deviceIdList, uint32_t deviceNums, aclprofAicoreMetrics aicoreMetrics,
                                   const aclprofAicoreEvents* aicoreEvents, uint64_t dataTypeConfig) {
  return EnterOr<aclprofConfig*>(__func__, nullptr, [&]() -> aclprofConfig* {
    if (deviceIdList == nullptr || deviceNums != acl::kDeviceCount || deviceIdList[0] != 0) {
      Fail(ACL_ERROR_INVALID_PARAM, "the list of devices must be device 0");
      return nullptr;
    }
    if (!acl::KnownMetrics(aicoreMetrics) || aicoreEvents != nullptr) {
      Fail(ACL_ERROR_INVALID_PARAM, aicoreEvents != nullptr ? "aicoreEvents must be null" : "unknown aicoreMetrics");
      return nullptr;
    }
    if (dataTypeConfig == 0 || (dataTypeConfig & ~acl::kKnownBits) != 0) {
      Fail(ACL_ERROR_INVALID_PARAM, "dataTypeConfig is 0x%llx", static_cast<unsigned long long>(dataTypeConfig));
      return nullptr;
    }
    void* const handle = acl::ProfConfigTable::Get().Add(std::make_shared<acl::ProfConfig>(acl::ProfConfig{dataTypeConfig}));
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many profiling configurations");
    return static_cast<aclprofConfig*>(handle);
  });
}

aclError aclprofDestroyConfig(const aclprofConfig* profilerConfig) {
  return Enter(__func__, [&]() -> aclError {
    if (acl::ProfConfigTable::Get().Remove(profilerConfig) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live profiling configuration", static_cast<const void*>(profilerConfig));
  });
}

aclError aclprofStart(const aclprofConfig* profilerConfig) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::ProfConfig> config;
    ACL_RETURN_IF_ERROR(acl::UseConfig(profilerConfig, &config));
    return acl::StartRecording(config->bits);
  });
}

aclError aclprofStop(const aclprofConfig* profilerConfig) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::ProfConfig> config;
    ACL_RETURN_IF_ERROR(acl::UseConfig(profilerConfig, &config));
    return acl::StopRecording(config->bits);
  });
}

aclError aclprofSetConfig(aclprofConfigType configType, const char* config, size_t configLength) {
  return Enter(__func__, [&]() -> aclError {
    if (config == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "config is null");
    if (configType <= ACL_PROF_ARGS_MIN || configType >= ACL_PROF_ARGS_MAX) return Fail(ACL_ERROR_INVALID_PARAM, "configType is %d", configType);
    if (configLength == 0 || configLength > 256 || strnlen(config, configLength) != configLength) {
      return Fail(ACL_ERROR_INVALID_PARAM, "configLength is %zu, which is not the length of the text", configLength);
    }
    if (configType != ACL_PROF_STORAGE_LIMIT) return ACL_SUCCESS;
    acl::ProfileOptions options;
    std::string why;
    if (!acl::SetProfileOption("storage_limit", std::string(config, configLength), &options, &why)) {
      return Fail(ACL_ERROR_INVALID_PARAM, "%s", why.c_str());
    }
    return acl::SetStorageLimit(options.storage_bytes);
  });
}

aclprofSubscribeConfig* aclprofCreateSubscribeConfig(int8_t timeInfoSwitch, aclprofAicoreMetrics aicoreMetrics, void* fd) {
  return EnterOr<aclprofSubscribeConfig*>(__func__, nullptr, [&]() -> aclprofSubscribeConfig* {
    if (fd == nullptr || !acl::KnownMetrics(aicoreMetrics)) {
      Fail(ACL_ERROR_INVALID_PARAM, fd == nullptr ? "fd is null; pass the address of an int" : "unknown aicoreMetrics");
      return nullptr;
    }
    acl::SubscribeConfig config;
    config.times = timeInfoSwitch != 0;
    std::memcpy(&config.fd, fd, sizeof config.fd);
    void* const handle = acl::SubscribeConfigTable::Get().Add(std::make_shared<acl::SubscribeConfig>(config));
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many subscription configurations");
    return static_cast<aclprofSubscribeConfig*>(handle);
  });
}

aclError aclprofDestroySubscribeConfig(const aclprofSubscribeConfig* profSubscribeConfig) {
  return Enter(__func__, [&]() -> aclError {
    if (acl::SubscribeConfigTable::Get().Remove(profSubscribeConfig) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live subscription configuration", static_cast<const void*>(profSubscribeConfig));
  });
}

aclError aclprofModelSubscribe(uint32_t modelId, const aclprofSubscribeConfig* profSubscribeConfig) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    const std::shared_ptr<acl::SubscribeConfig> config = acl::SubscribeConfigTable::Get().Find(profSubscribeConfig);
    if (config == nullptr) {
      return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live subscription configuration", static_cast<const void*>(profSubscribeConfig));
    }
    if (acl::ProfileRuns()) return Fail(ACL_ERROR_PROF_API_CONFLICT, "profiling runs for the whole program");
    return acl::Subscribe(modelId, *config);
  });
}

aclError aclprofModelUnSubscribe(uint32_t modelId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    return acl::Unsubscribe(modelId);
  });
}

aclError aclprofGetOpDescSize(size_t* opDescSize) {
  return Enter(__func__, [&]() -> aclError {
    if (opDescSize == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "opDescSize is null");
    *opDescSize = sizeof(OpRecord);
    return ACL_SUCCESS;
  });
}

aclError aclprofGetOpNum(const void* opInfo, size_t opInfoLen, uint32_t* opNumber) {
  return Enter(__func__, [&]() -> aclError {
    if (opNumber == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "opNumber is null");
    OpRecord record;
    ACL_RETURN_IF_ERROR(acl::ReadRecord(opInfo, opInfoLen, 0, &record));
    *opNumber = static_cast<uint32_t>(opInfoLen / sizeof(OpRecord));
    return ACL_SUCCESS;
  });
}

aclError aclprofGetOpTypeLen(const void* opInfo, size_t opInfoLen, uint32_t index, size_t* opTypeLen) {
  return Enter(__func__, [&] { return acl::TextLength(opInfo, opInfoLen, index, &acl::TypeOf, opTypeLen); });
}
aclError aclprofGetOpType(const void* opInfo, size_t opInfoLen, uint32_t index, char* opType, size_t opTypeLen) {
  return Enter(__func__, [&] { return acl::CopyText(opInfo, opInfoLen, index, &acl::TypeOf, opType, opTypeLen); });
}
aclError aclprofGetOpNameLen(const void* opInfo, size_t opInfoLen, uint32_t index, size_t* opNameLen) {
  return Enter(__func__, [&] { return acl::TextLength(opInfo, opInfoLen, index, &acl::NameOf, opNameLen); });
}
aclError aclprofGetOpName(const void* opInfo, size_t opInfoLen, uint32_t index, char* opName, size_t opNameLen) {
  return Enter(__func__, [&] { return acl::CopyText(opInfo, opInfoLen, index, &acl::NameOf, opName, opNameLen); });
}

uint64_t aclprofGetOpStart(const void* opInfo, size_t opInfoLen, uint32_t index) {
  return acl::Number(__func__, opInfo, opInfoLen, index, [](const OpRecord& r) { return r.begin_ns; });
}
uint64_t aclprofGetOpEnd(const void* opInfo, size_t opInfoLen, uint32_t index) {
  return acl::Number(__func__, opInfo, opInfoLen, index, [](const OpRecord& r) { return r.end_ns; });
}
uint64_t aclprofGetOpDuration(const void* opInfo, size_t opInfoLen, uint32_t index) {
  return acl::Number(__func__, opInfo, opInfoLen, index, [](const OpRecord& r) { return r.end_ns - r.begin_ns; });
}
size_t aclprofGetModelId(const void* opInfo, size_t opInfoLen, uint32_t index) {
  return acl::Number(__func__, opInfo, opInfoLen, index, [](const OpRecord& r) { return r.model_id; });
}

}  // extern "C"
