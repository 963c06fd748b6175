// Exported functions: queries and setters of models whose shapes are chosen at run time.
#include <algorithm>
#include <cstring>

#include "runtime/acl/context.h"
#include "runtime/acl/desc.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/gears.h"
#include "runtime/acl/memory_check.h"
#include "runtime/acl/model.h"
#include "runtime/shapes.h"

namespace acl = omkit::acl;
using acl::Enter;
using acl::Fail;
using acl::ModelInfo;
using omkit::runtime::ShapeMode;

namespace omkit::acl {
namespace {

// Dims of all data inputs behind one another.
std::vector<int64_t> AllDims(const ShapeInfo::Gear& gear) {
  std::vector<int64_t> all;
  for (const std::vector<int64_t>& dims : gear.inputs) all.insert(all.end(), dims.begin(), dims.end());
  return all;
}

aclError PutDims(const std::vector<int64_t>& dims, aclmdlIODims* to) {
  if (dims.size() > ACL_MAX_DIM_CNT) return Fail(ACL_ERROR_INVALID_PARAM, "%zu dimensions do not fit into aclmdlIODims", dims.size());
  to->dimCount = dims.size();
  std::copy(dims.begin(), dims.end(), to->dims);
  return ACL_SUCCESS;
}

// The buffer that takes the numbers of a gear: uint64 each when there is room, uint32 otherwise.
aclError CheckGearBuffer(const Dataset& dataset, size_t index, size_t width, DataBuffer* buffer) {
  const std::shared_ptr<DataBuffer> found = DataBufferTable::Get().Find(dataset.entries[index].buffer);
  if (found == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the data buffer of input %zu was destroyed", index);
  *buffer = *found;
  if (buffer->data == nullptr) return Fail(ACL_ERROR_GE_DYNAMIC_INPUT_ADDR_INVALID, "the buffer of input %zu has no memory", index);
  if (buffer->size < width * sizeof(uint32_t)) {
    return Fail(ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID, "the buffer of input %zu has %zu bytes, the gear needs %zu", index, buffer->size,
                width * sizeof(uint32_t));
  }
  return ACL_SUCCESS;
}

aclError WriteGear(const std::vector<int64_t>& values, const DataBuffer& buffer) {
  const bool wide = buffer.size >= values.size() * sizeof(uint64_t);
  const size_t unit = wide ? sizeof(uint64_t) : sizeof(uint32_t);
  std::shared_ptr<const Allocation> pin;
  ACL_RETURN_IF_ERROR(CheckRange("the buffer of the gear", buffer.data, values.size() * unit, Expect::kDevice, &pin));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<uint64_t>(values[i]);  // little-endian: the first four bytes are the uint32
    std::memcpy(static_cast<uint8_t*>(buffer.data) + i * unit, &value, unit);
  }
  return ACL_SUCCESS;
}

// What the setters have in common. `zero`: a number is 0. `find` gives the index of the gear, or the number of gears.
template <typename Find>
aclError SetGear(uint32_t model_id, aclmdlDataset* handle, size_t index, bool zero, size_t width, Find find) {
  ACL_RETURN_IF_ERROR(NeedContext());
  const std::shared_ptr<LoadedModel> model = FindModel(model_id);
  if (model == nullptr) return ACL_ERROR_GE_EXEC_MODEL_ID_INVALID;
  std::shared_ptr<Dataset> dataset;
  ACL_RETURN_IF_ERROR(UseDataset(handle, "dataset", &dataset));
  if (index >= dataset->entries.size()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but the dataset has %zu buffers", index, dataset->entries.size());
  }
  if (zero) return Fail(ACL_ERROR_INVALID_PARAM, "a size is 0");
  const std::shared_ptr<const ModelInfo>& info = model->info();
  const ShapeInfo& shapes = info->shapes;
  if (shapes.gears.empty()) return Fail(ACL_ERROR_MODEL_NOT_DYNAMIC, "model '%.200s' has no gears", info->name.c_str());
  if (index >= info->inputs.size() || info->inputs[index].name != runtime::kGearInput) {
    return Fail(ACL_ERROR_INVALID_PARAM, "input %zu is not '%s'", index, runtime::kGearInput);
  }
  DataBuffer buffer;
  ACL_RETURN_IF_ERROR(CheckGearBuffer(*dataset, index, width, &buffer));
  const size_t gear = find(shapes);
  if (gear >= shapes.gears.size()) {
    return Fail(ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID, "model '%.200s' has no such gear", info->name.c_str());
  }
  ACL_RETURN_IF_ERROR(WriteGear(shapes.gears[gear].values, buffer));
  dataset->gear = shapes.gears[gear].values;
  *shapes.current = gear;
  return ACL_SUCCESS;
}

size_t FindValues(const ShapeInfo& shapes, ShapeMode mode, const std::vector<int64_t>& values) {
  if (shapes.mode != mode) return shapes.gears.size();
  const auto it = std::find_if(shapes.gears.begin(), shapes.gears.end(), [&](const ShapeInfo::Gear& gear) { return gear.values == values; });
  return static_cast<size_t>(it - shapes.gears.begin());
}

// Values beyond int64 are no gear either.
int64_t Clamped(uint64_t value) { return static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX)); }

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclError aclmdlGetDynamicBatch(const aclmdlDesc* modelDesc, aclmdlBatch* batch) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<const ModelInfo> info;
    ACL_RETURN_IF_ERROR(acl::UseInfo(modelDesc, &info));
    if (batch == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "batch is null");
    std::memset(batch, 0, sizeof *batch);
    if (info->shapes.mode != ShapeMode::kBatchGears) return ACL_SUCCESS;
    for (const acl::ShapeInfo::Gear& gear : info->shapes.gears) batch->batch[batch->batchCount++] = static_cast<uint64_t>(gear.values[0]);
    return ACL_SUCCESS;
  });
}

