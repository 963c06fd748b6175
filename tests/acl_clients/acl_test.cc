// The C API from a client's view: life cycle, memory, models and their descriptions, messages.
#include "acl/acl.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "acl/ops/acl_dvpp.h"
#include "gtest/gtest.h"
#include "runtime/acl/kernels_hook.h"
#include "runtime/om_file.h"
#include "tests/acl_clients/fixture.h"
#include "tests/acl_clients/tiny_model.h"

namespace omkit {
namespace {

const bool kHook = acl::SetKernelRegistration(&RegisterTinyKernels);

TEST(AclLifeTest, InitAndFinalizeCount) {
  EXPECT_EQ(aclFinalize(), ACL_ERROR_REPEAT_FINALIZE);
  EXPECT_EQ(aclInit(nullptr), ACL_SUCCESS);
  EXPECT_EQ(aclInit(nullptr), ACL_ERROR_REPEAT_INITIALIZE);
  uint64_t left = 99;
  EXPECT_EQ(aclFinalizeReference(&left), ACL_SUCCESS);
  EXPECT_EQ(left, 1u);
  EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  EXPECT_EQ(aclFinalizeReference(&left), ACL_SUCCESS);
  EXPECT_EQ(left, 0u);
  EXPECT_EQ(aclrtSetDevice(0), ACL_ERROR_UNINITIALIZE);
  EXPECT_EQ(aclFinalizeReference(&left), ACL_ERROR_REPEAT_FINALIZE);
}

TEST(AclLifeTest, ConfigurationFiles) {
  struct Case {
    const char* text;
    aclError code;
  };
  std::string deep = "{\"StackSize\":";
  for (int i = 0; i < 10; ++i) deep += "[";
  for (int i = 0; i < 10; ++i) deep += "]";
  deep += "}";
  const Case cases[] = {
      {"{}", ACL_SUCCESS},
      {"", ACL_SUCCESS},
      {"{\"StackSize\": {\"a\": [[1]]}, \"max_opqueue_num\": \"10000\"}", ACL_SUCCESS},
      {"{\"something\": 1}", ACL_SUCCESS},
      {"{\"dump\": {\"dump_list\": []}, \"profiler\": {\"switch\": \"off\"}}", ACL_SUCCESS},
      {"{", ACL_ERROR_PARSE_FILE},
      {"[]", ACL_ERROR_PARSE_FILE},
      {"\x01\xff", ACL_ERROR_PARSE_FILE},
      {deep.c_str(), ACL_ERROR_PARSE_FILE},
      {"{\"dump\": {\"dump_list\": [{\"model_name\": \"a\"}]}}", ACL_ERROR_INVALID_DUMP_CONFIG},  // no path
      {"{\"dump\": {\"dump_list\": [{}], \"dump_op_switch\": \"off\"}}", ACL_SUCCESS},
      {"{\"dump\": {\"dump_lst\": []}}", ACL_ERROR_INVALID_DUMP_CONFIG},
      {"{\"dump\": {\"dump_mode\": \"both\"}}", ACL_ERROR_INVALID_DUMP_CONFIG},
      {"{\"dump\": {\"dump_list\": [{\"layer\": []}], \"dump_path\": \"/tmp\"}}", ACL_ERROR_INVALID_DUMP_CONFIG},
      {"{\"dump\": {\"dump_op_switch\": \"on\", \"dump_path\": \"/proc/none\"}}", ACL_ERROR_INVALID_DUMP_CONFIG},
      {"{\"profiler\": {\"switch\": \"on\", \"output\": \"/nonexistent\"}}", ACL_ERROR_INVALID_PROFILING_CONFIG},
      {"{\"profiler\": {\"switch\": \"on\", \"task_tim\": \"on\"}}", ACL_ERROR_INVALID_PROFILING_CONFIG},
      {"{\"profiler\": {\"storage_limit\": \"3MB\"}}", ACL_ERROR_INVALID_PROFILING_CONFIG},
      {"{\"profiler\": {\"switch\": \"off\", \"aic_metrics\": \"PipeUtilization\", \"storage_limit\": \"300MB\"}}", ACL_SUCCESS},
      {"{\"err_msg_mode\": \"2\"}", ACL_ERROR_INVALID_PARAM},
      {"{\"defaultDevice\": {\"default_device\": \"7\"}}", ACL_ERROR_RT_INVALID_DEVICEID},
  };
  const std::string path = TempPath("acl.json");
  for (const Case& c : cases) {
    WriteFile(path, c.text);
    EXPECT_EQ(aclInit(path.c_str()), c.code) << c.text << Message();
    if (c.code == ACL_SUCCESS) {
      EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
    }
  }
  EXPECT_EQ(aclInit((path + ".missing").c_str()), ACL_ERROR_INVALID_FILE);
  EXPECT_NE(Message().find("acl.json.missing"), std::string::npos);
}

TEST(AclLifeTest, DefaultDeviceGivesEveryThreadAContext) {
  const std::string path = TempPath("default.json");
  WriteFile(path, "{\"defaultDevice\": {\"default_device\": \"0\"}}");
  ASSERT_EQ(aclInit(path.c_str()), ACL_SUCCESS);
  std::thread([] {
    int32_t device = -1;
    EXPECT_EQ(aclrtGetDevice(&device), ACL_SUCCESS);
    EXPECT_EQ(device, 0);
  }).join();
  EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
}

TEST(AclLifeTest, MessagesOfTheWholeProcess) {
  const std::string path = TempPath("messages.json");
  WriteFile(path, "{\"err_msg_mode\": \"1\"}");
  ASSERT_EQ(aclInit(path.c_str()), ACL_SUCCESS);
  aclGetRecentErrMsg();
  std::thread([] { EXPECT_EQ(aclrtSetDevice(5), ACL_ERROR_RT_INVALID_DEVICEID); }).join();
  EXPECT_NE(Message().find("device 5"), std::string::npos);
  EXPECT_EQ(aclGetRecentErrMsg(), nullptr);
  EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
}

TEST_F(AclTest, MessageTellsCodeFunctionCauseAndRemedyOnce) {
  aclGetRecentErrMsg();
  EXPECT_EQ(aclmdlUnload(4711), ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);
  const std::string message = Message();
  EXPECT_NE(message.find("E145003 GE_EXEC_MODEL_ID_INVALID"), std::string::npos) << message;
  EXPECT_NE(message.find("aclmdlUnload: no model with id 4711"), std::string::npos) << message;
  EXPECT_NE(message.find("What to do: "), std::string::npos) << message;
  EXPECT_EQ(aclGetRecentErrMsg(), nullptr);
  std::thread([] { EXPECT_EQ(aclGetRecentErrMsg(), nullptr); }).join();
}

TEST_F(AclTest, DevicesAndContexts) {
  uint32_t count = 0;
  int32_t device = -1, major = 0, minor = 0, patch = 0;
  aclrtRunMode mode = ACL_DEVICE;
  EXPECT_EQ(aclrtGetDeviceCount(&count), ACL_SUCCESS);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(aclrtSetDevice(1), ACL_ERROR_RT_INVALID_DEVICEID);
  EXPECT_EQ(aclrtSetDevice(-1), ACL_ERROR_RT_INVALID_DEVICEID);
  EXPECT_EQ(aclrtGetDevice(&device), ACL_SUCCESS);
  EXPECT_EQ(device, 0);
  EXPECT_EQ(aclrtGetRunMode(&mode), ACL_SUCCESS);
  EXPECT_EQ(mode, ACL_HOST);
  setenv("OMKIT_RUN_MODE", "device", 1);
  EXPECT_EQ(aclrtGetRunMode(&mode), ACL_SUCCESS);
  EXPECT_EQ(mode, ACL_DEVICE);
  setenv("OMKIT_RUN_MODE", "nonsense", 1);
  EXPECT_EQ(aclrtGetRunMode(&mode), ACL_ERROR_INVALID_PARAM);
  unsetenv("OMKIT_RUN_MODE");
  EXPECT_EQ(aclrtGetVersion(&major, &minor, &patch), ACL_SUCCESS);
  EXPECT_EQ(major, 1);
  EXPECT_NE(aclrtGetSocName(), nullptr);

  aclrtContext first = nullptr, second = nullptr, current = nullptr;
  EXPECT_EQ(aclrtGetCurrentContext(&first), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyContext(first), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtCreateContext(&second, 0), ACL_SUCCESS);
  EXPECT_EQ(aclrtGetCurrentContext(&current), ACL_SUCCESS);
  EXPECT_EQ(current, second);
  aclrtStream stream = nullptr;
  EXPECT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSetCurrentContext(first), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_ERROR_RT_STREAM_CONTEXT);
  EXPECT_EQ(aclrtDestroyContext(second), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_EQ(aclrtSetCurrentContext(second), ACL_ERROR_RT_INVALID_HANDLE);
  std::thread([] {
    void* p = nullptr;
    EXPECT_EQ(aclrtMalloc(&p, 64, ACL_MEM_MALLOC_HUGE_FIRST), ACL_ERROR_RT_CONTEXT_NULL);
  }).join();
}

TEST_F(AclTest, ResetCountsSets) {
  EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  EXPECT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
  int32_t device = -1;
  EXPECT_EQ(aclrtGetDevice(&device), ACL_SUCCESS);
  EXPECT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
  EXPECT_EQ(aclrtGetDevice(&device), ACL_ERROR_RT_CONTEXT_NULL);
  EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
}

TEST_F(AclTest, MemoryIsAlignedBoundedAndDead) {
  void* p = nullptr;
  EXPECT_EQ(aclrtMalloc(&p, 0, ACL_MEM_MALLOC_HUGE_FIRST), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMalloc(&p, 100, static_cast<aclrtMemMallocPolicy>(9)), ACL_ERROR_RT_INVALID_MALLOC_TYPE);
  EXPECT_EQ(aclrtMalloc(&p, SIZE_MAX, ACL_MEM_MALLOC_HUGE_FIRST), ACL_ERROR_RT_MEMORY_ALLOCATION);
  ASSERT_EQ(aclrtMalloc(&p, 100, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
  std::memset(p, 1, 132);
  std::vector<char> host(200, 'h');
  EXPECT_EQ(aclrtMemcpy(p, 100, host.data(), 101, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy(p, 200, host.data(), 101, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy(p, 100, host.data(), 100, static_cast<aclrtMemcpyKind>(8)), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtMemcpy(nullptr, 100, host.data(), 100, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy(nullptr, 0, nullptr, 0, ACL_MEMCPY_HOST_TO_DEVICE), ACL_SUCCESS);
  EXPECT_EQ(aclrtMemcpy(p, 100, host.data(), 100, ACL_MEMCPY_HOST_TO_DEVICE), ACL_SUCCESS);
  EXPECT_EQ(static_cast<char*>(p)[99], 'h');
  EXPECT_EQ(aclrtMemset(p, 100, 0x1ff, 100), ACL_SUCCESS);
  EXPECT_EQ(static_cast<uint8_t*>(p)[0], 0xff);
  EXPECT_EQ(aclrtMemset(static_cast<char*>(p) + 50, 100, 0, 51), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtFree(static_cast<char*>(p) + 1), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtFreeHost(p), ACL_ERROR_RT_INVALID_MEMORY_TYPE);
  EXPECT_EQ(aclrtFree(host.data()), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtFree(p), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(p), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy(host.data(), 200, p, 1, ACL_MEMCPY_DEVICE_TO_HOST), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_NE(Message().find("freed"), std::string::npos);

  ASSERT_EQ(aclrtMallocHost(&p, 10), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(p), ACL_ERROR_RT_INVALID_MEMORY_TYPE);
  EXPECT_EQ(aclrtFreeHost(p), ACL_SUCCESS);
  ASSERT_EQ(acldvppMalloc(&p, 10), ACL_SUCCESS);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 128, 0u);
  EXPECT_EQ(acldvppFree(p), ACL_SUCCESS);
  size_t free = 0, total = 0;
  EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), ACL_SUCCESS);
  EXPECT_GT(total, free);
  EXPECT_GT(free, 0u);
}

TEST_F(AclTest, ManyAllocationsNeverOverlap) {
  std::vector<std::pair<uintptr_t, size_t>> live;
  unsigned seed = 1;
  for (int round = 0; round < 2000; ++round) {
    seed = seed * 1664525u + 1013904223u;
    if (live.size() > 50 || (seed >> 31 && !live.empty())) {
      const size_t i = (seed >> 8) % live.size();
      ASSERT_EQ(aclrtFree(reinterpret_cast<void*>(live[i].first)), ACL_SUCCESS);
      live.erase(live.begin() + i);
      continue;
    }
    const size_t size = 1 + (seed >> 4) % 20000;
    void* p = nullptr;
    ASSERT_EQ(aclrtMalloc(&p, size, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
    const uintptr_t a = reinterpret_cast<uintptr_t>(p);
    for (const auto& other : live) ASSERT_TRUE(a + size <= other.first || other.first + other.second <= a);
    live.push_back({a, size});
  }
  for (const auto& one : live) ASSERT_EQ(aclrtFree(reinterpret_cast<void*>(one.first)), ACL_SUCCESS);
}
TEST_F(AclTest, ModelDescription) {
  aclmdlDesc* desc = aclmdlCreateDesc();
  EXPECT_EQ(aclmdlGetNumInputs(desc), 0u);
  EXPECT_NE(Message().find("aclmdlGetDesc"), std::string::npos);
  ASSERT_EQ(aclmdlGetDesc(desc, model_), ACL_SUCCESS);
  EXPECT_EQ(aclmdlGetNumInputs(desc), 1u);
  EXPECT_EQ(aclmdlGetNumOutputs(desc), 1u);
  EXPECT_EQ(aclmdlGetInputSizeByIndex(desc, 0), static_cast<size_t>(kTinyBytes));
  EXPECT_EQ(aclmdlGetInputSizeByIndex(desc, 1), 0u);
  EXPECT_EQ(aclmdlGetOutputSizeByIndex(desc, 0), static_cast<size_t>(kTinyBytes));
  EXPECT_STREQ(aclmdlGetInputNameByIndex(desc, 0), "x");
  EXPECT_STREQ(aclmdlGetOutputNameByIndex(desc, 0), "scale:0:y");
  EXPECT_EQ(aclmdlGetInputFormat(desc, 0), ACL_FORMAT_NCHW);
  EXPECT_EQ(aclmdlGetOutputDataType(desc, 0), ACL_FLOAT);
  EXPECT_EQ(aclmdlGetOutputDataType(desc, 9), ACL_DT_UNDEFINED);
  aclmdlIODims dims;
  for (const auto get : {aclmdlGetInputDims, aclmdlGetInputDimsV2, aclmdlGetOutputDims, aclmdlGetCurOutputDims}) {
    ASSERT_EQ(get(desc, 0, &dims), ACL_SUCCESS);
    EXPECT_EQ(dims.dimCount, 4u);
    EXPECT_EQ(dims.dims[3], 4);
    EXPECT_EQ(get(desc, 1, &dims), ACL_ERROR_INVALID_PARAM);
    EXPECT_EQ(get(desc, 0, nullptr), ACL_ERROR_INVALID_PARAM);
  }
  EXPECT_STREQ(dims.name, "scale:0:y");
  size_t index = 7;
  EXPECT_EQ(aclmdlGetInputIndexByName(desc, "x", &index), ACL_SUCCESS);
  EXPECT_EQ(index, 0u);
  EXPECT_EQ(aclmdlGetInputIndexByName(desc, ACL_DYNAMIC_TENSOR_NAME, &index), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlGetOutputIndexByName(desc, "scale:0:z", &index), ACL_ERROR_INVALID_PARAM);
  EXPECT_NE(Message().find("did you mean 'scale:0:y'"), std::string::npos);
  aclmdlBatch batch;
  aclmdlHW hw;
  EXPECT_EQ(aclmdlGetDynamicBatch(desc, &batch), ACL_SUCCESS);
  EXPECT_EQ(batch.batchCount, 0u);
  EXPECT_EQ(aclmdlGetDynamicHW(desc, static_cast<size_t>(-1), &hw), ACL_SUCCESS);
  EXPECT_EQ(hw.hwCount, 0u);
  EXPECT_EQ(aclmdlGetInputDynamicGearCount(desc, static_cast<size_t>(-1), &index), ACL_SUCCESS);
  EXPECT_EQ(index, 0u);
  EXPECT_EQ(aclmdlGetInputDynamicDims(desc, static_cast<size_t>(-1), &dims, 1), ACL_ERROR_MODEL_NOT_DYNAMIC);
  aclmdlIODimsRange range;
  EXPECT_EQ(aclmdlGetInputDimsRange(desc, 0, &range), ACL_SUCCESS);
  EXPECT_EQ(range.range[1][1], 4);
  Io io;
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, io.inputs, 0, 4), ACL_ERROR_MODEL_NOT_DYNAMIC);
  EXPECT_EQ(aclmdlSetDynamicBatchSize(model_, io.inputs, 0, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlSetDynamicHWSize(model_, io.inputs, 1, 4, 4), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlDestroyDesc(desc), ACL_SUCCESS);
}

TEST_F(AclTest, LongNamesAreShortened) {
  const std::string path = TempPath("long.om");
  ASSERT_TRUE(WriteTinyModel(path, TinyProgram(true)));
  uint32_t id = 0;
  ASSERT_EQ(aclmdlLoadFromFile(path.c_str(), &id), ACL_SUCCESS);
  aclmdlDesc* desc = aclmdlCreateDesc();
  ASSERT_EQ(aclmdlGetDesc(desc, id), ACL_SUCCESS);
  aclmdlIODims dims;
  ASSERT_EQ(aclmdlGetOutputDims(desc, 0, &dims), ACL_SUCCESS);
  EXPECT_EQ(std::string(dims.name), "acl_modelId_" + std::to_string(id) + "_output_0");
  EXPECT_EQ(std::string(aclmdlGetTensorRealName(desc, dims.name)), std::string(140, 'y'));
  EXPECT_EQ(aclmdlGetTensorRealName(desc, "other"), nullptr);
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);
  EXPECT_STREQ(aclmdlGetInputNameByIndex(desc, 0), "x");
  EXPECT_EQ(aclmdlDestroyDesc(desc), ACL_SUCCESS);
}

TEST_F(AclTest, LoadFromMemoryAndWithMemory) {
  std::string bytes = *runtime::SerializeOm(TinyProgram());
  size_t work = 0, weight = 0;
  ASSERT_EQ(aclmdlQuerySizeFromMem(bytes.data(), bytes.size(), &work, &weight), ACL_SUCCESS);
  EXPECT_EQ(weight, 64u);
  ASSERT_EQ(aclmdlQuerySize(path_.c_str(), &work, &weight), ACL_SUCCESS);
  EXPECT_EQ(weight, 64u);
  uint32_t id = 0;
  ASSERT_EQ(aclmdlLoadFromMem(bytes.data(), bytes.size(), &id), ACL_SUCCESS);
  const std::string whole = bytes;
  std::fill(bytes.begin(), bytes.end(), '\0');  // the model must not look at it again
  Io io;
  EXPECT_EQ(aclmdlExecute(id, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_EQ(io.y(1), 2.5f);
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);

  void* weights = nullptr;
  ASSERT_EQ(aclrtMalloc(&weights, weight, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
  EXPECT_EQ(aclmdlLoadFromFileWithMem(path_.c_str(), &id, nullptr, 0, weights, weight - 1), static_cast<aclError>(ACL_ERROR_GE_PARAM_INVALID));
  EXPECT_EQ(aclmdlLoadFromFileWithMem(path_.c_str(), &id, nullptr, 0, weights, weight + 1), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclmdlLoadFromFileWithMem(path_.c_str(), &id, nullptr, 0, weights, weight), ACL_SUCCESS);
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);
  EXPECT_EQ(aclmdlLoadFromMemWithMem(whole.data(), whole.size(), &id, nullptr, 0, weights, weight), ACL_SUCCESS);
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(weights), ACL_SUCCESS);
}

TEST_F(AclTest, BadModels) {
  uint32_t id = 0;
  EXPECT_EQ(aclmdlLoadFromFile(TempPath("none.om").c_str(), &id), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID));
  EXPECT_NE(Message().find("none.om"), std::string::npos);
  const std::string path = TempPath("bad.om");
  WriteFile(path, "not a model, but long enough to be looked at as one, sixty-four bytes and more of text");
  EXPECT_EQ(aclmdlLoadFromFile(path.c_str(), &id), ACL_ERROR_PARSE_MODEL) << Message();
  std::string bytes = *runtime::SerializeOm(TinyProgram());
  for (size_t cut = 1; cut < bytes.size(); cut += bytes.size() / 13) {
    const aclError code = aclmdlLoadFromMem(bytes.data(), cut, &id);
    EXPECT_TRUE(code == ACL_ERROR_PARSE_MODEL || code == ACL_ERROR_DESERIALIZE_MODEL) << cut << " " << Message();
  }
  bytes[bytes.size() - 1] ^= 1;
  EXPECT_EQ(aclmdlLoadFromMem(bytes.data(), bytes.size(), &id), ACL_ERROR_DESERIALIZE_MODEL) << Message();
  EXPECT_EQ(aclmdlLoadFromMem(nullptr, 5, &id), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ADDR_INVALID));
  EXPECT_EQ(aclmdlLoadFromMem(bytes.data(), 0, &id), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID));
  EXPECT_EQ(aclmdlLoadFromFile(nullptr, &id), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlLoadFromFile(path.c_str(), nullptr), ACL_ERROR_INVALID_PARAM);

  runtime::Program other = TinyProgram();
  const std::string own = aclrtGetSocName();
  other.soc_version = own == "npu-int8-neon" ? "npu-int8-avx2" : "npu-int8-neon";
  other.isa = own == "npu-int8-neon" ? "avx2" : "neon";
  ASSERT_TRUE(WriteTinyModel(path, other));
  EXPECT_EQ(aclmdlLoadFromFile(path.c_str(), &id), ACL_ERROR_RESOURCE_NOT_MATCH) << Message();
  EXPECT_NE(Message().find(own), std::string::npos);
  runtime::Program unknown = TinyProgram();
  unknown.steps[0].kernel = "test.nothing";
  ASSERT_TRUE(WriteTinyModel(path, unknown));
  EXPECT_NE(aclmdlLoadFromFile(path.c_str(), &id), ACL_SUCCESS);
  EXPECT_NE(Message().find("test.nothing"), std::string::npos);
}

TEST_F(AclTest, TensorDescriptions) {
  const int64_t dims[] = {2, 3, 4};
  aclTensorDesc* desc = aclCreateTensorDesc(ACL_FLOAT16, 3, dims, ACL_FORMAT_ND);
  EXPECT_EQ(aclGetTensorDescType(desc), ACL_FLOAT16);
  EXPECT_EQ(aclGetTensorDescFormat(desc), ACL_FORMAT_ND);
  EXPECT_EQ(aclGetTensorDescElementCount(desc), 24u);
  EXPECT_EQ(aclGetTensorDescSize(desc), 48u);
  EXPECT_EQ(aclGetTensorDescDim(desc, 1), 3);
  EXPECT_EQ(aclGetTensorDescDim(desc, 3), -1);
  EXPECT_STREQ(aclGetTensorDescName(desc), "");
  aclSetTensorDescName(desc, "name");
  EXPECT_STREQ(aclGetTensorDescName(desc), "name");
  int64_t range[2] = {0, 0};
  EXPECT_EQ(aclGetTensorDescDimRange(desc, 2, 2, range), ACL_SUCCESS);
  EXPECT_EQ(range[1], 4);
  int64_t ranges[3][2] = {{1, 5}, {1, -1}, {4, 4}};
  EXPECT_EQ(aclSetTensorShapeRange(desc, 2, ranges), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclSetTensorShapeRange(desc, 3, ranges), ACL_SUCCESS);
  EXPECT_EQ(aclGetTensorDescDimRange(desc, 0, 2, range), ACL_SUCCESS);
  EXPECT_EQ(range[1], 5);
  EXPECT_EQ(aclSetTensorFormat(desc, ACL_FORMAT_NCHW), ACL_SUCCESS);
  EXPECT_EQ(aclSetTensorOriginFormat(desc, ACL_FORMAT_NCHW), ACL_SUCCESS);
  EXPECT_EQ(aclSetTensorOriginShape(desc, 3, dims), ACL_SUCCESS);
  EXPECT_EQ(aclSetTensorConst(desc, range, sizeof range), ACL_SUCCESS);
  EXPECT_EQ(aclSetTensorPlaceMent(desc, ACL_MEMTYPE_HOST), ACL_SUCCESS);
  EXPECT_EQ(aclGetTensorDescByIndex(desc, 0), desc);
  EXPECT_EQ(aclGetTensorDescByIndex(desc, 1), nullptr);
  EXPECT_EQ(aclSetTensorShape(desc, 0, nullptr), ACL_SUCCESS);
  EXPECT_EQ(aclGetTensorDescElementCount(desc), 1u);
  const int64_t unknown_rank[] = {-2};
  EXPECT_EQ(aclSetTensorShape(desc, 1, unknown_rank), ACL_SUCCESS);
  EXPECT_EQ(aclGetTensorDescNumDims(desc), static_cast<size_t>(ACL_UNKNOWN_RANK));
  const int64_t huge[] = {INT64_MAX, 3};
  EXPECT_EQ(aclSetTensorShape(desc, 2, huge), ACL_SUCCESS);
  EXPECT_EQ(aclGetTensorDescSize(desc), 0u);
  EXPECT_EQ(aclSetTensorShape(desc, 129, dims), ACL_ERROR_INVALID_PARAM);
  aclDestroyTensorDesc(desc);
  EXPECT_EQ(aclGetTensorDescSize(desc), 0u);
  EXPECT_EQ(aclCreateTensorDesc(ACL_FLOAT, -1, dims, ACL_FORMAT_ND), nullptr);
}

TEST(AclValueTest, Float16AndSizes) {
  EXPECT_EQ(aclFloat16ToFloat(0x3c00), 1.0f);
  EXPECT_EQ(aclFloat16ToFloat(0x0001), 5.9604645e-8f);
  EXPECT_TRUE(std::isinf(aclFloat16ToFloat(0x7c00)));
  EXPECT_EQ(aclFloatToFloat16(65504.0f), 0x7bff);
  EXPECT_EQ(aclFloatToFloat16(65520.0f), 0x7c00);
  EXPECT_EQ(aclFloatToFloat16(1.0f + 1.0f / 2048), 0x3c00);
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = aclFloat16ToFloat(static_cast<aclFloat16>(bits));
    if (!std::isnan(value)) {
      ASSERT_EQ(aclFloatToFloat16(value), bits);
    }
  }
  EXPECT_EQ(aclDataTypeSize(ACL_FLOAT), 4u);
  EXPECT_EQ(aclDataTypeSize(ACL_BF16), 2u);
  EXPECT_EQ(aclDataTypeSize(ACL_INT4), 0u);
  EXPECT_EQ(aclDataTypeSize(ACL_DT_UNDEFINED), 0u);
}

}  // namespace
}  // namespace omkit
