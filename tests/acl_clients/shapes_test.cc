// Models whose shapes are chosen at run time, from the command line of atc to a client of the C API: batch, image size and dims gears, and
// ranges of shapes. Expected values come from a direct loop over the same numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "acl/acl.h"
#include "backends/range_plans.h"
#include "backends/run_side.h"
#include "frontends/onnx/text_model_testing.h"
#include "runtime/acl/kernels_hook.h"
#include "tools/atc/atc.h"

namespace omkit {
namespace {

const bool kHook = acl::SetKernelRegistration([] {
  RegisterAllKernels();
  RegisterRangePlans();
  return absl::OkStatus();
});

using Dims = std::vector<int64_t>;

constexpr int kIn = 2, kOut = 3;
const float kWeights[kOut * kIn * 9] = {0.5f, -1, 0.25f, 2, 1,  -0.5f, 0, 1, 3, 1, 1, 1,  -1, -1, -1, 0.5f, 0.5f, 0.5f,
                                        0,    2,  0,     1, -3, 1,     0, 2, 0, 1, 0, -1, 2,  0,  -2, 1,    0,    -1.0f,
                                        0,    0,  0,     0, 4,  0,     0, 0, 0, 1, 2, 3,  0,  0,  0,  -1,   -2,   -3};

// x[N,2,H,W] -> Conv 3x3 -> + t[N,3,1,W] -> Relu -> view(N, -1) through Shape, as PyTorch exports it -> y; the image itself is output z.
std::string ModelText(bool two_inputs) {
  std::string weights;
  for (float w : kWeights) absl::StrAppend(&weights, weights.empty() ? "" : ",", w);
  const auto dim = [](const char* name) { return absl::StrCat("dim { dim_param: '", name, "' } "); };
  const std::string x = absl::StrCat(dim("N"), "dim { dim_value: 2 } ", dim("H"), dim("W"));
  const std::string t = absl::StrCat(dim("N"), "dim { dim_value: 3 } dim { dim_value: 1 } ", dim("W"));
  const auto input = [](const char* name, const std::string& shape) {
    return absl::StrCat("input { name: '", name, "' type { tensor_type { elem_type: 1 shape { ", shape, " } } } } ");
  };
  return absl::StrCat(
      "ir_version: 8 opset_import { version: 13 } graph { name: 'net' ", input("x", x), two_inputs ? input("t", t) : "",
      "output { name: 'y' } output { name: 'z' } initializer { name: 'w' data_type: 1 dims: 3 dims: 2 dims: 3 dims: 3 float_data: [", weights,
      "] } initializer { name: 'zero' data_type: 7 int64_data: [0] } initializer { name: 'minus' data_type: 7 dims: 1 int64_data: [-1] } "
      "initializer { name: 'axes' data_type: 7 dims: 1 int64_data: [0] } "
      "node { name: 'conv' op_type: 'Conv' input: 'x' input: 'w' output: 'c' attribute { name: 'pads' type: INTS ints: [1,1,1,1] } } ",
      two_inputs ? "node { name: 'add' op_type: 'Add' input: 'c' input: 't' output: 'a' } "
                 : "node { name: 'add' op_type: 'Identity' input: 'c' output: 'a' } ",
      "node { name: 'relu' op_type: 'Relu' input: 'a' output: 'z' } node { name: 'shape' op_type: 'Shape' input: 'z' output: 's' } "
      "node { name: 'first' op_type: 'Gather' input: 's' input: 'zero' output: 'n' } "
      "node { name: 'lift' op_type: 'Unsqueeze' input: 'n' input: 'axes' output: 'n1' } "
      "node { name: 'target' op_type: 'Concat' input: 'n1' input: 'minus' output: 'v' attribute { name: 'axis' type: INT i: 0 } } "
      "node { name: 'view' op_type: 'Reshape' input: 'z' input: 'v' output: 'y' } }");
}

std::vector<float> Made(int64_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(seed >> 16) / 32768.0f - 1.0f;
  }
  return values;
}

std::vector<float> Expected(const std::vector<float>& x, const std::vector<float>& t, const Dims& dims) {
  const int64_t n = dims[0], h = dims[2], w = dims[3];
  std::vector<float> z;
  for (int64_t b = 0; b < n; ++b) {
    for (int64_t o = 0; o < kOut; ++o) {
      for (int64_t i = 0; i < h; ++i) {
        for (int64_t j = 0; j < w; ++j) {
          double sum = t.empty() ? 0 : t[(b * kOut + o) * w + j];
          for (int64_t c = 0; c < kIn; ++c) {
            for (int64_t k = 0; k < 9; ++k) {
              const int64_t r = i + k / 3 - 1, s = j + k % 3 - 1;
              if (r >= 0 && r < h && s >= 0 && s < w) sum += kWeights[(o * kIn + c) * 9 + k] * x[((b * kIn + c) * h + r) * w + s];
            }
          }
          z.push_back(static_cast<float>(std::max(sum, 0.0)));
        }
      }
    }
  }
  return z;
}

// One input dataset and one output dataset with memory of their own.
class Buffers {
 public:
  void Add(aclmdlDataset* dataset, size_t bytes) {
    void* data = nullptr;
    if (bytes > 0) {
      EXPECT_EQ(aclrtMalloc(&data, bytes, ACL_MEM_MALLOC_NORMAL_ONLY), ACL_SUCCESS);
    }
    memory_.push_back(data);
    buffers_.push_back(aclCreateDataBuffer(data, bytes));
    EXPECT_EQ(aclmdlAddDatasetBuffer(dataset, buffers_.back()), ACL_SUCCESS);
  }
  ~Buffers() {
    for (aclDataBuffer* buffer : buffers_) aclDestroyDataBuffer(buffer);
    for (void* data : memory_) {
      if (data != nullptr) aclrtFree(data);
    }
    aclmdlDestroyDataset(in);
    aclmdlDestroyDataset(out);
  }
  aclmdlDataset* in = aclmdlCreateDataset();
  aclmdlDataset* out = aclmdlCreateDataset();
  aclDataBuffer* buffer(size_t i) const { return buffers_[i]; }
  float* data(size_t i) const { return static_cast<float*>(aclGetDataBufferAddr(buffers_[i])); }

