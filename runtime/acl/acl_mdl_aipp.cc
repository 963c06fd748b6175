// Exported functions: what a model's AIPP is, and the parameters of dynamic AIPP.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/aipp.h"
#include "runtime/acl/aipp_info.h"
#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/memory_check.h"
#include "runtime/acl/model.h"

namespace acl = omkit::acl;
namespace aipp = omkit::aipp;
using acl::Enter;
using acl::Fail;

static_assert(sizeof(aclAippDims) == 2336 && sizeof(aclAippInfo) == 299216, "layout of the ABI");

namespace omkit::acl {
namespace {

struct AippParameters {
  std::vector<aipp::Spec> images;
};
using AippTable = SlotTable<AippParameters, HandleType::kAipp>;

aclError UseAipp(const aclmdlAIPP* handle, std::shared_ptr<AippParameters>* parameters) {
  *parameters = AippTable::Get().Find(handle);
  if (*parameters != nullptr) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "%p is no live aclmdlAIPP", static_cast<const void*>(handle));
}

aclError CheckSwitch(const char* name, int8_t value) {
  if (value == 0 || value == 1) return ACL_SUCCESS;
  return Fail(ACL_ERROR_INVALID_PARAM, "%s is %d, but must be 0 or 1", name, value);
}

// Changes all images.
template <typename Set>
aclError SetAll(const char* function, aclmdlAIPP* handle, Set set) {
  return Enter(function, [&]() -> aclError {
    std::shared_ptr<AippParameters> parameters;
    ACL_RETURN_IF_ERROR(UseAipp(handle, &parameters));
    for (aipp::Spec& spec : parameters->images) ACL_RETURN_IF_ERROR(set(&spec));
    return ACL_SUCCESS;
  });
}

// Changes one image.
template <typename Set>
aclError SetOne(const char* function, aclmdlAIPP* handle, uint64_t batch_index, Set set) {
  return Enter(function, [&]() -> aclError {
    std::shared_ptr<AippParameters> parameters;
    ACL_RETURN_IF_ERROR(UseAipp(handle, &parameters));
    if (batch_index >= parameters->images.size()) {
      return Fail(ACL_ERROR_INVALID_PARAM, "batchIndex is %llu, but the parameters are for %zu images", static_cast<unsigned long long>(batch_index),
                  parameters->images.size());
    }
    return set(&parameters->images[batch_index]);
  });
}

template <typename T>
void Fill(float (&to)[4], T a, T b, T c, T d) {
  const T values[4] = {a, b, c, d};
  std::copy(values, values + 4, to);
}

// The model, and its AIPP entry that `matches`; nullptr when there is none.
template <typename Match>
aclError FindAipp(uint32_t model_id, size_t index, Match matches, std::shared_ptr<const ModelInfo>* info, const AippInfo** found) {
  const std::shared_ptr<LoadedModel> model = FindModel(model_id);
  if (model == nullptr) return ACL_ERROR_GE_EXEC_MODEL_ID_INVALID;
  *info = model->info();
  if (index >= (*info)->inputs.size()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "index %zu, but the model has %zu inputs", index, (*info)->inputs.size());
  }
  *found = nullptr;
  for (const AippInfo& aipp : (*info)->aipp) {
    if (matches(aipp)) *found = &aipp;
  }
  return ACL_SUCCESS;
}

void PutDims(const std::string& name, const std::vector<int64_t>& from, aclmdlIODims* to) {
  std::snprintf(to->name, sizeof to->name, "%s", name.c_str());
  to->dimCount = from.size();
  std::copy(from.begin(), from.end(), to->dims);
}

