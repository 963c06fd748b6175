// AIPP through the C API: what models tell about it, and the parameters of dynamic AIPP.
#include "acl/acl.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/compile.h"
#include "backends/run_side.h"
#include "base/aipp.h"
#include "gtest/gtest.h"
#include "runtime/om_file.h"

namespace omkit {
namespace {

constexpr int kSize = 8;

// y = relu(x) of two images of 3x8x8, behind AIPP; a second input comes first and is added with a factor of 0.
std::string WriteModel(const aipp::Stage& stage) {
  RegisterAllKernels();
  auto graph = std::make_unique<ir::Graph>();
  graph->name = "net";
  const Shape shape({2, 3, kSize, kSize});
  const ir::ValueId first = graph->AddInput("first", {DType::kFloat32, shape, {}, Layout::kPlain});
  const ir::ValueId image = graph->AddInput("image", {DType::kFloat32, shape, {}, Layout::kPlain});
  const ir::ValueId zero = graph->AddConstant("zero", Tensor::Scalar(0.0f));
  const auto made = [&](ir::OpKind op, const char* name, std::vector<ir::ValueId> inputs) {
    return graph->node(graph->AddNode(op, name, std::move(inputs))).outputs[0];
  };
  const ir::ValueId nothing = made(ir::OpKind::kMul, "nothing", {first, zero});
  graph->MarkOutput(made(ir::OpKind::kAdd, "sum", {made(ir::OpKind::kRelu, "relu", {image}), nothing}));
  CompileOptions options;
  options.aipp = [&](const ir::Graph&) -> absl::StatusOr<std::vector<passes::AippInput>> { return std::vector<passes::AippInput>{{1, stage}}; };
  const auto program = Compile(std::move(graph), options);
  EXPECT_TRUE(program.ok()) << program.status();
  const std::string path = ::testing::TempDir() + "/aipp_acl.om";
  if (program.ok()) {
    EXPECT_EQ(runtime::WriteOm(*program, path), absl::OkStatus());
  }
  return path;
}

aipp::Stage Dynamic() {
  aipp::Stage stage;
  stage.dynamic = true;
  stage.batch = 2, stage.channels = 3, stage.height = kSize, stage.width = kSize;
  stage.max_src_image_size = 2 * 32 * 16 * 4;
  return stage;
}

aipp::Stage Static() {
  aipp::Stage stage = Dynamic();
  stage.dynamic = false;
  stage.max_src_image_size = 0;
  aipp::Spec& s = stage.spec;
  s.format = aipp::Format::kYuv420sp;
  s.src_w = 32, s.src_h = 16;
  s.crop = 1, s.crop_x = 2, s.crop_y = 4, s.crop_w = 6, s.crop_h = 8;
  s.padding = 1, s.pad_left = 2, s.padding_value = 0.5f;
  s.csc = 1;
  for (int i = 0; i < 9; ++i) s.matrix[i] = 10 * i - 40;
  s.in_bias[1] = 128;
  for (int c = 0; c < 4; ++c) s.mean[c] = static_cast<float>(c), s.min[c] = 0.5f, s.var_reci[c] = 0.25f;
  return stage;
}

class AippAcl : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  }
  void TearDown() override {
    for (void* p : memory_) aclrtFree(p);
    for (aclDataBuffer* b : buffers_) aclDestroyDataBuffer(b);
    aclrtResetDevice(0);
    aclFinalize();
  }
  uint32_t Load(const aipp::Stage& stage) {
    const std::string path = WriteModel(stage);
    uint32_t id = 0;
    EXPECT_EQ(aclmdlLoadFromFile(path.c_str(), &id), ACL_SUCCESS) << aclGetRecentErrMsg();
    std::remove(path.c_str());
    return id;
  }
  void* AddBuffer(aclmdlDataset* dataset, size_t size) {
    void* p = nullptr;
    EXPECT_EQ(aclrtMalloc(&p, size, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
    std::memset(p, 0, size);
    memory_.push_back(p);
    buffers_.push_back(aclCreateDataBuffer(p, size));
    EXPECT_EQ(aclmdlAddDatasetBuffer(dataset, buffers_.back()), ACL_SUCCESS);
    return p;
  }
  std::vector<void*> memory_;
  std::vector<aclDataBuffer*> buffers_;
};

TEST_F(AippAcl, AStaticModelTellsWhatItDoes) {
  const uint32_t id = Load(Static());
  aclmdlDesc* desc = aclmdlCreateDesc();
  ASSERT_EQ(aclmdlGetDesc(desc, id), ACL_SUCCESS);
  EXPECT_EQ(aclmdlGetNumInputs(desc), 2u);
  EXPECT_EQ(aclmdlGetInputSizeByIndex(desc, 1), 2u * 32 * 16 * 3 / 2);
  EXPECT_EQ(aclmdlGetInputDataType(desc, 1), ACL_UINT8);
  EXPECT_EQ(aclmdlGetInputFormat(desc, 1), ACL_FORMAT_NHWC);
  aclmdlIODims dims;
  ASSERT_EQ(aclmdlGetInputDims(desc, 1, &dims), ACL_SUCCESS);
  EXPECT_EQ(std::vector<int64_t>(dims.dims, dims.dims + dims.dimCount), (std::vector<int64_t>{2, 16, 32, 3}));
  ASSERT_EQ(aclmdlGetInputDimsV2(desc, 1, &dims), ACL_SUCCESS);
  EXPECT_EQ(std::vector<int64_t>(dims.dims, dims.dims + dims.dimCount), (std::vector<int64_t>{2, 24, 32, 1}));
  ASSERT_EQ(aclmdlGetInputDims(desc, 0, &dims), ACL_SUCCESS);
  EXPECT_EQ(dims.dims[1], 3);

  aclmdlInputAippType type;
  size_t attached = 0;
  EXPECT_EQ(aclmdlGetAippType(id, 0, &type, &attached), ACL_SUCCESS);
  EXPECT_EQ(type, ACL_DATA_WITHOUT_AIPP);
  EXPECT_EQ(aclmdlGetAippType(id, 1, &type, &attached), ACL_SUCCESS);
  EXPECT_EQ(type, ACL_DATA_WITH_STATIC_AIPP);
  EXPECT_EQ(attached, 0xFFFFFFFFu);

  auto info = std::make_unique<aclAippInfo>();
  EXPECT_EQ(aclmdlGetFirstAippInfo(id, 0, info.get()), static_cast<aclError>(ACL_ERROR_GE_AIPP_NOT_EXIST));
  ASSERT_EQ(aclmdlGetFirstAippInfo(id, 1, info.get()), ACL_SUCCESS);
  EXPECT_EQ(info->inputFormat, ACL_YUV420SP_U8);
  EXPECT_EQ(info->srcImageSizeW, 32);
  EXPECT_EQ(info->cropSwitch, 1);
  EXPECT_EQ(info->loadStartPosH, 4);
  EXPECT_EQ(info->resizeSwitch, 0);
  EXPECT_EQ(info->leftPaddingSize, 2);
  EXPECT_EQ(info->cscSwitch, 1);
  EXPECT_EQ(info->matrixR0C0, -40);
  EXPECT_EQ(info->matrixR2C2, 40);
  EXPECT_EQ(info->inputBias1, 128);
  EXPECT_EQ(info->meanChn3, 3);
  EXPECT_EQ(info->minChn0, 0.5f);
  EXPECT_EQ(info->varReciChn3, 0.25f);
  EXPECT_EQ(info->srcFormat, ACL_FORMAT_NCHW);
  EXPECT_EQ(info->shapeCount, 1u);
  EXPECT_EQ(info->outDims[0].srcDims.dims[2], 32);
  EXPECT_EQ(info->outDims[0].srcSize, 2u * 32 * 16 * 3 / 2);
  EXPECT_EQ(info->outDims[0].aippOutdims.dims[1], 3);
  aclmdlDestroyDesc(desc);
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);
  EXPECT_EQ(aclmdlGetAippType(id, 0, &type, &attached), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID));
}