 private:
  std::vector<void*> memory_;
  std::vector<aclDataBuffer*> buffers_;
};

class ShapesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  }
  void TearDown() override {
    if (desc_ != nullptr) aclmdlDestroyDesc(desc_);
    if (model_ != 0) {
      EXPECT_EQ(aclmdlUnload(model_), ACL_SUCCESS);
    }
    EXPECT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
    EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
  }

  void Load(bool two_inputs, const std::vector<std::string>& flags) {
    const std::string onnx = testing::TempDir() + "/shapes.onnx", om = testing::TempDir() + "/shapes";
    std::ofstream(onnx, std::ios::binary) << frontends::ModelBytesFromText(ModelText(two_inputs));
    std::vector<std::string> arguments = {"--framework=5", "--model=" + onnx, "--output=" + om, "--soc_version=host"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    std::ostringstream out, err;
    ASSERT_EQ(atc::RunAtc(arguments, out, err), 0) << out.str();
    ASSERT_EQ(aclmdlLoadFromFile((om + ".om").c_str(), &model_), ACL_SUCCESS) << aclGetRecentErrMsg();
    desc_ = aclmdlCreateDesc();
    ASSERT_EQ(aclmdlGetDesc(desc_, model_), ACL_SUCCESS);
  }

  // Buffers of the sizes that the description tells.
  std::unique_ptr<Buffers> MakeBuffers() {
    auto buffers = std::make_unique<Buffers>();
    for (size_t i = 0; i < aclmdlGetNumInputs(desc_); ++i) buffers->Add(buffers->in, aclmdlGetInputSizeByIndex(desc_, i));
    for (size_t i = 0; i < aclmdlGetNumOutputs(desc_); ++i) buffers->Add(buffers->out, aclmdlGetOutputSizeByIndex(desc_, i));
    return buffers;
  }

  // Fills the inputs with made numbers, executes, and compares both outputs; the first output is input `outputs` of the buffers.
  void ExpectRuns(const Buffers& buffers, const Dims& dims, uint32_t seed) {
    const size_t inputs = aclmdlGetNumInputs(desc_);
    const bool two = inputs > 1 && std::strcmp(aclmdlGetInputNameByIndex(desc_, 1), "t") == 0;
    const std::vector<float> x = Made(dims[0] * kIn * dims[2] * dims[3], seed);
    const std::vector<float> t = two ? Made(dims[0] * kOut * dims[3], seed + 1) : std::vector<float>();
    std::memcpy(buffers.data(0), x.data(), x.size() * sizeof(float));
    if (two) std::memcpy(buffers.data(1), t.data(), t.size() * sizeof(float));
    ASSERT_EQ(aclmdlExecute(model_, buffers.in, buffers.out), ACL_SUCCESS) << aclGetRecentErrMsg();
    const std::vector<float> z = Expected(x, t, dims);
    for (size_t o = 0; o < 2; ++o) {
      for (size_t i = 0; i < z.size(); ++i) {
        ASSERT_NEAR(buffers.data(inputs + o)[i], z[i], 1e-4 + 1e-4 * std::abs(z[i])) << "output " << o << ", element " << i;
      }
      aclTensorDesc* desc = aclmdlGetDatasetTensorDesc(buffers.out, o);
      ASSERT_NE(desc, nullptr);
      EXPECT_EQ(aclGetTensorDescSize(desc), z.size() * sizeof(float));
      EXPECT_EQ(aclGetTensorDescNumDims(desc), o == 0 ? 2u : 4u);
      int64_t batch = 0;
      EXPECT_EQ(aclGetTensorDescDimV2(desc, 0, &batch), ACL_SUCCESS);
      EXPECT_EQ(batch, dims[0]);
    }
  }

  Dims InputDims(size_t i) {
    aclmdlIODims dims;
    EXPECT_EQ(aclmdlGetInputDims(desc_, i, &dims), ACL_SUCCESS);
    return Dims(dims.dims, dims.dims + dims.dimCount);
  }
  Dims CurrentDims() {
    aclmdlIODims dims;
    EXPECT_EQ(aclmdlGetCurOutputDims(desc_, 1, &dims), ACL_SUCCESS);
    return Dims(dims.dims, dims.dims + dims.dimCount);
  }
  size_t GearIndex() {
    size_t index = 0;
    EXPECT_EQ(aclmdlGetInputIndexByName(desc_, ACL_DYNAMIC_TENSOR_NAME, &index), ACL_SUCCESS);
    return index;
  }

  uint32_t model_ = 0;
  aclmdlDesc* desc_ = nullptr;
};