aclError aclmdlGetDynamicHW(const aclmdlDesc* modelDesc, size_t, aclmdlHW* hw) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<const ModelInfo> info;
    ACL_RETURN_IF_ERROR(acl::UseInfo(modelDesc, &info));
    if (hw == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "hw is null");
    std::memset(hw, 0, sizeof *hw);
    if (info->shapes.mode != ShapeMode::kImageGears) return ACL_SUCCESS;
    for (const acl::ShapeInfo::Gear& gear : info->shapes.gears) {
      hw->hw[hw->hwCount][0] = static_cast<uint64_t>(gear.values[0]);
      hw->hw[hw->hwCount++][1] = static_cast<uint64_t>(gear.values[1]);
    }
    return ACL_SUCCESS;
  });
}

aclError aclmdlGetInputDynamicGearCount(const aclmdlDesc* modelDesc, size_t, size_t* gearCount) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<const ModelInfo> info;
    ACL_RETURN_IF_ERROR(acl::UseInfo(modelDesc, &info));
    if (gearCount == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "gearCount is null");
    *gearCount = info->shapes.mode == ShapeMode::kDimsGears ? info->shapes.gears.size() : 0;
    return ACL_SUCCESS;
  });
}

aclError aclmdlGetInputDynamicDims(const aclmdlDesc* modelDesc, size_t, aclmdlIODims* dims, size_t gearCount) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<const ModelInfo> info;
    ACL_RETURN_IF_ERROR(acl::UseInfo(modelDesc, &info));
    if (dims == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "dims is null");
    const std::vector<acl::ShapeInfo::Gear>& gears = info->shapes.gears;
    if (info->shapes.mode != ShapeMode::kDimsGears) {
      if (gearCount == 0) return ACL_SUCCESS;
      return Fail(ACL_ERROR_MODEL_NOT_DYNAMIC, "model '%.200s' has no gears of dimensions", info->name.c_str());
    }
    if (gearCount < gears.size()) return Fail(ACL_ERROR_INVALID_PARAM, "room for %zu gears, the model has %zu", gearCount, gears.size());
    for (size_t i = 0; i < gears.size(); ++i) {
      std::memset(&dims[i], 0, sizeof dims[i]);
      ACL_RETURN_IF_ERROR(acl::PutDims(acl::AllDims(gears[i]), &dims[i]));
    }
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetDynamicBatchSize(uint32_t modelId, aclmdlDataset* dataset, size_t index, uint64_t batchSize) {
  return Enter(__func__, [&] {
    return acl::SetGear(modelId, dataset, index, batchSize == 0, 1,
                        [&](const acl::ShapeInfo& shapes) { return acl::FindValues(shapes, ShapeMode::kBatchGears, {acl::Clamped(batchSize)}); });
  });
}

