// Exported functions: configuration handles for loading and executing, attributes of models.
#include <cstring>
#include <string>

#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/execute.h"
#include "runtime/acl/load.h"
#include "runtime/acl/model.h"
#include "runtime/acl/slot_table.h"

namespace acl = omkit::acl;
using acl::Enter;
using acl::EnterOr;
using acl::Fail;

namespace omkit::acl {
namespace {

constexpr uint32_t kLowestPriority = 7;

struct LoadConfig {
  int32_t priority = 0;
  size_t load_type = 0;
  std::string path;
  const void* model = nullptr;
  size_t model_size = 0;
  Provided provided;
};
using LoadConfigTable = SlotTable<LoadConfig, HandleType::kLoadConfig>;
using ExecConfigTable = SlotTable<ExecOptions, HandleType::kExecConfig>;

// Reads an attribute of type T; false with the error recorded when the size is another one.
template <typename T>
aclError Read(const void* value, size_t size, T* to) {
  if (size != sizeof(T)) return Fail(ACL_ERROR_INVALID_PARAM, "valueSize is %zu; this attribute has %zu bytes", size, sizeof(T));
  std::memcpy(to, value, sizeof(T));
  return ACL_SUCCESS;
}

aclError CheckPriority(int64_t priority) {
  if (priority >= 0 && priority <= int64_t{kLowestPriority}) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "priority %lld; allowed are 0 to %u", static_cast<long long>(priority), kLowestPriority);
}

aclError SetPath(LoadConfig* config, const void* value, size_t size) {
  const char* path = nullptr;
  ACL_RETURN_IF_ERROR(Read(value, size, &path));
  if (path == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the path is null; pass the address of a const char*");
  config->path = path;
  return ACL_SUCCESS;
}

aclError SetLoadType(LoadConfig* config, const void* value, size_t size) {
  size_t type = 0;
  ACL_RETURN_IF_ERROR(Read(value, size, &type));
  if (type < ACL_MDL_LOAD_FROM_FILE || type > ACL_MDL_LOAD_FROM_MEM_WITH_Q)
    return Fail(ACL_ERROR_INVALID_PARAM, "load type %zu; allowed are 1 to 6", type);
  config->load_type = type;
  return ACL_SUCCESS;
}

aclError SetLoadOption(LoadConfig* config, aclmdlConfigAttr attr, const void* value, size_t size) {
  switch (attr) {
    case ACL_MDL_PRIORITY_INT32: {
      int32_t priority = 0;
      ACL_RETURN_IF_ERROR(Read(value, size, &priority));
      ACL_RETURN_IF_ERROR(CheckPriority(priority));
      config->priority = priority;
      return ACL_SUCCESS;
    }
    case ACL_MDL_LOAD_TYPE_SIZET: return SetLoadType(config, value, size);
    case ACL_MDL_PATH_PTR: return SetPath(config, value, size);
    case ACL_MDL_MEM_ADDR_PTR: return Read(value, size, &config->model);
    case ACL_MDL_MEM_SIZET: return Read(value, size, &config->model_size);
    case ACL_MDL_WEIGHT_ADDR_PTR: return Read(value, size, &config->provided.weights);
    case ACL_MDL_WEIGHT_SIZET: return Read(value, size, &config->provided.weights_size);
    case ACL_MDL_WORKSPACE_ADDR_PTR: return Read(value, size, &config->provided.work);
    case ACL_MDL_WORKSPACE_SIZET: return Read(value, size, &config->provided.work_size);
    case ACL_MDL_WORKSPACE_MEM_OPTIMIZE: {
      size_t on = 0;
      ACL_RETURN_IF_ERROR(Read(value, size, &on));
      return on <= 1 ? ACL_SUCCESS : Fail(ACL_ERROR_INVALID_PARAM, "ACL_MDL_WORKSPACE_MEM_OPTIMIZE is %zu; allowed are 0 and 1", on);
    }
    case ACL_MDL_INPUTQ_NUM_SIZET:
    case ACL_MDL_INPUTQ_ADDR_PTR:
    case ACL_MDL_OUTPUTQ_NUM_SIZET:
    case ACL_MDL_OUTPUTQ_ADDR_PTR: return Fail(ACL_ERROR_API_NOT_SUPPORT, "attribute %d: there are no queues here", static_cast<int>(attr));
    case ACL_MDL_WEIGHT_PATH_PTR: return Fail(ACL_ERROR_API_NOT_SUPPORT, "ACL_MDL_WEIGHT_PATH_PTR: offline models hold their weights");
  }
  return Fail(ACL_ERROR_INVALID_PARAM, "attribute %d does not exist", static_cast<int>(attr));
}

aclError LoadBy(const LoadConfig& config, uint32_t* id) {
  const bool user_memory = config.load_type == ACL_MDL_LOAD_FROM_FILE_WITH_MEM || config.load_type == ACL_MDL_LOAD_FROM_MEM_WITH_MEM;
  const Provided provided = user_memory ? config.provided : Provided();
  switch (config.load_type) {
    case ACL_MDL_LOAD_FROM_FILE:
    case ACL_MDL_LOAD_FROM_FILE_WITH_MEM:
      if (config.path.empty()) return Fail(ACL_ERROR_INVALID_PARAM, "load type %zu needs ACL_MDL_PATH_PTR", config.load_type);
      return LoadFile(config.path.c_str(), id, provided);
    case ACL_MDL_LOAD_FROM_MEM:
    case ACL_MDL_LOAD_FROM_MEM_WITH_MEM:
      if (config.model == nullptr || config.model_size == 0) {
        return Fail(ACL_ERROR_INVALID_PARAM, "load type %zu needs ACL_MDL_MEM_ADDR_PTR and ACL_MDL_MEM_SIZET", config.load_type);
      }
      return LoadMemory(config.model, config.model_size, id, provided);
    case ACL_MDL_LOAD_FROM_FILE_WITH_Q:
    case ACL_MDL_LOAD_FROM_MEM_WITH_Q: return Fail(ACL_ERROR_API_NOT_SUPPORT, "load type %zu: there are no queues here", config.load_type);
    default: return Fail(ACL_ERROR_INVALID_PARAM, "ACL_MDL_LOAD_TYPE_SIZET was not set");
  }
}

aclError SetTimeout(const void* value, size_t size, int32_t* timeout_ms) {
  int32_t timeout = -1;
  ACL_RETURN_IF_ERROR(Read(value, size, &timeout));
  if (timeout == 0 || timeout < -1) return Fail(ACL_ERROR_INVALID_PARAM, "timeout %d; allowed are -1 and positive milliseconds", timeout);
  *timeout_ms = timeout;
  return ACL_SUCCESS;
}

aclError SetExecOption(ExecOptions* options, aclmdlExecConfigAttr attr, const void* value, size_t size) {
  int32_t unused = 0;
  switch (attr) {
    case ACL_MDL_STREAM_SYNC_TIMEOUT: return SetTimeout(value, size, &options->timeout_ms);
    case ACL_MDL_EVENT_SYNC_TIMEOUT: return SetTimeout(value, size, &unused);
    case ACL_MDL_WORK_ADDR_PTR: return Read(value, size, &options->work);
    case ACL_MDL_WORK_SIZET: return Read(value, size, &options->work_size);
    case ACL_MDL_MPAIMID_SIZET:
    case ACL_MDL_AICQOS_SIZET:
    case ACL_MDL_AICOST_SIZET:
    case ACL_MDL_MEC_TIMETHR_SIZET: return Fail(ACL_ERROR_API_NOT_SUPPORT, "attribute %d is reserved", static_cast<int>(attr));
  }
  return Fail(ACL_ERROR_INVALID_PARAM, "attribute %d does not exist", static_cast<int>(attr));
}

template <typename Table, typename Object>
aclError UseConfig(const void* handle, std::shared_ptr<Object>* config) {
  *config = Table::Get().Find(handle);
  if (*config != nullptr) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live configuration handle", handle);
}

// The options behind a handle that may be null.
aclError ReadOptions(const aclmdlExecConfigHandle* handle, ExecOptions* options) {
  if (handle == nullptr) return ACL_SUCCESS;
  std::shared_ptr<ExecOptions> found;
  ACL_RETURN_IF_ERROR((UseConfig<ExecConfigTable>(handle, &found)));
  *options = *found;
  return ACL_SUCCESS;
}

aclError UseAttribute(uint32_t model_id, aclmdlAttr attr, const aclmdlAttrValue_t* value, std::shared_ptr<LoadedModel>* model) {
  ACL_RETURN_IF_ERROR(NeedInit());
  if (value == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "attrValue is null");
  if (attr != ACL_MDL_ATTR_PRIORITY) return Fail(ACL_ERROR_INVALID_PARAM, "attribute %d does not exist", static_cast<int>(attr));
  *model = FindModel(model_id);
  return *model != nullptr ? ACL_SUCCESS : static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclmdlConfigHandle* aclmdlCreateConfigHandle(void) {
  return EnterOr<aclmdlConfigHandle*>(__func__, nullptr, [] {
    void* const handle = acl::LoadConfigTable::Get().Add(std::make_shared<acl::LoadConfig>());
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many configuration handles");
    return static_cast<aclmdlConfigHandle*>(handle);
  });
}

aclError aclmdlDestroyConfigHandle(aclmdlConfigHandle* handle) {
  return Enter(__func__, [&]() -> aclError {
    if (acl::LoadConfigTable::Get().Remove(handle) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live configuration handle", static_cast<void*>(handle));
  });
}

aclError aclmdlSetConfigOpt(aclmdlConfigHandle* handle, aclmdlConfigAttr attr, const void* attrValue, size_t valueSize) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::LoadConfig> config;
    ACL_RETURN_IF_ERROR((acl::UseConfig<acl::LoadConfigTable>(handle, &config)));
    if (attrValue == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "attrValue is null");
    return acl::SetLoadOption(config.get(), attr, attrValue, valueSize);
  });
}

aclError aclmdlLoadWithConfig(const aclmdlConfigHandle* handle, uint32_t* modelId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    std::shared_ptr<acl::LoadConfig> config;
    ACL_RETURN_IF_ERROR((acl::UseConfig<acl::LoadConfigTable>(handle, &config)));
    if (modelId == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "modelId is null");
    ACL_RETURN_IF_ERROR(acl::LoadBy(*config, modelId));
    if (const std::shared_ptr<acl::LoadedModel> model = acl::FindModel(*modelId)) model->priority = static_cast<uint32_t>(config->priority);
    return ACL_SUCCESS;
  });
}

