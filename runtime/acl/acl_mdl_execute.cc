// Exported functions: execution of models, and what exception callbacks ask about it.
#include <cstdio>
#include <string>

#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/execute.h"
#include "runtime/acl/memory_check.h"
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
  // Memory of the client to work in.
  aclError SetWork(const ExecOptions& options) {
    if (options.work == nullptr) return ACL_SUCCESS;
    const uint64_t needed = model_->model().workspace_bytes();
    if (options.work_size < needed) {
      return Fail(ACL_ERROR_GE_PARAM_INVALID, "the working memory has %zu bytes, the model needs %llu", options.work_size,
                  static_cast<unsigned long long>(needed));
    }
    if (reinterpret_cast<uintptr_t>(options.work) % 64 != 0) {
      return Fail(ACL_ERROR_RT_ADDR_UNALIGNED, "the working memory %p is not a multiple of 64", options.work);
    }
    std::shared_ptr<const Allocation> pin;
    ACL_RETURN_IF_ERROR(CheckRange("the working memory", options.work, options.work_size, Expect::kDevice, &pin));
    if (pin != nullptr) job_->pins.push_back(std::move(pin));
    work_ = options.work;
    work_size_ = options.work_size;
    return ACL_SUCCESS;
  }
  aclError Run(uint32_t stream_id, uint32_t task_id) { return model_->Run(job_.get(), {stream_id, task_id, work_, work_size_}); }
  const LoadedModel& model() const { return *model_; }

 private:
  std::shared_ptr<LoadedModel> model_;
  std::unique_ptr<Job> job_;
  void* work_ = nullptr;
  size_t work_size_ = 0;
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

// Waits for a task of a stream with a limit; other errors of the stream's tasks stay for the next synchronization.
aclError WaitForTask(Stream* stream, uint32_t task_id, int32_t timeout_ms) {
  if (stream->WaitForTask(task_id, timeout_ms)) return ACL_SUCCESS;
  return Fail(ACL_ERROR_GE_MODEL_EXECUTE_TIMEOUT, "the execution has not ended after %d ms", timeout_ms);
}

}  // namespace

aclError ExecuteNow(uint32_t model_id, const aclmdlDataset* input, aclmdlDataset* output) {
  ACL_RETURN_IF_ERROR(NeedContext());
  std::shared_ptr<LoadedModel> model = FindModel(model_id);
  if (model == nullptr) return ACL_ERROR_GE_EXEC_MODEL_ID_INVALID;
  Datasets datasets;
  ACL_RETURN_IF_ERROR(UseDatasets(input, output, &datasets));
  Execution execution(std::move(model));
  ACL_RETURN_IF_ERROR(execution.Bind(*datasets.input, datasets.output.get(), true));
  return execution.Run(0, 0);
}

aclError ExecuteOnStream(uint32_t model_id, const aclmdlDataset* input, aclmdlDataset* output, aclrtStream stream, const ExecOptions& options,
                         bool wait) {
  std::shared_ptr<Stream> found;
  ACL_RETURN_IF_ERROR(UseStream(stream, &found));
  if (wait) ACL_RETURN_IF_ERROR(NeedOtherThread());
  std::shared_ptr<LoadedModel> model = FindModel(model_id);
  if (model == nullptr) return ACL_ERROR_GE_EXEC_MODEL_ID_INVALID;
  Datasets datasets;
  ACL_RETURN_IF_ERROR(UseDatasets(input, output, &datasets));
  auto execution = std::make_shared<Execution>(std::move(model));
  ACL_RETURN_IF_ERROR(execution->Bind(*datasets.input, datasets.output.get(), wait));
  ACL_RETURN_IF_ERROR(execution->SetWork(options));
  struct Result {
    aclError error = ACL_SUCCESS;
    std::string message;
  };
  auto result = wait ? std::make_shared<Result>() : nullptr;
  const uint32_t stream_id = found->id();
  uint32_t task_id = 0;
  ACL_RETURN_IF_ERROR(PushTask(found,
                               {[execution, stream_id, result]() -> aclError {
                                  const aclError error = execution->Run(stream_id, Stream::CurrentTask());
                                  if (error != ACL_SUCCESS) RememberFailure(stream_id, Stream::CurrentTask(), execution->model().info());
                                  if (result != nullptr) result->error = error;
                                  if (result != nullptr && error != ACL_SUCCESS) result->message = PeekMessage();
                                  return error;
                                },
                                [result] {
                                  if (result != nullptr) result->error = ACL_ERROR_RT_INVALID_HANDLE;
                                },
                                wait},
                               &task_id));
  if (!wait) return ACL_SUCCESS;
  ACL_RETURN_IF_ERROR(WaitForTask(found.get(), task_id, options.timeout_ms));
  if (result->error == ACL_ERROR_RT_INVALID_HANDLE) return Fail(result->error, "the stream was aborted or destroyed before the execution began");
  if (result->error != ACL_SUCCESS) PutMessage(result->message.c_str());
  return result->error;
}

}  // namespace omkit::acl

extern "C" {

aclError aclmdlExecute(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output) {
  return Enter(__func__, [&] { return acl::ExecuteNow(modelId, input, output); });
}

aclError aclmdlExecuteAsync(uint32_t modelId, const aclmdlDataset* input, aclmdlDataset* output, aclrtStream stream) {
  return Enter(__func__, [&] { return acl::ExecuteOnStream(modelId, input, output, stream, {}, false); });
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
