#include "runtime/acl/model.h"

#include <cstring>
#include <map>
#include <optional>
#include <shared_mutex>
#include <utility>

#include "runtime/acl/dump.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/memory_check.h"
#include "runtime/acl/profiling.h"

namespace omkit::acl {
namespace {

using runtime::IoDesc;

constexpr size_t kMostMissing = 64;  // an input buffer may be this much smaller than the model's input
constexpr size_t kRememberedFailures = 64;

aclDataType TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return ACL_FLOAT;
    case DType::kFloat16: return ACL_FLOAT16;
    case DType::kBFloat16: return ACL_BF16;
    case DType::kFloat64: return ACL_DOUBLE;
    case DType::kInt8: return ACL_INT8;
    case DType::kUInt8: return ACL_UINT8;
    case DType::kInt16: return ACL_INT16;
    case DType::kUInt16: return ACL_UINT16;
    case DType::kInt32: return ACL_INT32;
    case DType::kUInt32: return ACL_UINT32;
    case DType::kInt64: return ACL_INT64;
    case DType::kUInt64: return ACL_UINT64;
    case DType::kBool: return ACL_BOOL;
    default: break;
  }
  return ACL_DT_UNDEFINED;
}

aclFormat FormatOf(const std::string& format) {
  if (format == "NCHW") return ACL_FORMAT_NCHW;
  if (format == "NHWC") return ACL_FORMAT_NHWC;
  return ACL_FORMAT_ND;
}

std::vector<IoInfo> IoInfos(const std::vector<IoDesc>& list, const char* kind, uint32_t id) {
  std::vector<IoInfo> infos;
  for (const IoDesc& io : list) {
    IoInfo info{io.name, io.name, TypeOf(io.dtype), FormatOf(io.format), io.dims, static_cast<size_t>(io.bytes), {}};
    if (info.name.size() >= ACL_MAX_TENSOR_NAME_LEN) {
      info.short_name = "acl_modelId_" + std::to_string(id) + "_" + kind + "_" + std::to_string(infos.size());
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

struct Models {
  std::shared_mutex mutex;
  uint32_t last_id = 0;
  std::map<uint32_t, std::shared_ptr<LoadedModel>> by_id;
};

Models& TheModels() {
  static Models* const models = new Models;
  return *models;
}

struct Failure {
  uint32_t stream_id;
  uint32_t task_id;
  std::shared_ptr<const ModelInfo> info;
};

struct Failures {
  std::mutex mutex;
  std::vector<Failure> ring;
  size_t next = 0;
};

Failures& TheFailures() {
  static Failures* const failures = new Failures;
  return *failures;
}

aclError CheckShape(const Dataset::Entry& entry, const IoDesc& io, size_t index) {
  if (!entry.desc_set) return ACL_SUCCESS;
  const std::shared_ptr<TensorDesc> desc = TensorDescTable::Get().Find(entry.desc);
  if (desc == nullptr || desc->dims == io.dims) return ACL_SUCCESS;
  return Fail(ACL_ERROR_GE_SHAPE_INVALID, "the tensor description of input %zu '%.200s' has another shape than the model", index, io.name.c_str());
}

bool Overlap(const void* a, size_t a_size, const void* b, size_t b_size) {
  const uintptr_t x = reinterpret_cast<uintptr_t>(a);
  const uintptr_t y = reinterpret_cast<uintptr_t>(b);
  return x < y + b_size && y < x + a_size;
}

aclError UseBuffer(const Dataset& dataset, size_t index, const char* kind, const IoDesc& io, DataBuffer* buffer) {
  const std::shared_ptr<DataBuffer> found = DataBufferTable::Get().Find(dataset.entries[index].buffer);
  if (found == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the data buffer of %s %zu '%.200s' was destroyed", kind, index, io.name.c_str());
  *buffer = *found;
  return ACL_SUCCESS;
}

}  // namespace

Dataset::~Dataset() {
  for (const Entry& entry : entries) TensorDescTable::Get().Remove(entry.desc);
}

std::shared_ptr<const ModelInfo> MakeModelInfo(const runtime::ShapedProgram& program, uint32_t id) {
  auto info = std::make_shared<ModelInfo>();
  info->id = id;
  info->name = program.model_name;
  info->inputs = IoInfos(program.inputs, "input", id);
  info->outputs = IoInfos(program.outputs, "output", id);
  info->shapes = MakeShapeInfo(program);
  const ShapeInfo& shapes = info->shapes;
  for (size_t i = 0; i < info->inputs.size(); ++i) {
    if (i < shapes.dims.size()) info->inputs[i].dims = shapes.dims[i];
    info->inputs[i].bytes = shapes.input_bytes[i];
  }
  for (size_t i = 0; i < info->outputs.size(); ++i) info->outputs[i].bytes = shapes.output_bytes[i];
  for (const runtime::Step& step : program.steps) {
    if (!step.node.empty()) info->original_ops.emplace(step.node, "[" + step.node + "]");
  }
  info->aipp = AippInfos(program);
  for (const AippInfo& aipp : info->aipp) info->inputs[aipp.input].image_dims = ImageDims(aipp.stage);
  return info;
}

std::unique_ptr<Job> LoadedModel::TakeJob() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Job> job = std::move(idle_.back());
      idle_.pop_back();
      return job;
    }
  }
  auto job = std::make_unique<Job>();
  job->inputs.reserve(info_->inputs.size());
  job->outputs.reserve(info_->outputs.size());
  job->pins.reserve(info_->inputs.size() + info_->outputs.size());
  job->padded.reserve(info_->inputs.size());
  job->padding.resize(info_->inputs.size());
  return job;
}