void Describe(const IoInfo& io, const aipp::Stage& stage, aclAippInfo* info) {
  const aipp::Spec& s = stage.spec;
  std::memset(info, 0, sizeof *info);
  info->inputFormat = static_cast<aclAippInputFormat>(s.format);
  info->srcImageSizeW = s.src_w;
  info->srcImageSizeH = s.src_h;
  info->cropSwitch = static_cast<int8_t>(s.crop);
  info->loadStartPosW = s.crop_x;
  info->loadStartPosH = s.crop_y;
  info->cropSizeW = s.crop_w;
  info->cropSizeH = s.crop_h;
  info->resizeSwitch = static_cast<int8_t>(s.resize);
  info->resizeOutputW = s.resize_w;
  info->resizeOutputH = s.resize_h;
  info->paddingSwitch = static_cast<int8_t>(s.padding);
  info->leftPaddingSize = s.pad_left;
  info->rightPaddingSize = s.pad_right;
  info->topPaddingSize = s.pad_top;
  info->bottomPaddingSize = s.pad_bottom;
  info->cscSwitch = static_cast<int8_t>(s.csc);
  info->rbuvSwapSwitch = static_cast<int8_t>(s.rbuv_swap);
  info->axSwapSwitch = static_cast<int8_t>(s.ax_swap);
  // Runs of equal members in the order of the arrays.
  std::copy(s.matrix, s.matrix + 9, &info->matrixR0C0);
  std::copy(s.out_bias, s.out_bias + 3, &info->outputBias0);
  std::copy(s.in_bias, s.in_bias + 3, &info->inputBias0);
  std::transform(s.mean, s.mean + 4, &info->meanChn0, [](float v) { return static_cast<int32_t>(v); });
  std::copy(s.min, s.min + 4, &info->minChn0);
  std::copy(s.var_reci, s.var_reci + 4, &info->varReciChn0);
  info->srcFormat = ACL_FORMAT_NCHW;
  info->srcDatatype = ACL_FLOAT;
  info->srcDimNum = 4;
  info->shapeCount = 1;
  PutDims(io.short_name, ImageDims(stage), &info->outDims[0].srcDims);
  info->outDims[0].srcSize = io.bytes;
  PutDims(io.short_name, {stage.batch, stage.channels, stage.height, stage.width}, &info->outDims[0].aippOutdims);
  info->outDims[0].aippOutSize = static_cast<size_t>(stage.batch * stage.channels * stage.height * stage.width) * sizeof(float);
}

// `attached`: the entry whose parameters go into the dataset.
aclError SetParameters(const AippInfo* attached, size_t index, aclmdlDataset* dataset, const aclmdlAIPP* handle) {
  std::shared_ptr<AippParameters> parameters;
  ACL_RETURN_IF_ERROR(UseAipp(handle, &parameters));
  std::shared_ptr<Dataset> inputs;
  ACL_RETURN_IF_ERROR(UseDataset(dataset, "dataset", &inputs));
  if (attached == nullptr || !attached->stage.dynamic || attached->parameters == ACL_INVALID_NODE_INDEX) {
    return Fail(ACL_ERROR_GE_AIPP_NOT_EXIST, "input %zu has no dynamic AIPP", index);
  }
  if (attached->parameters >= inputs->entries.size()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "the parameters are input %zu, but the dataset has %zu buffers", attached->parameters,
                inputs->entries.size());
  }
  const std::shared_ptr<DataBuffer> buffer = DataBufferTable::Get().Find(inputs->entries[attached->parameters].buffer);
  if (buffer == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "the data buffer of input %zu was destroyed", attached->parameters);
  std::vector<uint8_t> bytes(aipp::DynamicBytes(static_cast<int64_t>(parameters->images.size())));
  aipp::EncodeDynamic(parameters->images, bytes.data());
  for (size_t n = 0; n < parameters->images.size(); ++n) {
    const absl::StatusOr<aipp::Spec> image = aipp::DynamicImage(attached->stage, bytes.data(), static_cast<int64_t>(n));
    if (!image.ok())
      return Fail(ACL_ERROR_INVALID_PARAM, "image %zu: %.*s", n, static_cast<int>(image.status().message().size()), image.status().message().data());
  }
  if (buffer->size < bytes.size()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "the buffer of input %zu has %zu bytes, the parameters %zu", attached->parameters, buffer->size,
                bytes.size());
  }
  std::shared_ptr<const Allocation> pin;
  ACL_RETURN_IF_ERROR(CheckRange(aipp::kDynamicInputName, buffer->data, bytes.size(), Expect::kDevice, &pin));
  std::memcpy(buffer->data, bytes.data(), bytes.size());
  return ACL_SUCCESS;
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclError aclmdlGetFirstAippInfo(uint32_t modelId, size_t index, aclAippInfo* aippInfo) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (aippInfo == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "aippInfo is null");
    std::shared_ptr<const acl::ModelInfo> info;
    const acl::AippInfo* found = nullptr;
    ACL_RETURN_IF_ERROR(acl::FindAipp(
        modelId, index, [&](const acl::AippInfo& a) { return a.input == index; }, &info, &found));
    if (found == nullptr) return Fail(ACL_ERROR_GE_AIPP_NOT_EXIST, "input %zu has no AIPP", index);
    if (found->stage.dynamic) return Fail(ACL_ERROR_NOT_STATIC_AIPP, "the AIPP of input %zu is dynamic", index);
    acl::Describe(info->inputs[index], found->stage, aippInfo);
    return ACL_SUCCESS;
  });
}