TEST_F(AippAcl, DynamicParametersReachTheKernel) {
  const uint32_t id = Load(Dynamic());
  aclmdlDesc* desc = aclmdlCreateDesc();
  ASSERT_EQ(aclmdlGetDesc(desc, id), ACL_SUCCESS);
  ASSERT_EQ(aclmdlGetNumInputs(desc), 3u);
  size_t index = 0, attached = 0, bytes = 0;
  ASSERT_EQ(aclmdlGetInputIndexByName(desc, ACL_DYNAMIC_AIPP_NAME, &index), ACL_SUCCESS);
  EXPECT_EQ(index, 2u);
  ASSERT_EQ(aclmdlGetAippDataSize(2, &bytes), ACL_SUCCESS);
  EXPECT_EQ(bytes, aclmdlGetInputSizeByIndex(desc, 2));
  EXPECT_EQ(bytes, 64u + 2 * 96);
  aclmdlIODims dims;
  ASSERT_EQ(aclmdlGetInputDims(desc, 1, &dims), ACL_SUCCESS);
  EXPECT_EQ(std::vector<int64_t>(dims.dims, dims.dims + dims.dimCount), (std::vector<int64_t>{2, kSize, kSize, 3}));
  aclmdlInputAippType type;
  ASSERT_EQ(aclmdlGetAippType(id, 1, &type, &attached), ACL_SUCCESS);
  EXPECT_EQ(type, ACL_DATA_WITH_DYNAMIC_AIPP);
  EXPECT_EQ(attached, 2u);
  ASSERT_EQ(aclmdlGetAippType(id, 2, &type, &attached), ACL_SUCCESS);
  EXPECT_EQ(type, ACL_DYNAMIC_AIPP_NODE);
  EXPECT_EQ(attached, 1u);
  aclAippInfo* info = new aclAippInfo;
  EXPECT_EQ(aclmdlGetFirstAippInfo(id, 1, info), ACL_ERROR_NOT_STATIC_AIPP);
  delete info;

  aclmdlDataset* in = aclmdlCreateDataset();
  aclmdlDataset* out = aclmdlCreateDataset();
  AddBuffer(in, aclmdlGetInputSizeByIndex(desc, 0));
  auto* pixels = static_cast<uint8_t*>(AddBuffer(in, aclmdlGetInputSizeByIndex(desc, 1)));
  AddBuffer(in, bytes);
  auto* result = static_cast<float*>(AddBuffer(out, aclmdlGetOutputSizeByIndex(desc, 0)));
  for (size_t i = 0; i < 2 * 20 * 10 * 3; ++i) pixels[i] = static_cast<uint8_t>(i * 7);
  EXPECT_NE(aclmdlExecute(id, in, out), ACL_SUCCESS) << "parameters were not set";

  aclmdlAIPP* aipp = aclmdlCreateAIPP(2);
  ASSERT_NE(aipp, nullptr);
  EXPECT_EQ(aclmdlSetAIPPInputFormat(aipp, ACL_RGB888_U8), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPSrcImageSize(aipp, 20, 10), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPRbuvSwapSwitch(aipp, 1), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPAxSwapSwitch(aipp, 0), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPCropParams(aipp, 1, 3, 1, kSize, kSize, 0), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPCropParams(aipp, 1, 5, 2, kSize - 1, kSize, 1), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPPaddingParams(aipp, 1, 0, 0, 1, 0, 1), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPDtcPixelMean(aipp, 10, 20, 30, 0, 0), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPDtcPixelMin(aipp, 0.5f, 0.5f, 0.5f, 0, 1), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPPixelVarReci(aipp, 0.5f, 0.25f, 2, 1, 1), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetAIPPScfParams(aipp, 0, 0, 0, 0, 0, 0), ACL_SUCCESS);
  // Once by the index of the parameters, once by that of the image.
  for (const bool by_image : {false, true}) {
    EXPECT_EQ(by_image ? aclmdlSetAIPPByInputIndex(id, in, 1, aipp) : aclmdlSetInputAIPP(id, in, 2, aipp), ACL_SUCCESS) << aclGetRecentErrMsg();
    ASSERT_EQ(aclmdlExecute(id, in, out), ACL_SUCCESS) << aclGetRecentErrMsg();
    const float mean[3] = {10, 20, 30}, factor[3] = {0.5f, 0.25f, 2};
    for (int n = 0; n < 2; ++n) {
      for (int c = 0; c < 3; ++c) {
        for (int y = 0; y < kSize; ++y) {
          for (int x = 0; x < kSize; ++x) {
            const int sx = n == 0 ? 3 + x : 4 + x, sy = n == 0 ? 1 + y : 2 + y;
            const float pixel = pixels[n * 600 + (sy * 20 + sx) * 3 + 2 - c];
            const float value = n == 0 ? pixel - mean[c] : x == 0 ? 0 : (pixel - 0.5f) * factor[c];
            ASSERT_EQ(result[((n * 3 + c) * kSize + y) * kSize + x], std::max(0.0f, value)) << n << " " << c << " " << y << " " << x;
          }
        }
      }
    }
  }
  aclmdlDestroyAIPP(aipp);
  aclmdlDestroyDataset(in);
  aclmdlDestroyDataset(out);
  aclmdlDestroyDesc(desc);
  aclmdlUnload(id);
}