aclError aclmdlSetDynamicHWSize(uint32_t modelId, aclmdlDataset* dataset, size_t index, uint64_t height, uint64_t width) {
  return Enter(__func__, [&] {
    return acl::SetGear(modelId, dataset, index, height == 0 || width == 0, 2, [&](const acl::ShapeInfo& shapes) {
      return acl::FindValues(shapes, ShapeMode::kImageGears, {acl::Clamped(height), acl::Clamped(width)});
    });
  });
}

aclError aclmdlSetInputDynamicDims(uint32_t modelId, aclmdlDataset* dataset, size_t index, const aclmdlIODims* dims) {
  return Enter(__func__, [&]() -> aclError {
    if (dims == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "dims is null");
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (dims->dimCount > ACL_MAX_DIM_CNT) return Fail(ACL_ERROR_INVALID_PARAM, "dimCount is %zu", dims->dimCount);
    const std::vector<int64_t> wanted(dims->dims, dims->dims + dims->dimCount);
    const bool zero = wanted.empty() || std::count(wanted.begin(), wanted.end(), 0) > 0;
    // The width is not known before the model is, and at least one number is needed.
    size_t width = 1;
    if (const std::shared_ptr<acl::LoadedModel> model = acl::FindModel(modelId); model != nullptr && !model->info()->shapes.gears.empty()) {
      width = model->info()->shapes.gears[0].values.size();
    }
    return acl::SetGear(modelId, dataset, index, zero, width, [&](const acl::ShapeInfo& shapes) {
      size_t gear = shapes.mode == ShapeMode::kDimsGears ? 0 : shapes.gears.size();
      while (gear < shapes.gears.size() && acl::AllDims(shapes.gears[gear]) != wanted) ++gear;
      return gear;
    });
  });
}

aclError aclmdlGetCurOutputDims(const aclmdlDesc* modelDesc, size_t index, aclmdlIODims* dims) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<const ModelInfo> info;
    ACL_RETURN_IF_ERROR(acl::UseInfo(modelDesc, &info));
    if (info->shapes.mode == ShapeMode::kRanges) {
      return Fail(ACL_ERROR_API_NOT_SUPPORT, "model '%.200s' takes ranges of shapes; use aclmdlGetDatasetTensorDesc after an execution",
                  info->name.c_str());
    }
    ACL_RETURN_IF_ERROR(aclmdlGetOutputDims(modelDesc, index, dims));
    if (info->shapes.gears.empty()) return ACL_SUCCESS;
    return acl::PutDims(info->shapes.gears[*info->shapes.current].outputs[index], dims);
  });
}

aclError aclmdlGetInputDimsRange(const aclmdlDesc* modelDesc, size_t index, aclmdlIODimsRange* dimsRange) {
  return Enter(__func__, [&]() -> aclError {
    if (dimsRange == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "dimsRange is null");
    std::shared_ptr<const ModelInfo> info;
    ACL_RETURN_IF_ERROR(acl::UseInfo(modelDesc, &info));
    if (index >= info->inputs.size()) return Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but the model has %zu inputs", index, info->inputs.size());
    const std::vector<int64_t>& dims = info->inputs[index].dims;
    const acl::ShapeInfo& shapes = info->shapes;
    std::memset(dimsRange, 0, sizeof *dimsRange);
    dimsRange->rangeCount = std::min<size_t>(dims.size(), ACL_MAX_DIM_CNT);
    for (size_t d = 0; d < dimsRange->rangeCount; ++d) {
      int64_t least = dims[d], most = dims[d];
      if (index < shapes.ranges.size()) {
        least = shapes.ranges[index][d].least;
        most = shapes.ranges[index][d].most;
      } else if (dims[d] == -1 && index < shapes.dims.size()) {
        least = most = shapes.gears[0].inputs[index][d];
        for (const acl::ShapeInfo::Gear& gear : shapes.gears) {
          least = std::min(least, gear.inputs[index][d]);
          most = std::max(most, gear.inputs[index][d]);
        }
      }
      dimsRange->range[d][0] = least;
      dimsRange->range[d][1] = most;
    }
    return ACL_SUCCESS;
  });
}

}  // extern "C"