aclError aclmdlGetAippType(uint32_t modelId, size_t index, aclmdlInputAippType* type, size_t* dynamicAttachedDataIndex) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (type == nullptr || dynamicAttachedDataIndex == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "a result pointer is null");
    std::shared_ptr<const acl::ModelInfo> info;
    const acl::AippInfo* found = nullptr;
    const auto concerns = [&](const acl::AippInfo& a) { return a.input == index || a.parameters == index; };
    ACL_RETURN_IF_ERROR(acl::FindAipp(modelId, index, concerns, &info, &found));
    *dynamicAttachedDataIndex = ACL_INVALID_NODE_INDEX;
    *type = ACL_DATA_WITHOUT_AIPP;
    if (found == nullptr) return ACL_SUCCESS;
    *type = !found->stage.dynamic ? ACL_DATA_WITH_STATIC_AIPP : found->input == index ? ACL_DATA_WITH_DYNAMIC_AIPP : ACL_DYNAMIC_AIPP_NODE;
    if (found->stage.dynamic) *dynamicAttachedDataIndex = found->input == index ? found->parameters : found->input;
    return ACL_SUCCESS;
  });
}

aclmdlAIPP* aclmdlCreateAIPP(uint64_t batchSize) {
  return acl::EnterOr<aclmdlAIPP*>(__func__, nullptr, [&]() -> aclmdlAIPP* {
    if (batchSize == 0 || batchSize > aipp::kMaxBatch) {
      Fail(ACL_ERROR_INVALID_PARAM, "batchSize is %llu, but must be in [1,%lld]", static_cast<unsigned long long>(batchSize),
           static_cast<long long>(aipp::kMaxBatch));
      return nullptr;
    }
    auto parameters = std::make_shared<acl::AippParameters>();
    parameters->images.resize(batchSize);
    void* const handle = acl::AippTable::Get().Add(std::move(parameters));
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many aclmdlAIPP objects");
    return static_cast<aclmdlAIPP*>(handle);
  });
}