void LoadedModel::ReturnJob(std::unique_ptr<Job> job) {
  job->executor = nullptr;
  job->inputs.clear();
  job->outputs.clear();
  job->pins.clear();
  job->padded.clear();
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(job));
}

aclError LoadedModel::BindInput(const Dataset& dataset, size_t index, Job* job) const {
  const IoDesc& io = job->executor->plan().inputs[index];
  DataBuffer buffer;
  ACL_RETURN_IF_ERROR(UseBuffer(dataset, index, "input", io, &buffer));
  if (IsGearInput(io)) {
    job->inputs.push_back(nullptr);
    return ACL_SUCCESS;
  }
  ACL_RETURN_IF_ERROR(CheckShape(dataset.entries[index], io, index));
  if (buffer.size + kMostMissing < io.bytes) {
    return Fail(ACL_ERROR_GE_PARAM_INVALID, "the buffer of input %zu '%.200s' has %zu bytes, the model needs %zu", index, io.name.c_str(),
                buffer.size, static_cast<size_t>(io.bytes));
  }
  const size_t used = buffer.size < io.bytes ? buffer.size : io.bytes;
  std::shared_ptr<const Allocation> pin;
  if (used > 0) ACL_RETURN_IF_ERROR(CheckRange(io.name.c_str(), buffer.data, used, Expect::kDevice, &pin));
  if (pin != nullptr) job->pins.push_back(std::move(pin));
  if (used == io.bytes) {
    job->inputs.push_back(buffer.data);
    return ACL_SUCCESS;
  }
  runtime::Arena& padding = job->padding[index];
  if (padding.data() == nullptr || padding.size() < io.bytes) {
    absl::StatusOr<runtime::Arena> made = runtime::Arena::Allocate(io.bytes, io.name);
    if (!made.ok()) return FailExecuting(made.status());
    padding = *std::move(made);
  }
  job->padded.push_back({index, buffer.data, used});
  job->inputs.push_back(padding.data());
  return ACL_SUCCESS;
}

