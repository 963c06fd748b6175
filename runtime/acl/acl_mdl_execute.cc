// Exported functions: execution of models, and what exception callbacks ask about it.
#include <cstdio>

#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/model.h"

namespace acl = omkit::acl;
using acl::Enter;
using acl::Fail;

namespace omkit::acl {
namespace {

// A job of a model, given back at the end.
class Execution {
 public:
  explicit Execution(std::shared_ptr<LoadedModel> model) : model_(std::move(model)), job_(model_->TakeJob()) {}
  ~Execution() {
    if (job_ == nullptr) return;
    try {
      model_->ReturnJob(std::move(job_));
    } catch (const std::bad_alloc&) {
      // The job is not reused.
    }
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  aclError Bind(const Dataset& input, Dataset* output, bool allocate) { return model_->Bind(input, output, allocate, job_.get()); }
  aclError Run() { return model_->Run(job_.get()); }
  const LoadedModel& model() const { return *model_; }

 private:
  std::shared_ptr<LoadedModel> model_;
  std::unique_ptr<Job> job_;
};

struct Datasets {
  std::shared_ptr<Dataset> input;
  std::shared_ptr<Dataset> output;
};

aclError UseDatasets(const aclmdlDataset* input, aclmdlDataset* output, Datasets* datasets) {
  ACL_RETURN_IF_ERROR(UseDataset(input, "input", &datasets->input));
  return UseDataset(output, "output", &datasets->output);
}

// A list of descriptions: the first one's handle, which names the others. nullptr with the error recorded.
aclTensorDesc* MakeDescList(const std::vector<IoInfo>& list) {
  auto first = std::make_shared<TensorDesc>();
  for (size_t i = 0; i < list.size(); ++i) {
    auto desc = i == 0 ? first : std::make_shared<TensorDesc>();
    desc->type = list[i].type;
    desc->format = desc->origin_format = list[i].format;
    desc->dims = desc->origin_dims = list[i].dims;
    desc->name = list[i].name;
    if (i == 0) continue;
    desc->owned = true;
    first->entries.push_back(TensorDescTable::Get().Add(std::move(desc)));
  }
  void* const handle = TensorDescTable::Get().Add(first);
  if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many tensor descriptions");
  return static_cast<aclTensorDesc*>(handle);
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclError aclmdlExecute(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    std::shared_ptr<acl::LoadedModel> model = acl::FindModel(modelId);
    if (model == nullptr) return ACL_ERROR_GE_EXEC_MODEL_ID_INVALID;
    acl::Datasets datasets;
    ACL_RETURN_IF_ERROR(acl::UseDatasets(input, output, &datasets));
    acl::Execution execution(std::move(model));
    ACL_RETURN_IF_ERROR(execution.Bind(*datasets.input, datasets.output.get(), true));
    return execution.Run();
  });
}

aclError aclmdlExecuteAsync(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::Stream> found;
    ACL_RETURN_IF_ERROR(acl::UseStream(stream, &found));
    std::shared_ptr<acl::LoadedModel> model = acl::FindModel(modelId);
    if (model == nullptr) return ACL_ERROR_GE_EXEC_MODEL_ID_INVALID;
    acl::Datasets datasets;
    ACL_RETURN_IF_ERROR(acl::UseDatasets(input, output, &datasets));
    auto execution = std::make_shared<acl::Execution>(std::move(model));
    ACL_RETURN_IF_ERROR(execution->Bind(*datasets.input, datasets.output.get(), false));
    const uint32_t stream_id = found->id();
    return acl::PushTask(found, {[execution, stream_id]() -> aclError {
                                   const aclError error = execution->Run();
                                   if (error != ACL_SUCCESS) acl::RememberFailure(stream_id, acl::Stream::CurrentTask(), execution->model().info());
                                   return error;
                                 },
                                 nullptr});
  });
}

aclError aclmdlCreateAndGetOpDesc(uint32_t deviceId, uint32_t streamId, uint32_t taskId, char* opName, size_t opNameLen, aclTensorDesc** inputDesc,
                                  size_t* numInputs, aclTensorDesc** outputDesc, size_t* numOutputs) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (opName == nullptr || inputDesc == nullptr || numInputs == nullptr || outputDesc == nullptr || numOutputs == nullptr) {
      return Fail(ACL_ERROR_INVALID_PARAM, "a result pointer is null");
    }
    ACL_RETURN_IF_ERROR(deviceId <= INT32_MAX ? acl::CheckDevice(static_cast<int32_t>(deviceId)) : ACL_ERROR_RT_INVALID_DEVICEID);
    const std::shared_ptr<const acl::ModelInfo> info = acl::FindFailure(streamId, taskId);
    if (info == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "task %u of stream %u is no failed execution", taskId, streamId);
    if (opNameLen <= info->name.size()) return Fail(ACL_ERROR_INVALID_PARAM, "opName needs %zu bytes", info->name.size() + 1);
    aclTensorDesc* const inputs = acl::MakeDescList(info->inputs);
    aclTensorDesc* const outputs = inputs != nullptr ? acl::MakeDescList(info->outputs) : nullptr;
    if (outputs == nullptr) {
      aclDestroyTensorDesc(inputs);
      return ACL_ERROR_RT_OVER_LIMIT;
    }
    std::snprintf(opName, opNameLen, "%s", info->name.c_str());
    *inputDesc = inputs;
    *numInputs = info->inputs.size();
    *outputDesc = outputs;
    *numOutputs = info->outputs.size();
    return ACL_SUCCESS;
  });
}

}  // extern "C"