TEST_F(ShapesTest, BatchGears) {
  Load(true, {"--input_shape=x:-1,2,5,6;t:-1,3,1,6", "--dynamic_batch_size=1,4,2"});
  EXPECT_EQ(aclmdlGetNumInputs(desc_), 3u);
  EXPECT_EQ(GearIndex(), 2u);
  EXPECT_EQ(InputDims(0), (Dims{-1, 2, 5, 6}));
  EXPECT_EQ(InputDims(1), (Dims{-1, 3, 1, 6}));
  EXPECT_EQ(InputDims(2), (Dims{1}));
  EXPECT_EQ(aclmdlGetInputDataType(desc_, 2), ACL_INT32);
  EXPECT_EQ(aclmdlGetInputFormat(desc_, 2), ACL_FORMAT_ND);
  EXPECT_EQ(aclmdlGetInputSizeByIndex(desc_, 0), 4u * 2 * 5 * 6 * 4);
  EXPECT_EQ(aclmdlGetInputSizeByIndex(desc_, 2), 4u);
  EXPECT_EQ(aclmdlGetOutputSizeByIndex(desc_, 1), 4u * 3 * 5 * 6 * 4);
  aclmdlIODims dims;
  ASSERT_EQ(aclmdlGetOutputDims(desc_, 1, &dims), ACL_SUCCESS);
  EXPECT_EQ(dims.dims[0], 4);
  aclmdlBatch batch;
  ASSERT_EQ(aclmdlGetDynamicBatch(desc_, &batch), ACL_SUCCESS);
  ASSERT_EQ(batch.batchCount, 3u);
  EXPECT_EQ(batch.batch[0], 1u);
  EXPECT_EQ(batch.batch[1], 4u);
  EXPECT_EQ(batch.batch[2], 2u);
  aclmdlHW hw;
  ASSERT_EQ(aclmdlGetDynamicHW(desc_, static_cast<size_t>(-1), &hw), ACL_SUCCESS);
  EXPECT_EQ(hw.hwCount, 0u);
  size_t gears = 9;
  ASSERT_EQ(aclmdlGetInputDynamicGearCount(desc_, static_cast<size_t>(-1), &gears), ACL_SUCCESS);
  EXPECT_EQ(gears, 0u);

  const auto buffers = MakeBuffers();
  EXPECT_EQ(CurrentDims(), (Dims{4, 3, 5, 6}));
  ExpectRuns(*buffers, {4, 2, 5, 6}, 1);  // nothing set
  for (const int64_t n : {1, 2, 4, 1}) {
    ASSERT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 2, n), ACL_SUCCESS) << aclGetRecentErrMsg();
    uint32_t written = 0;
    std::memcpy(&written, buffers->data(2), sizeof written);
    EXPECT_EQ(written, n);
    EXPECT_EQ(CurrentDims(), (Dims{n, 3, 5, 6}));
    ExpectRuns(*buffers, {n, 2, 5, 6}, static_cast<uint32_t>(n));
  }

  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 2, 3), ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 2, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 0, 2), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 3, 2), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, nullptr, 2, 2), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetDynamicHWSize(model_, buffers->in, 2, 5, 6), ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID);
  ExpectRuns(*buffers, {1, 2, 5, 6}, 5);  // a refused setter changes nothing

  // A buffer with room for uint64 gets one.
  uint64_t wide = 77;
  void* device = nullptr;
  ASSERT_EQ(aclrtMalloc(&device, sizeof wide, ACL_MEM_MALLOC_NORMAL_ONLY), ACL_SUCCESS);
  ASSERT_EQ(aclUpdateDataBuffer(buffers->buffer(2), device, sizeof wide), ACL_SUCCESS);
  ASSERT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 2, 2), ACL_SUCCESS);
  std::memcpy(&wide, device, sizeof wide);
  EXPECT_EQ(wide, 2u);
  EXPECT_EQ(aclmdlSetDynamicHWSize(model_, buffers->in, 2, 5, 6), ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
  ASSERT_EQ(aclUpdateDataBuffer(buffers->buffer(2), device, 2), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 2, 2), ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID);
  ASSERT_EQ(aclUpdateDataBuffer(buffers->buffer(2), nullptr, 0), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 2, 2), ACL_ERROR_GE_DYNAMIC_INPUT_ADDR_INVALID);
  EXPECT_EQ(aclrtFree(device), ACL_SUCCESS);
}

