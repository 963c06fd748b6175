// Models behind ids: runtime::Model plus what its clients ask for, and the binding of datasets to an execution.
#ifndef OMKIT_RUNTIME_ACL_MODEL_H_
#define OMKIT_RUNTIME_ACL_MODEL_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "acl/acl.h"
#include "runtime/acl/aipp_info.h"
#include "runtime/acl/gears.h"
#include "runtime/acl/memory.h"
#include "runtime/acl/slot_table.h"
#include "runtime/acl/tensor.h"
#include "runtime/arena.h"
#include "runtime/model.h"

namespace omkit::acl {

// One input or output in the words of this API.
struct IoInfo {
  std::string name;
  std::string short_name;  // fits aclmdlIODims::name
  aclDataType type;
  aclFormat format;
  std::vector<int64_t> dims;
  size_t bytes;
  std::vector<int64_t> image_dims;  // n,h,w,c of an input with AIPP; empty otherwise
};

// What a model description tells. Lives on after the model.
struct ModelInfo {
  uint32_t id = 0;
  std::string name;
  std::vector<IoInfo> inputs;
  std::vector<IoInfo> outputs;
  std::map<std::string, std::string> original_ops;  // "conv1" -> "[conv1]"
  std::vector<AippInfo> aipp;
  ShapeInfo shapes;
};

// `id` 0: made from a file without loading.
std::shared_ptr<const ModelInfo> MakeModelInfo(const runtime::ShapedProgram& program, uint32_t id);

// The content of an aclmdlDesc handle; null before aclmdlGetDesc.
struct ModelDesc {
  std::shared_ptr<const ModelInfo> info;
};
using ModelDescTable = SlotTable<ModelDesc, HandleType::kModelDesc>;

// Everything one execution needs: addresses, memory kept mapped, inputs that are completed by zeros. Reused, so that executing does not
// allocate.
struct Job {
  std::shared_ptr<const runtime::Executor> executor;
  struct Padded {
    size_t index;  // of the input
    const void* source;
    size_t size;
  };
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  std::vector<std::shared_ptr<const Allocation>> pins;
  std::vector<Padded> padded;
  std::vector<runtime::Arena> padding;  // by input, made when first needed
};

// Where an execution runs.
struct RunPlace {
  uint32_t stream_id = 0;
  uint32_t task_id = 0;
  void* work = nullptr;  // working memory of the client for this execution
  size_t work_size = 0;
};

class LoadedModel {
 public:
  // `pins`: memory of the client that the model works in.
  LoadedModel(std::unique_ptr<runtime::Model> model, std::vector<std::shared_ptr<const Allocation>> pins, uint32_t id)
      : pins_(std::move(pins)), model_(std::move(model)), info_(MakeModelInfo(model_->program(), id)) {}
  const std::shared_ptr<const ModelInfo>& info() const { return info_; }
  const runtime::Model& model() const { return *model_; }

  std::unique_ptr<Job> TakeJob();
  void ReturnJob(std::unique_ptr<Job> job);
  // Checks the datasets against the model and fills the job. Output buffers without memory get it when `allocate`.
  aclError Bind(const Dataset& input, Dataset* output, bool allocate, Job* job) const;
  aclError Run(Job* job, const RunPlace& place);

  // 0 to 7; kept for aclmdlGetAttribute.
  std::atomic<uint32_t> priority{0};

 private:
  aclError BindInput(const Dataset& dataset, size_t index, Job* job) const;
  aclError BindOutput(const Dataset& dataset, size_t index, bool allocate, Job* job) const;
  aclError CheckOverlap(const Job& job) const;

  const std::vector<std::shared_ptr<const Allocation>> pins_;  // outlive model_
  std::unique_ptr<runtime::Model> model_;
  std::shared_ptr<const ModelInfo> info_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Job>> idle_;
};

// nullptr with the error ACL_ERROR_GE_EXEC_MODEL_ID_INVALID recorded when no model has this id.
std::shared_ptr<LoadedModel> FindModel(uint32_t id);
// Gives the model an id that was never used before.
aclError AddModel(std::unique_ptr<runtime::Model> model, std::vector<std::shared_ptr<const Allocation>> pins, uint32_t* id);
// False when no model has this id. Executions under way keep the model.
bool RemoveModel(uint32_t id);
void UnloadAllModels();

// The last failed asynchronous executions, for aclmdlCreateAndGetOpDesc.
void RememberFailure(uint32_t stream_id, uint32_t task_id, std::shared_ptr<const ModelInfo> info);
std::shared_ptr<const ModelInfo> FindFailure(uint32_t stream_id, uint32_t task_id);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_MODEL_H_
