// Exported functions: loading, sizes and unloading of models.
#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/memory_check.h"
#include "runtime/acl/model.h"

namespace acl = omkit::acl;
namespace rt = omkit::runtime;
using acl::Enter;
using acl::Fail;

namespace omkit::acl {
namespace {

// Memory that the client provides for a model, or null.
struct Provided {
  void* work = nullptr;
  size_t work_size = 0;
  void* weights = nullptr;
  size_t weights_size = 0;
};

aclError CheckProvided(const char* what, void* address, size_t size, uint64_t needed) {
  if (address == nullptr) return ACL_SUCCESS;
  if (size < needed)
    return Fail(ACL_ERROR_GE_PARAM_INVALID, "%s has %zu bytes, the model needs %llu", what, size, static_cast<unsigned long long>(needed));
  std::shared_ptr<const Allocation> pin;
  return size > 0 ? CheckRange(what, address, size, Expect::kDevice, &pin) : ACL_SUCCESS;
}

aclError CheckMemory(const void* model, size_t size) {
  if (model == nullptr) return Fail(ACL_ERROR_GE_EXEC_MODEL_ADDR_INVALID, "model is null");
  if (size == 0) return Fail(ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID, "modelSize is 0");
  std::shared_ptr<const Allocation> pin;
  return CheckRange("model", model, size, Expect::kHost, &pin);
}

absl::StatusOr<std::unique_ptr<rt::Model>> LoadBytes(const void* data, size_t size) {
  absl::StatusOr<rt::LoadedOm> om = rt::LoadOmFromMemory(data, size);
  if (!om.ok()) return om.status();
  return rt::Model::Load(*std::move(om));
}

aclError Keep(absl::StatusOr<std::unique_ptr<rt::Model>> model, const Provided& provided, uint32_t* id) {
  if (!model.ok()) return FailLoading(model.status());
  ACL_RETURN_IF_ERROR(CheckProvided("workPtr", provided.work, provided.work_size, (*model)->workspace_bytes()));
  ACL_RETURN_IF_ERROR(CheckProvided("weightPtr", provided.weights, provided.weights_size, (*model)->weights_bytes()));
  return AddModel(*std::move(model), id);
}

aclError LoadFile(const char* path, uint32_t* id, const Provided& provided) {
  ACL_RETURN_IF_ERROR(NeedContext());
  if (path == nullptr || id == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%s is null", path == nullptr ? "modelPath" : "modelId");
  return Keep(rt::Model::Load(path), provided, id);
}

aclError LoadMemory(const void* model, size_t size, uint32_t* id, const Provided& provided) {
  ACL_RETURN_IF_ERROR(NeedContext());
  if (id == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "modelId is null");
  ACL_RETURN_IF_ERROR(CheckMemory(model, size));
  return Keep(LoadBytes(model, size), provided, id);
}

aclError Sizes(const absl::StatusOr<std::unique_ptr<rt::Model>>& model, size_t* work, size_t* weights) {
  if (!model.ok()) return FailLoading(model.status());
  *work = (*model)->workspace_bytes();
  *weights = (*model)->weights_bytes();
  return ACL_SUCCESS;
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclError aclmdlLoadFromFile(const char* modelPath, uint32_t* modelId) {
  return Enter(__func__, [&] { return acl::LoadFile(modelPath, modelId, {}); });
}

aclError aclmdlLoadFromFileWithMem(const char* modelPath, uint32_t* modelId, void* workPtr, size_t workSize, void* weightPtr, size_t weightSize) {
  return Enter(__func__, [&] { return acl::LoadFile(modelPath, modelId, {workPtr, workSize, weightPtr, weightSize}); });
}

aclError aclmdlLoadFromMem(const void* model, size_t modelSize, uint32_t* modelId) {
  return Enter(__func__, [&] { return acl::LoadMemory(model, modelSize, modelId, {}); });
}

aclError aclmdlLoadFromMemWithMem(const void* model, size_t modelSize, uint32_t* modelId, void* workPtr, size_t workSize, void* weightPtr,
                                  size_t weightSize) {
  return Enter(__func__, [&] { return acl::LoadMemory(model, modelSize, modelId, {workPtr, workSize, weightPtr, weightSize}); });
}

aclError aclmdlQuerySize(const char* fileName, size_t* workSize, size_t* weightSize) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (fileName == nullptr || workSize == nullptr || weightSize == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "an argument is null");
    return acl::Sizes(rt::Model::Load(fileName), workSize, weightSize);
  });
}

aclError aclmdlQuerySizeFromMem(const void* model, size_t modelSize, size_t* workSize, size_t* weightSize) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (workSize == nullptr || weightSize == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "a result pointer is null");
    ACL_RETURN_IF_ERROR(acl::CheckMemory(model, modelSize));
    return acl::Sizes(acl::LoadBytes(model, modelSize), workSize, weightSize);
  });
}

aclError aclmdlUnload(uint32_t modelId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (acl::RemoveModel(modelId)) return ACL_SUCCESS;
    return Fail(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID, "no model with id %u is loaded", modelId);
  });
}

}  // extern "C"