TEST_F(AippAcl, BadParametersAreRefused) {
  const uint32_t id = Load(Dynamic());
  aclmdlDataset* in = aclmdlCreateDataset();
  AddBuffer(in, 2 * 3 * kSize * kSize * 4);
  AddBuffer(in, 2 * 32 * 16 * 4);
  AddBuffer(in, 64 + 2 * 96);
  EXPECT_EQ(aclmdlCreateAIPP(0), nullptr);
  EXPECT_EQ(aclmdlCreateAIPP(1000), nullptr);
  size_t size = 0;
  EXPECT_EQ(aclmdlGetAippDataSize(0, &size), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlGetAippDataSize(1, nullptr), ACL_ERROR_INVALID_PARAM);
  aclmdlAIPP* const none = nullptr;
  EXPECT_EQ(aclmdlDestroyAIPP(none), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetAIPPInputFormat(none, ACL_RGB888_U8), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetAIPPCropParams(none, 0, 0, 0, 0, 0, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetInputAIPP(id, in, 2, none), ACL_ERROR_INVALID_PARAM);

  aclmdlAIPP* aipp = aclmdlCreateAIPP(2);
  EXPECT_EQ(aclmdlSetAIPPInputFormat(aipp, ACL_RAW10), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetAIPPRbuvSwapSwitch(aipp, 2), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetAIPPCropParams(aipp, 1, 0, 0, 1, 1, 2), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetAIPPScfParams(aipp, 1, 8, 8, 8, 8, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_NE(std::string(aclGetRecentErrMsg()).find("Not support scf!"), std::string::npos);
  // Each row spoils good parameters in one way; the words are in the message.
  const struct {
    const char* words;
    std::function<void(aclmdlAIPP*)> spoil;
  } kRows[] = {
      {"have not been set", [](aclmdlAIPP*) {}},
      {"src_image_size_w is 0", [](aclmdlAIPP* a) { aclmdlSetAIPPSrcImageSize(a, 0, 8); }},
      {"src_image_size_w is 31", [](aclmdlAIPP* a) { aclmdlSetAIPPSrcImageSize(a, 31, 16); }},
      {"load_start_pos_w is 3", [](aclmdlAIPP* a) { aclmdlSetAIPPCropParams(a, 1, 3, 0, kSize, kSize, 1); }},
      {"more than src_image_size_w", [](aclmdlAIPP* a) { aclmdlSetAIPPCropParams(a, 1, 26, 0, kSize, kSize, 1); }},
      {"AIPP makes images of 6x8", [](aclmdlAIPP* a) { aclmdlSetAIPPCropParams(a, 1, 0, 0, 6, 8, 1); }},
      {"no colours",
       [](aclmdlAIPP* a) {
         aclmdlSetAIPPInputFormat(a, ACL_YUV400_U8);
         aclmdlSetAIPPCscParams(a, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
       }},
      {"max_src_image_size is 4096", [](aclmdlAIPP* a) { aclmdlSetAIPPSrcImageSize(a, 64, 64); }},
      {"top_padding_size is 40", [](aclmdlAIPP* a) { aclmdlSetAIPPPaddingParams(a, 1, 40, 0, 0, 0, 0); }},
      {"mean_chn_0 is -5", [](aclmdlAIPP* a) { aclmdlSetAIPPDtcPixelMean(a, -5, 0, 0, 0, 0); }},
      {"var_reci_chn_1", [](aclmdlAIPP* a) { aclmdlSetAIPPPixelVarReci(a, 1, NAN, 1, 1, 0); }},
  };
  for (const auto& row : kRows) {
    aclmdlDestroyAIPP(aipp);
    aipp = aclmdlCreateAIPP(2);
    if (&row != &kRows[0]) {
      aclmdlSetAIPPInputFormat(aipp, ACL_YUV420SP_U8);
      aclmdlSetAIPPSrcImageSize(aipp, 32, 16);
      for (uint64_t n = 0; n < 2; ++n) aclmdlSetAIPPCropParams(aipp, 1, 0, 0, kSize, kSize, n);
      ASSERT_EQ(aclmdlSetInputAIPP(id, in, 2, aipp), ACL_SUCCESS) << aclGetRecentErrMsg();
      row.spoil(aipp);
    }
    EXPECT_EQ(aclmdlSetInputAIPP(id, in, 2, aipp), ACL_ERROR_INVALID_PARAM) << row.words;
    const char* message = aclGetRecentErrMsg();
    EXPECT_NE(std::string(message == nullptr ? "" : message).find(row.words), std::string::npos) << row.words << ": " << message;
  }
  // The image's index is not the parameters'.
  EXPECT_EQ(aclmdlSetInputAIPP(id, in, 1, aipp), static_cast<aclError>(ACL_ERROR_GE_AIPP_NOT_EXIST));
  EXPECT_EQ(aclmdlSetAIPPByInputIndex(id, in, 0, aipp), static_cast<aclError>(ACL_ERROR_GE_AIPP_NOT_EXIST));
  EXPECT_EQ(aclmdlSetInputAIPP(id, in, 9, aipp), ACL_ERROR_INVALID_PARAM);
  aclmdlAIPP* one = aclmdlCreateAIPP(1);
  aclmdlSetAIPPInputFormat(one, ACL_RGB888_U8);
  aclmdlSetAIPPSrcImageSize(one, kSize, kSize);
  EXPECT_EQ(aclmdlSetInputAIPP(id, in, 2, one), ACL_ERROR_INVALID_PARAM) << "parameters for one image, a model for two";
  EXPECT_EQ(aclmdlDestroyAIPP(one), ACL_SUCCESS);
  EXPECT_EQ(aclmdlDestroyAIPP(one), ACL_ERROR_INVALID_PARAM);
  aclmdlDestroyAIPP(aipp);
  aclmdlDestroyDataset(in);
  aclmdlUnload(id);
}

}  // namespace
}  // namespace omkit