aclError LoadedModel::BindOutput(const Dataset& dataset, size_t index, bool allocate, Job* job) const {
  const IoDesc& io = job->executor->plan().outputs[index];
  DataBuffer buffer;
  ACL_RETURN_IF_ERROR(UseBuffer(dataset, index, "output", io, &buffer));
  if (buffer.data == nullptr && buffer.size == 0 && io.bytes > 0) {
    if (!allocate) return Fail(ACL_ERROR_GE_PARAM_INVALID, "the buffer of output %zu '%.200s' has no memory", index, io.name.c_str());
    job->outputs.push_back(nullptr);
    return ACL_SUCCESS;
  }
  if (buffer.size < io.bytes) {
    return Fail(ACL_ERROR_GE_PARAM_INVALID, "the buffer of output %zu '%.200s' has %zu bytes, the model writes %zu", index, io.name.c_str(),
                buffer.size, static_cast<size_t>(io.bytes));
  }
  std::shared_ptr<const Allocation> pin;
  if (io.bytes > 0) ACL_RETURN_IF_ERROR(CheckRange(io.name.c_str(), buffer.data, io.bytes, Expect::kDevice, &pin));
  if (pin != nullptr) job->pins.push_back(std::move(pin));
  job->outputs.push_back(buffer.data);
  return ACL_SUCCESS;
}

aclError LoadedModel::CheckOverlap(const Job& job) const {
  const runtime::Plan& plan = job.executor->plan();
  for (size_t i = 0; i < job.outputs.size(); ++i) {
    if (job.outputs[i] == nullptr) continue;
    const IoDesc& output = plan.outputs[i];
    for (size_t j = 0; j < job.inputs.size(); ++j) {
      if (Overlap(job.outputs[i], output.bytes, job.inputs[j], plan.inputs[j].bytes)) {
        return Fail(ACL_ERROR_INVALID_PARAM, "the memory of output %zu '%.200s' overlaps that of input %zu '%.200s'", i, output.name.c_str(), j,
                    plan.inputs[j].name.c_str());
      }
    }
    for (size_t j = 0; j < i; ++j) {
      if (job.outputs[j] != nullptr && Overlap(job.outputs[i], output.bytes, job.outputs[j], plan.outputs[j].bytes)) {
        return Fail(ACL_ERROR_INVALID_PARAM, "the memory of outputs %zu '%.200s' and %zu '%.200s' overlaps", i, output.name.c_str(), j,
                    plan.outputs[j].name.c_str());
      }
    }
  }
  return ACL_SUCCESS;
}