aclmdlExecConfigHandle* aclmdlCreateExecConfigHandle(void) {
  return EnterOr<aclmdlExecConfigHandle*>(__func__, nullptr, [] {
    void* const handle = acl::ExecConfigTable::Get().Add(std::make_shared<acl::ExecOptions>());
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many configuration handles");
    return static_cast<aclmdlExecConfigHandle*>(handle);
  });
}

aclError aclmdlDestroyExecConfigHandle(const aclmdlExecConfigHandle* handle) {
  return Enter(__func__, [&]() -> aclError {
    if (acl::ExecConfigTable::Get().Remove(handle) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live configuration handle", static_cast<const void*>(handle));
  });
}

aclError aclmdlSetExecConfigOpt(aclmdlExecConfigHandle* handle, aclmdlExecConfigAttr attr, const void* attrValue, size_t valueSize) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::ExecOptions> options;
    ACL_RETURN_IF_ERROR((acl::UseConfig<acl::ExecConfigTable>(handle, &options)));
    if (attrValue == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "attrValue is null");
    return acl::SetExecOption(options.get(), attr, attrValue, valueSize);
  });
}

aclError aclmdlExecuteV2(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output, aclrtStream stream,
                         const aclmdlExecConfigHandle* handle) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    acl::ExecOptions options;
    ACL_RETURN_IF_ERROR(acl::ReadOptions(handle, &options));
    return acl::ExecuteOnStream(modelId, input, output, stream, options, true);
  });
}

aclError aclmdlExecuteAsyncV2(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output, aclrtStream stream,
                              const aclmdlExecConfigHandle* handle) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    acl::ExecOptions options;
    ACL_RETURN_IF_ERROR(acl::ReadOptions(handle, &options));
    return acl::ExecuteOnStream(modelId, input, output, stream, options, false);
  });
}

aclError aclmdlSetAttribute(uint32_t modelId, aclmdlAttr attr, aclmdlAttrValue_t* attrValue) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::LoadedModel> model;
    ACL_RETURN_IF_ERROR(acl::UseAttribute(modelId, attr, attrValue, &model));
    ACL_RETURN_IF_ERROR(acl::CheckPriority(attrValue->mdlPriority));
    model->priority = attrValue->mdlPriority;
    return ACL_SUCCESS;
  });
}

aclError aclmdlGetAttribute(uint32_t modelId, aclmdlAttr attr, aclmdlAttrValue_t* attrValue) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::LoadedModel> model;
    ACL_RETURN_IF_ERROR(acl::UseAttribute(modelId, attr, attrValue, &model));
    std::memset(attrValue, 0, sizeof *attrValue);
    attrValue->mdlPriority = model->priority;
    return ACL_SUCCESS;
  });
}

}  // extern "C"