aclError aclmdlDestroyAIPP(const aclmdlAIPP* aippParmsSet) {
  return Enter(__func__, [&]() -> aclError {
    if (acl::AippTable::Get().Remove(aippParmsSet) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is no live aclmdlAIPP", static_cast<const void*>(aippParmsSet));
  });
}

aclError aclmdlGetAippDataSize(uint64_t batchSize, size_t* size) {
  return Enter(__func__, [&]() -> aclError {
    if (size == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "size is null");
    if (batchSize == 0 || batchSize > aipp::kMaxBatch) {
      return Fail(ACL_ERROR_INVALID_PARAM, "batchSize is %llu, but must be in [1,%lld]", static_cast<unsigned long long>(batchSize),
                  static_cast<long long>(aipp::kMaxBatch));
    }
    *size = aipp::DynamicBytes(static_cast<int64_t>(batchSize));
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPInputFormat(aclmdlAIPP* aippParmsSet, aclAippInputFormat inputFormat) {
  return acl::SetAll(__func__, aippParmsSet, [&](aipp::Spec* s) -> aclError {
    const auto format = static_cast<aipp::Format>(inputFormat);
    if (aipp::FindFormat(format) == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "inputFormat %d is not supported", static_cast<int>(inputFormat));
    s->format = format;
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPCscParams(aclmdlAIPP* aippParmsSet, int8_t cscSwitch, int16_t cscMatrixR0C0, int16_t cscMatrixR0C1, int16_t cscMatrixR0C2,
                                int16_t cscMatrixR1C0, int16_t cscMatrixR1C1, int16_t cscMatrixR1C2, int16_t cscMatrixR2C0, int16_t cscMatrixR2C1,
                                int16_t cscMatrixR2C2, uint8_t cscOutputBiasR0, uint8_t cscOutputBiasR1, uint8_t cscOutputBiasR2,
                                uint8_t cscInputBiasR0, uint8_t cscInputBiasR1, uint8_t cscInputBiasR2) {
  return acl::SetAll(__func__, aippParmsSet, [&](aipp::Spec* s) -> aclError {
    ACL_RETURN_IF_ERROR(acl::CheckSwitch("cscSwitch", cscSwitch));
    const int16_t matrix[9] = {cscMatrixR0C0, cscMatrixR0C1, cscMatrixR0C2, cscMatrixR1C0, cscMatrixR1C1,
                               cscMatrixR1C2, cscMatrixR2C0, cscMatrixR2C1, cscMatrixR2C2};
    s->csc = cscSwitch;
    std::copy(matrix, matrix + 9, s->matrix);
    const uint8_t out[3] = {cscOutputBiasR0, cscOutputBiasR1, cscOutputBiasR2}, in[3] = {cscInputBiasR0, cscInputBiasR1, cscInputBiasR2};
    std::copy(out, out + 3, s->out_bias);
    std::copy(in, in + 3, s->in_bias);
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPRbuvSwapSwitch(aclmdlAIPP* aippParmsSet, int8_t rbuvSwapSwitch) {
  return acl::SetAll(__func__, aippParmsSet, [&](aipp::Spec* s) -> aclError {
    ACL_RETURN_IF_ERROR(acl::CheckSwitch("rbuvSwapSwitch", rbuvSwapSwitch));
    s->rbuv_swap = rbuvSwapSwitch;
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPAxSwapSwitch(aclmdlAIPP* aippParmsSet, int8_t axSwapSwitch) {
  return acl::SetAll(__func__, aippParmsSet, [&](aipp::Spec* s) -> aclError {
    ACL_RETURN_IF_ERROR(acl::CheckSwitch("axSwapSwitch", axSwapSwitch));
    s->ax_swap = axSwapSwitch;
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPSrcImageSize(aclmdlAIPP* aippParmsSet, int32_t srcImageSizeW, int32_t srcImageSizeH) {
  return acl::SetAll(__func__, aippParmsSet, [&](aipp::Spec* s) -> aclError {
    s->src_w = srcImageSizeW;
    s->src_h = srcImageSizeH;
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPScfParams(aclmdlAIPP* aippParmsSet, int8_t scfSwitch, int32_t, int32_t, int32_t, int32_t, uint64_t batchIndex) {
  return acl::SetOne(__func__, aippParmsSet, batchIndex, [&](aipp::Spec* s) -> aclError {
    if (scfSwitch != 0) return Fail(ACL_ERROR_INVALID_PARAM, "Not support scf! Dynamic AIPP does not resize");
    s->resize = 0;
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPCropParams(aclmdlAIPP* aippParmsSet, int8_t cropSwitch, int32_t cropStartPosW, int32_t cropStartPosH, int32_t cropSizeW,
                                 int32_t cropSizeH, uint64_t batchIndex) {
  return acl::SetOne(__func__, aippParmsSet, batchIndex, [&](aipp::Spec* s) -> aclError {
    ACL_RETURN_IF_ERROR(acl::CheckSwitch("cropSwitch", cropSwitch));
    s->crop = cropSwitch;
    s->crop_x = cropStartPosW;
    s->crop_y = cropStartPosH;
    s->crop_w = cropSizeW;
    s->crop_h = cropSizeH;
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPPaddingParams(aclmdlAIPP* aippParmsSet, int8_t paddingSwitch, int32_t paddingSizeTop, int32_t paddingSizeBottom,
                                    int32_t paddingSizeLeft, int32_t paddingSizeRight, uint64_t batchIndex) {
  return acl::SetOne(__func__, aippParmsSet, batchIndex, [&](aipp::Spec* s) -> aclError {
    ACL_RETURN_IF_ERROR(acl::CheckSwitch("paddingSwitch", paddingSwitch));
    s->padding = paddingSwitch;
    s->pad_top = paddingSizeTop;
    s->pad_bottom = paddingSizeBottom;
    s->pad_left = paddingSizeLeft;
    s->pad_right = paddingSizeRight;
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPDtcPixelMean(aclmdlAIPP* aippParmsSet, int16_t dtcPixelMeanChn0, int16_t dtcPixelMeanChn1, int16_t dtcPixelMeanChn2,
                                   int16_t dtcPixelMeanChn3, uint64_t batchIndex) {
  return acl::SetOne(__func__, aippParmsSet, batchIndex, [&](aipp::Spec* s) -> aclError {
    acl::Fill(s->mean, dtcPixelMeanChn0, dtcPixelMeanChn1, dtcPixelMeanChn2, dtcPixelMeanChn3);
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPDtcPixelMin(aclmdlAIPP* aippParmsSet, float dtcPixelMinChn0, float dtcPixelMinChn1, float dtcPixelMinChn2,
                                  float dtcPixelMinChn3, uint64_t batchIndex) {
  return acl::SetOne(__func__, aippParmsSet, batchIndex, [&](aipp::Spec* s) -> aclError {
    acl::Fill(s->min, dtcPixelMinChn0, dtcPixelMinChn1, dtcPixelMinChn2, dtcPixelMinChn3);
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetAIPPPixelVarReci(aclmdlAIPP* aippParmsSet, float dtcPixelVarReciChn0, float dtcPixelVarReciChn1, float dtcPixelVarReciChn2,
                                   float dtcPixelVarReciChn3, uint64_t batchIndex) {
  return acl::SetOne(__func__, aippParmsSet, batchIndex, [&](aipp::Spec* s) -> aclError {
    acl::Fill(s->var_reci, dtcPixelVarReciChn0, dtcPixelVarReciChn1, dtcPixelVarReciChn2, dtcPixelVarReciChn3);
    return ACL_SUCCESS;
  });
}

aclError aclmdlSetInputAIPP(uint32_t modelId, aclmdlDataset* dataset, size_t index, const aclmdlAIPP* aippParmsSet) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    std::shared_ptr<const acl::ModelInfo> info;
    const acl::AippInfo* found = nullptr;
    ACL_RETURN_IF_ERROR(acl::FindAipp(
        modelId, index, [&](const acl::AippInfo& a) { return a.parameters == index; }, &info, &found));
    return acl::SetParameters(found, index, dataset, aippParmsSet);
  });
}

aclError aclmdlSetAIPPByInputIndex(uint32_t modelId, aclmdlDataset* dataset, size_t index, const aclmdlAIPP* aippParmsSet) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    std::shared_ptr<const acl::ModelInfo> info;
    const acl::AippInfo* found = nullptr;
    ACL_RETURN_IF_ERROR(acl::FindAipp(
        modelId, index, [&](const acl::AippInfo& a) { return a.input == index; }, &info, &found));
    return acl::SetParameters(found, index, dataset, aippParmsSet);
  });
}

}  // extern "C"