aclError LoadedModel::Bind(const Dataset& input, Dataset* output, bool allocate, Job* job) const {
  if (input.entries.size() != info_->inputs.size()) {
    return Fail(ACL_ERROR_GE_PARAM_INVALID, "the input dataset has %zu buffers, the model %zu inputs", input.entries.size(), info_->inputs.size());
  }
  if (output->entries.size() != info_->outputs.size()) {
    return Fail(ACL_ERROR_GE_PARAM_INVALID, "the output dataset has %zu buffers, the model %zu outputs", output->entries.size(),
                info_->outputs.size());
  }
  ACL_RETURN_IF_ERROR(ChoosePlan(model_.get(), input, &job->executor));
  for (size_t i = 0; i < info_->inputs.size(); ++i) ACL_RETURN_IF_ERROR(BindInput(input, i, job));
  for (size_t i = 0; i < info_->outputs.size(); ++i) ACL_RETURN_IF_ERROR(BindOutput(*output, i, allocate, job));
  ACL_RETURN_IF_ERROR(CheckOverlap(*job));
  for (size_t i = 0; i < job->outputs.size(); ++i) {
    const size_t bytes = job->executor->plan().outputs[i].bytes;
    if (job->outputs[i] != nullptr || bytes == 0) continue;
    const std::shared_ptr<DataBuffer> buffer = DataBufferTable::Get().Find(output->entries[i].buffer);
    if (buffer == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the data buffer of output %zu was destroyed", i);
    ACL_RETURN_IF_ERROR(AllocateDevice(&job->outputs[i], bytes, 64, 32, true));
    *buffer = {job->outputs[i], bytes};
  }
  output->written_by = info_;
  output->written_dims.clear();
  if (info_->shapes.mode != runtime::ShapeMode::kFixed) {
    for (const IoDesc& io : job->executor->plan().outputs) output->written_dims.push_back(io.dims);
  }
  return ACL_SUCCESS;
}

aclError LoadedModel::Run(Job* job, const RunPlace& place) {
  for (const Job::Padded& padded : job->padded) {
    runtime::Arena& padding = job->padding[padded.index];
    if (padded.size > 0) std::memcpy(padding.data(), padded.source, padded.size);
    std::memset(padding.data() + padded.size, 0, padding.size() - padded.size);
  }
  const std::unique_ptr<runtime::StepObserver> dump = WatchForDump(*this, job->executor->plan(), place);
  std::optional<runtime::Profiler> profiler;
  if (StepsWanted()) profiler.emplace(job->executor->plan().steps.size(), 1);
  runtime::Profiler* const times = profiler ? &*profiler : nullptr;
  const absl::Status status = place.work != nullptr
                                  ? model_->ExecuteAt(*job->executor, place.work, place.work_size, job->inputs, job->outputs, times, dump.get())
                                  : model_->Execute(*job->executor, job->inputs, job->outputs, times, dump.get());
  if (profiler && status.ok()) AddExecution(*this, *job->executor, place, profiler->timelines().front());
  return FailExecuting(status);
}

std::shared_ptr<LoadedModel> FindModel(uint32_t id) {
  Models& models = TheModels();
  {
    const std::shared_lock<std::shared_mutex> lock(models.mutex);
    const auto it = models.by_id.find(id);
    if (it != models.by_id.end()) return it->second;
  }
  Fail(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID, "no model with id %u is loaded", id);
  return nullptr;
}

aclError AddModel(std::unique_ptr<runtime::Model> model, std::vector<std::shared_ptr<const Allocation>> pins, uint32_t* id) {
  Models& models = TheModels();
  uint32_t new_id = 0;
  {
    const std::unique_lock<std::shared_mutex> lock(models.mutex);
    if (models.last_id == UINT32_MAX) return Fail(ACL_ERROR_RT_OVER_LIMIT, "all model ids are used up");
    new_id = ++models.last_id;
  }
  auto loaded = std::make_shared<LoadedModel>(std::move(model), std::move(pins), new_id);
  const std::unique_lock<std::shared_mutex> lock(models.mutex);
  models.by_id.emplace(new_id, std::move(loaded));
  *id = new_id;
  return ACL_SUCCESS;
}

bool RemoveModel(uint32_t id) {
  Models& models = TheModels();
  std::shared_ptr<LoadedModel> removed;
  const std::unique_lock<std::shared_mutex> lock(models.mutex);
  const auto it = models.by_id.find(id);
  if (it == models.by_id.end()) return false;
  removed = std::move(it->second);
  models.by_id.erase(it);
  return true;
}

void UnloadAllModels() {
  Models& models = TheModels();
  std::map<uint32_t, std::shared_ptr<LoadedModel>> removed;
  const std::unique_lock<std::shared_mutex> lock(models.mutex);
  removed.swap(models.by_id);
}

void RememberFailure(uint32_t stream_id, uint32_t task_id, std::shared_ptr<const ModelInfo> info) {
  Failures& failures = TheFailures();
  const std::lock_guard<std::mutex> lock(failures.mutex);
  if (failures.ring.size() < kRememberedFailures) failures.ring.resize(kRememberedFailures);
  failures.ring[failures.next++ % kRememberedFailures] = {stream_id, task_id, std::move(info)};
}

std::shared_ptr<const ModelInfo> FindFailure(uint32_t stream_id, uint32_t task_id) {
  Failures& failures = TheFailures();
  const std::lock_guard<std::mutex> lock(failures.mutex);
  for (const Failure& failure : failures.ring) {
    if (failure.info != nullptr && failure.stream_id == stream_id && failure.task_id == task_id) return failure.info;
  }
  return nullptr;
}

}  // namespace omkit::acl
