// Exported functions: model descriptions. Those about shapes that are chosen at run time are in acl_mdl_gear.cc.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/status.h"
#include "runtime/acl/context.h"
#include "runtime/acl/desc.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/model.h"

namespace acl = omkit::acl;
namespace rt = omkit::runtime;
using acl::Enter;
using acl::EnterOr;
using acl::Fail;
using acl::IoInfo;
using acl::ModelDesc;
using acl::ModelDescTable;
using acl::ModelInfo;

namespace omkit::acl {
namespace {

// The inputs or the outputs.
using IoList = std::vector<IoInfo> ModelInfo::*;

aclError UseDesc(const aclmdlDesc* handle, std::shared_ptr<ModelDesc>* desc) {
  *desc = ModelDescTable::Get().Find(handle);
  if (*desc != nullptr) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live model description", static_cast<const void*>(handle));
}

}  // namespace

aclError UseInfo(const aclmdlDesc* handle, std::shared_ptr<const ModelInfo>* info) {
  std::shared_ptr<ModelDesc> desc;
  ACL_RETURN_IF_ERROR(UseDesc(handle, &desc));
  *info = desc->info;
  if (*info != nullptr) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "the model description is empty; call aclmdlGetDesc");
}

namespace {

aclError UseIo(const aclmdlDesc* handle, IoList list, size_t index, std::shared_ptr<const ModelInfo>* info, const IoInfo** io) {
  ACL_RETURN_IF_ERROR(UseInfo(handle, info));
  const std::vector<IoInfo>& all = (**info).*list;
  if (index >= all.size()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but the model has %zu %s", index, all.size(), list == &ModelInfo::inputs ? "inputs" : "outputs");
  }
  *io = &all[index];
  return ACL_SUCCESS;
}

// A property of one input or output, or `failed`.
template <typename T, typename Fn>
T FromIo(const char* function, const aclmdlDesc* handle, IoList list, size_t index, T failed, Fn fn) {
  return EnterOr<T>(function, failed, [&]() -> T {
    std::shared_ptr<const ModelInfo> info;
    const IoInfo* io = nullptr;
    return UseIo(handle, list, index, &info, &io) == ACL_SUCCESS ? fn(*io) : failed;
  });
}

size_t Count(const char* function, const aclmdlDesc* handle, IoList list) {
  return EnterOr<size_t>(function, 0, [&]() -> size_t {
    std::shared_ptr<const ModelInfo> info;
    return UseInfo(handle, &info) == ACL_SUCCESS ? ((*info).*list).size() : 0;
  });
}

// `image`: an image input as a picture, not as bytes.
aclError Dims(const char* function, const aclmdlDesc* handle, IoList list, size_t index, aclmdlIODims* dims, bool image = false) {
  return Enter(function, [&]() -> aclError {
    if (dims == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "dims is null");
    std::shared_ptr<const ModelInfo> info;
    const IoInfo* io = nullptr;
    ACL_RETURN_IF_ERROR(UseIo(handle, list, index, &info, &io));
    std::memset(dims, 0, sizeof *dims);
    std::snprintf(dims->name, sizeof dims->name, "%s", io->short_name.c_str());
    const std::vector<int64_t>& shape = image && !io->image_dims.empty() ? io->image_dims : io->dims;
    dims->dimCount = std::min<size_t>(shape.size(), ACL_MAX_DIM_CNT);
    std::copy_n(shape.begin(), dims->dimCount, dims->dims);
    return ACL_SUCCESS;
  });
}

aclError IndexOf(const char* function, const aclmdlDesc* handle, IoList list, const char* name, size_t* index) {
  return Enter(function, [&]() -> aclError {
    if (name == nullptr || index == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%s is null", name == nullptr ? "name" : "index");
    std::shared_ptr<const ModelInfo> info;
    ACL_RETURN_IF_ERROR(UseInfo(handle, &info));
    std::vector<std::string> names;
    for (const IoInfo& io : (*info).*list) {
      if (io.name == name || io.short_name == name) {
        *index = names.size();
        return ACL_SUCCESS;
      }
      names.push_back(io.name);
    }
    const std::string nearest = NearestName(name, names);
    return Fail(ACL_ERROR_INVALID_PARAM, "the model has no %s '%.200s'%s%.200s%s", list == &ModelInfo::inputs ? "input" : "output", name,
                nearest.empty() ? "" : "; did you mean '", nearest.c_str(), nearest.empty() ? "" : "'");
  });
}

aclError Fill(aclmdlDesc* handle, const absl::StatusOr<rt::LoadedOm>& om) {
  std::shared_ptr<ModelDesc> desc;
  ACL_RETURN_IF_ERROR(UseDesc(handle, &desc));
  if (!om.ok()) return FailLoading(om.status());
  desc->info = MakeModelInfo(om->program, 0);
  return ACL_SUCCESS;
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclmdlDesc* aclmdlCreateDesc(void) {
  return EnterOr<aclmdlDesc*>(__func__, nullptr, [] {
    void* const handle = ModelDescTable::Get().Add(std::make_shared<ModelDesc>());
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many model descriptions");
    return static_cast<aclmdlDesc*>(handle);
  });
}

aclError aclmdlDestroyDesc(aclmdlDesc* modelDesc) {
  return Enter(__func__, [&]() -> aclError {
    if (ModelDescTable::Get().Remove(modelDesc) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live model description", static_cast<void*>(modelDesc));
  });
}

aclError aclmdlGetDesc(aclmdlDesc* modelDesc, uint32_t modelId) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    std::shared_ptr<ModelDesc> desc;
    ACL_RETURN_IF_ERROR(acl::UseDesc(modelDesc, &desc));
    const std::shared_ptr<acl::LoadedModel> model = acl::FindModel(modelId);
    if (model == nullptr) return ACL_ERROR_GE_EXEC_MODEL_ID_INVALID;
    desc->info = model->info();
    return ACL_SUCCESS;
  });
}

aclError aclmdlGetDescFromFile(aclmdlDesc* modelDesc, const char* modelPath) {
  return Enter(__func__, [&]() -> aclError {
    if (modelPath == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "modelPath is null");
    return acl::Fill(modelDesc, rt::LoadOm(modelPath));
  });
}

aclError aclmdlGetDescFromMem(aclmdlDesc* modelDesc, const void* model, size_t modelSize) {
  return Enter(__func__, [&]() -> aclError {
    if (model == nullptr || modelSize == 0) return Fail(ACL_ERROR_INVALID_PARAM, "the model is empty");
    return acl::Fill(modelDesc, rt::LoadOmFromMemory(model, modelSize));
  });
}

size_t aclmdlGetNumInputs(aclmdlDesc* modelDesc) { return acl::Count(__func__, modelDesc, &ModelInfo::inputs); }
size_t aclmdlGetNumOutputs(aclmdlDesc* modelDesc) { return acl::Count(__func__, modelDesc, &ModelInfo::outputs); }

size_t aclmdlGetInputSizeByIndex(aclmdlDesc* modelDesc, size_t index) {
  return acl::FromIo<size_t>(__func__, modelDesc, &ModelInfo::inputs, index, 0, [](const IoInfo& io) { return io.bytes; });
}
size_t aclmdlGetOutputSizeByIndex(aclmdlDesc* modelDesc, size_t index) {
  return acl::FromIo<size_t>(__func__, modelDesc, &ModelInfo::outputs, index, 0, [](const IoInfo& io) { return io.bytes; });
}

aclError aclmdlGetInputDims(const aclmdlDesc* modelDesc, size_t index, aclmdlIODims* dims) {
  return acl::Dims(__func__, modelDesc, &ModelInfo::inputs, index, dims, true);
}
aclError aclmdlGetInputDimsV2(const aclmdlDesc* modelDesc, size_t index, aclmdlIODims* dims) {
  return acl::Dims(__func__, modelDesc, &ModelInfo::inputs, index, dims);
}
aclError aclmdlGetOutputDims(const aclmdlDesc* modelDesc, size_t index, aclmdlIODims* dims) {
  return acl::Dims(__func__, modelDesc, &ModelInfo::outputs, index, dims);
}
const char* aclmdlGetInputNameByIndex(const aclmdlDesc* modelDesc, size_t index) {
  return acl::FromIo<const char*>(__func__, modelDesc, &ModelInfo::inputs, index, nullptr, [](const IoInfo& io) { return io.name.c_str(); });
}
const char* aclmdlGetOutputNameByIndex(const aclmdlDesc* modelDesc, size_t index) {
  return acl::FromIo<const char*>(__func__, modelDesc, &ModelInfo::outputs, index, nullptr, [](const IoInfo& io) { return io.name.c_str(); });
}

const char* aclmdlGetTensorRealName(const aclmdlDesc* modelDesc, const char* name) {
  return EnterOr<const char*>(__func__, nullptr, [&]() -> const char* {
    std::shared_ptr<const ModelInfo> info;
    if (acl::UseInfo(modelDesc, &info) != ACL_SUCCESS) return nullptr;
    for (const std::vector<IoInfo>* list : {&info->inputs, &info->outputs}) {
      for (const IoInfo& io : *list) {
        if (name != nullptr && (io.name == name || io.short_name == name)) return io.name.c_str();
      }
    }
    Fail(ACL_ERROR_INVALID_PARAM, "the model has no input or output '%.200s'", name != nullptr ? name : "(null)");
    return nullptr;
  });
}

const char* aclmdlGetOpAttr(aclmdlDesc* modelDesc, const char* opName, const char* attr) {
  return EnterOr<const char*>(__func__, nullptr, [&]() -> const char* {
    std::shared_ptr<const ModelInfo> info;
    if (acl::UseInfo(modelDesc, &info) != ACL_SUCCESS) return nullptr;
    if (opName == nullptr || attr == nullptr) {
      Fail(ACL_ERROR_INVALID_PARAM, "%s is null", opName == nullptr ? "opName" : "attr");
      return nullptr;
    }
    if (std::strcmp(attr, ACL_ATTR_NAME_DATA_DUMP_ORIGIN_OP_NAMES) != 0) {
      Fail(ACL_ERROR_MODEL_MISSING_ATTR, "operators have no attribute '%.200s'", attr);
      return nullptr;
    }
    const auto found = info->original_ops.find(opName);
    if (found != info->original_ops.end()) return found->second.c_str();
    Fail(ACL_ERROR_MODEL_MISSING_ATTR, "the model has no operator '%.200s'", opName);
    return nullptr;
  });
}

aclFormat aclmdlGetInputFormat(const aclmdlDesc* modelDesc, size_t index) {
  return acl::FromIo(__func__, modelDesc, &ModelInfo::inputs, index, ACL_FORMAT_UNDEFINED, [](const IoInfo& io) { return io.format; });
}
aclFormat aclmdlGetOutputFormat(const aclmdlDesc* modelDesc, size_t index) {
  return acl::FromIo(__func__, modelDesc, &ModelInfo::outputs, index, ACL_FORMAT_UNDEFINED, [](const IoInfo& io) { return io.format; });
}
aclDataType aclmdlGetInputDataType(const aclmdlDesc* modelDesc, size_t index) {
  return acl::FromIo(__func__, modelDesc, &ModelInfo::inputs, index, ACL_DT_UNDEFINED, [](const IoInfo& io) { return io.type; });
}
aclDataType aclmdlGetOutputDataType(const aclmdlDesc* modelDesc, size_t index) {
  return acl::FromIo(__func__, modelDesc, &ModelInfo::outputs, index, ACL_DT_UNDEFINED, [](const IoInfo& io) { return io.type; });
}

aclError aclmdlGetInputIndexByName(const aclmdlDesc* modelDesc, const char* name, size_t* index) {
  return acl::IndexOf(__func__, modelDesc, &ModelInfo::inputs, name, index);
}
aclError aclmdlGetOutputIndexByName(const aclmdlDesc* modelDesc, const char* name, size_t* index) {
  return acl::IndexOf(__func__, modelDesc, &ModelInfo::outputs, name, index);
}

}  // extern "C"