TEST_F(ShapesTest, ManyThreadsWithGearsOfTheirOwn) {
  Load(false, {"--input_shape=x:-1,2,7,7", "--dynamic_batch_size=1,2,3,8"});
  aclrtContext context = nullptr;
  ASSERT_EQ(aclrtGetCurrentContext(&context), ACL_SUCCESS);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t, context] {
      ASSERT_EQ(aclrtSetCurrentContext(context), ACL_SUCCESS);
      const auto buffers = MakeBuffers();
      for (int i = 0; i < 20; ++i) {
        const int64_t n = i % 2 == 0 ? t % 3 + 1 : 8;
        ASSERT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 1, n), ACL_SUCCESS);
        ExpectRuns(*buffers, {n, 2, 7, 7}, i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ShapesTest, ImageSizeGears) {
  Load(false, {"--input_shape=x:2,2,-1,-1", "--dynamic_image_size=4,6;9,5;16,16"});
  EXPECT_EQ(InputDims(0), (Dims{2, 2, -1, -1}));
  EXPECT_EQ(InputDims(1), (Dims{2}));
  aclmdlHW hw;
  ASSERT_EQ(aclmdlGetDynamicHW(desc_, static_cast<size_t>(-1), &hw), ACL_SUCCESS);
  ASSERT_EQ(hw.hwCount, 3u);
  EXPECT_EQ(hw.hw[1][0], 9u);
  EXPECT_EQ(hw.hw[1][1], 5u);
  aclmdlBatch batch;
  ASSERT_EQ(aclmdlGetDynamicBatch(desc_, &batch), ACL_SUCCESS);
  EXPECT_EQ(batch.batchCount, 0u);
  const auto buffers = MakeBuffers();
  ExpectRuns(*buffers, {2, 2, 16, 16}, 1);
  for (const auto& [h, w] : {std::pair<int64_t, int64_t>{4, 6}, {9, 5}, {16, 16}}) {
    ASSERT_EQ(aclmdlSetDynamicHWSize(model_, buffers->in, GearIndex(), h, w), ACL_SUCCESS) << aclGetRecentErrMsg();
    EXPECT_EQ(CurrentDims(), (Dims{2, 3, h, w}));
    ExpectRuns(*buffers, {2, 2, h, w}, 2);
  }
  EXPECT_EQ(aclmdlSetDynamicHWSize(model_, buffers->in, 1, 6, 4), ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
  EXPECT_EQ(aclmdlSetDynamicHWSize(model_, buffers->in, 1, 0, 4), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 1, 2), ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
}

TEST_F(ShapesTest, DimsGears) {
  // The inputs in another order than the model's: numbers follow the command line.
  Load(true, {"--input_shape=t:1,3,1,-1;x:1,2,-1,-1", "--dynamic_dims=4,7,4;10,3,10", "--input_format=ND"});
  EXPECT_EQ(InputDims(0), (Dims{1, 2, -1, -1}));
  EXPECT_EQ(InputDims(1), (Dims{1, 3, 1, -1}));
  EXPECT_EQ(InputDims(2), (Dims{3}));
  size_t gears = 0;
  ASSERT_EQ(aclmdlGetInputDynamicGearCount(desc_, static_cast<size_t>(-1), &gears), ACL_SUCCESS);
  ASSERT_EQ(gears, 2u);
  std::vector<aclmdlIODims> dims(gears);
  ASSERT_EQ(aclmdlGetInputDynamicDims(desc_, static_cast<size_t>(-1), dims.data(), gears), ACL_SUCCESS);
  EXPECT_EQ(aclmdlGetInputDynamicDims(desc_, static_cast<size_t>(-1), dims.data(), 1), ACL_ERROR_INVALID_PARAM);
  ASSERT_EQ(dims[0].dimCount, 8u);
  EXPECT_EQ(Dims(dims[0].dims, dims[0].dims + 8), (Dims{1, 2, 7, 4, 1, 3, 1, 4}));
  EXPECT_EQ(Dims(dims[1].dims, dims[1].dims + 8), (Dims{1, 2, 3, 10, 1, 3, 1, 10}));
  EXPECT_EQ(aclmdlGetInputSizeByIndex(desc_, 0), 2u * 10 * 3 * 4);
  const auto buffers = MakeBuffers();
  for (size_t gear = 0; gear < 2; ++gear) {
    ASSERT_EQ(aclmdlSetInputDynamicDims(model_, buffers->in, 2, &dims[gear]), ACL_SUCCESS) << aclGetRecentErrMsg();
    ExpectRuns(*buffers, {1, 2, dims[gear].dims[2], dims[gear].dims[3]}, 3);
  }
  dims[0].dims[2] = 8;
  EXPECT_EQ(aclmdlSetInputDynamicDims(model_, buffers->in, 2, &dims[0]), ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
  dims[0].dims[2] = 0;
  EXPECT_EQ(aclmdlSetInputDynamicDims(model_, buffers->in, 2, &dims[0]), ACL_ERROR_INVALID_PARAM);
  dims[0].dimCount = 0;
  EXPECT_EQ(aclmdlSetInputDynamicDims(model_, buffers->in, 2, &dims[0]), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetInputDynamicDims(model_, buffers->in, 2, nullptr), ACL_ERROR_INVALID_PARAM);
}

void Describe(aclmdlDataset* dataset, size_t index, const Dims& dims) {
  aclTensorDesc* desc = aclCreateTensorDesc(ACL_FLOAT, static_cast<int>(dims.size()), dims.data(), ACL_FORMAT_ND);
  ASSERT_EQ(aclmdlSetDatasetTensorDesc(dataset, desc, index), ACL_SUCCESS);
  aclDestroyTensorDesc(desc);
}

TEST_F(ShapesTest, RangesOfShapes) {
  Load(true, {"--input_shape=x:1~4,2,3~40,-1;t:-1,3,1,-1"});
  EXPECT_EQ(aclmdlGetNumInputs(desc_), 2u);
  EXPECT_EQ(InputDims(0), (Dims{-1, 2, -1, -1}));
  EXPECT_EQ(aclmdlGetInputSizeByIndex(desc_, 0), 0u);
  EXPECT_EQ(aclmdlGetOutputSizeByIndex(desc_, 0), 0u);
  aclmdlIODims dims;
  EXPECT_EQ(aclmdlGetCurOutputDims(desc_, 0, &dims), ACL_ERROR_API_NOT_SUPPORT);
  aclmdlIODimsRange range;
  ASSERT_EQ(aclmdlGetInputDimsRange(desc_, 0, &range), ACL_SUCCESS);
  EXPECT_EQ(range.range[0][0], 1);
  EXPECT_EQ(range.range[0][1], 4);
  EXPECT_EQ(range.range[1][1], 2);
  EXPECT_EQ(range.range[3][1], -1);

  Buffers buffers;
  buffers.Add(buffers.in, 1 << 16);
  buffers.Add(buffers.in, 1 << 14);
  buffers.Add(buffers.out, 1 << 16);
  buffers.Add(buffers.out, 1 << 16);
  EXPECT_EQ(aclmdlExecute(model_, buffers.in, buffers.out), ACL_ERROR_GE_PARAM_INVALID);
  for (const Dims& shape : {Dims{1, 2, 5, 6}, Dims{4, 2, 40, 11}, Dims{2, 2, 3, 3}, Dims{1, 2, 5, 6}}) {
    Describe(buffers.in, 0, shape);
    Describe(buffers.in, 1, {shape[0], 3, 1, shape[3]});
    ExpectRuns(buffers, shape, 9);
  }
  // Outside the range; a shape that a node refuses; too little memory.
  Describe(buffers.in, 0, {5, 2, 5, 6});
  EXPECT_EQ(aclmdlExecute(model_, buffers.in, buffers.out), ACL_ERROR_GE_SHAPE_INVALID);
  Describe(buffers.in, 0, {1, 2, 5, 7});
  EXPECT_EQ(aclmdlExecute(model_, buffers.in, buffers.out), ACL_ERROR_GE_SHAPE_INVALID);
  EXPECT_TRUE(absl::StrContains(aclGetRecentErrMsg(), "add")) << "the message names the node";
  Describe(buffers.in, 0, {4, 2, 40, 400});
  Describe(buffers.in, 1, {4, 3, 1, 400});
  EXPECT_EQ(aclmdlExecute(model_, buffers.in, buffers.out), ACL_ERROR_GE_PARAM_INVALID);
  Describe(buffers.in, 0, {4, 2, 40, int64_t{1} << 38});
  Describe(buffers.in, 1, {4, 3, 1, int64_t{1} << 38});
  EXPECT_NE(aclmdlExecute(model_, buffers.in, buffers.out), ACL_SUCCESS);
}

TEST_F(ShapesTest, OutputsOfRangesAreAllocated) {
  Load(false, {"--input_shape_range=x:[1~2,2,-1,-1]"});
  Buffers buffers;
  buffers.Add(buffers.in, 1 << 14);
  buffers.Add(buffers.out, 0);
  buffers.Add(buffers.out, 0);
  Describe(buffers.in, 0, {2, 2, 9, 4});
  const std::vector<float> x = Made(2 * 2 * 9 * 4, 4);
  std::memcpy(buffers.data(0), x.data(), x.size() * sizeof(float));
  ASSERT_EQ(aclmdlExecute(model_, buffers.in, buffers.out), ACL_SUCCESS) << aclGetRecentErrMsg();
  const std::vector<float> z = Expected(x, {}, {2, 2, 9, 4});
  for (size_t o = 0; o < 2; ++o) {
    ASSERT_EQ(aclGetDataBufferSizeV2(buffers.buffer(1 + o)), z.size() * sizeof(float));
    for (size_t i = 0; i < z.size(); ++i) ASSERT_NEAR(buffers.data(1 + o)[i], z[i], 1e-4 + 1e-4 * std::abs(z[i]));
    EXPECT_EQ(aclrtFree(buffers.data(1 + o)), ACL_SUCCESS);
    EXPECT_EQ(aclUpdateDataBuffer(buffers.buffer(1 + o), nullptr, 0), ACL_SUCCESS);
  }
}

TEST_F(ShapesTest, FixedModelsHaveNoGears) {
  Load(false, {"--input_shape=x:1,2,4,4"});
  const auto buffers = MakeBuffers();
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, buffers->in, 0, 1), ACL_ERROR_MODEL_NOT_DYNAMIC);
  size_t index = 0;
  EXPECT_EQ(aclmdlGetInputIndexByName(desc_, ACL_DYNAMIC_TENSOR_NAME, &index), ACL_ERROR_INVALID_PARAM);
  ExpectRuns(*buffers, {1, 2, 4, 4}, 1);
}

}  // namespace
}  // namespace omkit
