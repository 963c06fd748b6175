// Exported functions: loading, sizes and unloading of models.
#include <cstring>
#include <string>
#include <vector>

#include "base/status.h"
#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/load.h"
#include "runtime/acl/memory_check.h"
#include "runtime/acl/model.h"

namespace acl = omkit::acl;
namespace rt = omkit::runtime;
using acl::Enter;
using acl::Fail;

namespace omkit::acl {
namespace {

constexpr size_t kAlignment = 64;  // of memory that kernels read and write by vectors

aclError CheckProvided(const char* what, void* address, size_t size, uint64_t needed, std::vector<std::shared_ptr<const Allocation>>* pins) {
  if (address == nullptr) return ACL_SUCCESS;
  if (size < needed) {
    return Fail(ACL_ERROR_GE_PARAM_INVALID, "%s has %zu bytes, the model needs %llu", what, size, static_cast<unsigned long long>(needed));
  }
  if (reinterpret_cast<uintptr_t>(address) % kAlignment != 0) {
    return Fail(ACL_ERROR_RT_ADDR_UNALIGNED, "%s %p is not a multiple of %zu", what, address, kAlignment);
  }
  std::shared_ptr<const Allocation> pin;
  if (size > 0) ACL_RETURN_IF_ERROR(CheckRange(what, address, size, Expect::kDevice, &pin));
  if (pin != nullptr) pins->push_back(std::move(pin));
  return ACL_SUCCESS;
}

aclError CheckMemory(const void* model, size_t size) {
  if (model == nullptr) return Fail(ACL_ERROR_GE_EXEC_MODEL_ADDR_INVALID, "model is null");
  if (size == 0) return Fail(ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID, "modelSize is 0");
  std::shared_ptr<const Allocation> pin;
  return CheckRange("model", model, size, Expect::kHost, &pin);
}

// Several models may share the memory, and one of them may execute: bytes that lie there already are only read.
void PlaceWeights(void* to, rt::LoadedOm* om) {
  if (to == nullptr || om->weights_size == 0) return;
  if (std::memcmp(to, om->weights, om->weights_size) != 0) std::memcpy(to, om->weights, om->weights_size);
  om->weights = static_cast<const uint8_t*>(to);
  om->owner = nullptr;  // LoadedModel keeps the client's memory mapped
}

aclError Load(absl::StatusOr<rt::LoadedOm> om, const std::string& path, const Provided& provided, uint32_t* id) {
  if (!om.ok()) return FailLoading(om.status());
  std::vector<std::shared_ptr<const Allocation>> pins;
  ACL_RETURN_IF_ERROR(CheckProvided("weightPtr", provided.weights, provided.weights_size, om->weights_size, &pins));
  PlaceWeights(provided.weights, &*om);
  rt::ModelOptions options;
  options.make_workspace = provided.work == nullptr;
  absl::StatusOr<std::unique_ptr<rt::Model>> model = rt::Model::Load(*std::move(om), options);
  if (!model.ok()) return FailLoading(path.empty() ? model.status() : Annotate(model.status(), path));
  if (provided.work != nullptr) {
    ACL_RETURN_IF_ERROR(CheckProvided("workPtr", provided.work, provided.work_size, (*model)->workspace_bytes(), &pins));
    if (const absl::Status status = (*model)->WorkIn(provided.work, provided.work_size); !status.ok()) return FailLoading(status);
  }
  return AddModel(*std::move(model), std::move(pins), id);
}

aclError Sizes(absl::StatusOr<rt::LoadedOm> om, size_t* work, size_t* weights) {
  if (!om.ok()) return FailLoading(om.status());
  rt::ModelOptions options;
  options.make_workspace = false;
  const absl::StatusOr<std::unique_ptr<rt::Model>> model = rt::Model::Load(*std::move(om), options);
  if (!model.ok()) return FailLoading(model.status());
  *work = (*model)->workspace_bytes();
  *weights = (*model)->weights_bytes();
  return ACL_SUCCESS;
}

}  // namespace

aclError LoadFile(const char* path, uint32_t* id, const Provided& provided) {
  ACL_RETURN_IF_ERROR(NeedContext());
  if (path == nullptr || id == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%s is null", path == nullptr ? "modelPath" : "modelId");
  return Load(rt::LoadOm(path), path, provided, id);
}

aclError LoadMemory(const void* model, size_t size, uint32_t* id, const Provided& provided) {
  ACL_RETURN_IF_ERROR(NeedContext());
  if (id == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "modelId is null");
  ACL_RETURN_IF_ERROR(CheckMemory(model, size));
  return Load(rt::LoadOmFromMemory(model, size), "", provided, id);
}

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
    return acl::Sizes(rt::LoadOm(fileName), workSize, weightSize);
  });
}

aclError aclmdlQuerySizeFromMem(const void* model, size_t modelSize, size_t* workSize, size_t* weightSize) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (workSize == nullptr || weightSize == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "a result pointer is null");
    ACL_RETURN_IF_ERROR(acl::CheckMemory(model, modelSize));
    return acl::Sizes(rt::LoadOmFromMemory(model, modelSize), workSize, weightSize);
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
