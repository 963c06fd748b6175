// Loading and executing in memory of the client, configuration handles, rows of memory, aborted streams, casts.
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "acl/acl.h"
#include "gtest/gtest.h"
#include "runtime/acl/kernels_hook.h"
#include "runtime/om_file.h"
#include "tests/acl_clients/fixture.h"

namespace omkit {
namespace {

const bool kHook = acl::SetKernelRegistration(&RegisterTinyKernels);
constexpr aclError kGeParamInvalid = static_cast<aclError>(ACL_ERROR_GE_PARAM_INVALID);

// Device memory that frees itself.
struct Device {
  explicit Device(size_t size) { EXPECT_EQ(aclrtMalloc(&data, size, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS); }
  ~Device() { aclrtFree(data); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  void* data = nullptr;
};

TEST_F(AclTest, WeightsLieWhereTheClientSays) {
  size_t work = 0, weight = 0;
  ASSERT_EQ(aclmdlQuerySize(path_.c_str(), &work, &weight), ACL_SUCCESS);
  const Device weights(weight), workspace(work);
  std::memset(weights.data, 0x5A, weight);
  uint32_t first = 0, second = 0;
  ASSERT_EQ(aclmdlLoadFromFileWithMem(path_.c_str(), &first, workspace.data, work, weights.data, weight), ACL_SUCCESS) << Message();
  float bias = 0;
  std::memcpy(&bias, weights.data, sizeof bias);
  EXPECT_EQ(bias, kTinyBias);
  const std::string bytes = *runtime::SerializeOm(TinyProgram());
  ASSERT_EQ(aclmdlLoadFromMemWithMem(bytes.data(), bytes.size(), &second, workspace.data, work, weights.data, weight), ACL_SUCCESS);
  Io io;
  // The weights are really read there: another bias gives another result.
  *weights.as<float>() = 3;
  for (uint32_t id : {first, second}) {
    ASSERT_EQ(aclmdlExecute(id, io.inputs, io.outputs), ACL_SUCCESS) << Message();
    EXPECT_EQ(io.y(5), 13);
  }
  EXPECT_EQ(aclmdlUnload(first), ACL_SUCCESS);
  EXPECT_EQ(aclmdlUnload(second), ACL_SUCCESS);
  EXPECT_EQ(aclmdlLoadFromFileWithMem(path_.c_str(), &first, workspace.data, work - 1, nullptr, 0), kGeParamInvalid);
  EXPECT_EQ(aclmdlLoadFromFileWithMem(path_.c_str(), &first, nullptr, 0, weights.as<char>() + 4, weight), ACL_ERROR_RT_ADDR_UNALIGNED);
}

TEST_F(AclTest, MemoryOfTheClientMayBeFreedBeforeTheModel) {
  size_t work = 0, weight = 0;
  ASSERT_EQ(aclmdlQuerySize(path_.c_str(), &work, &weight), ACL_SUCCESS);
  void* memory[2] = {nullptr, nullptr};
  ASSERT_EQ(aclrtMalloc(&memory[0], work, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
  ASSERT_EQ(aclrtMalloc(&memory[1], weight, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
  uint32_t id = 0;
  ASSERT_EQ(aclmdlLoadFromFileWithMem(path_.c_str(), &id, memory[0], work, memory[1], weight), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(memory[0]), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(memory[1]), ACL_SUCCESS);
  Io io;
  EXPECT_EQ(aclmdlExecute(id, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_EQ(io.y(1), 2.5f);
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);
}

template <typename T>
aclError Set(aclmdlConfigHandle* handle, aclmdlConfigAttr attr, T value) {
  return aclmdlSetConfigOpt(handle, attr, &value, sizeof value);
}

TEST_F(AclTest, LoadByConfiguration) {
  aclmdlConfigHandle* config = aclmdlCreateConfigHandle();
  uint32_t id = 0;
  EXPECT_EQ(aclmdlLoadWithConfig(config, &id), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(Set(config, ACL_MDL_LOAD_TYPE_SIZET, size_t{7}), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(Set(config, ACL_MDL_LOAD_TYPE_SIZET, int32_t{1}), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(Set(config, ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE}), ACL_SUCCESS);
  EXPECT_EQ(aclmdlLoadWithConfig(config, &id), ACL_ERROR_INVALID_PARAM);
  EXPECT_NE(Message().find("ACL_MDL_PATH_PTR"), std::string::npos);
  std::string path = path_;
  EXPECT_EQ(Set(config, ACL_MDL_PATH_PTR, path.c_str()), ACL_SUCCESS);
  path.assign(path.size(), '?');  // copied
  EXPECT_EQ(Set(config, ACL_MDL_PRIORITY_INT32, int32_t{8}), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(Set(config, ACL_MDL_PRIORITY_INT32, int32_t{3}), ACL_SUCCESS);
  EXPECT_EQ(Set(config, ACL_MDL_WORKSPACE_MEM_OPTIMIZE, size_t{1}), ACL_SUCCESS);
  EXPECT_EQ(Set(config, ACL_MDL_INPUTQ_NUM_SIZET, size_t{1}), ACL_ERROR_API_NOT_SUPPORT);
  EXPECT_EQ(Set(config, ACL_MDL_WEIGHT_PATH_PTR, "weights"), ACL_ERROR_API_NOT_SUPPORT);
  EXPECT_EQ(Set(config, static_cast<aclmdlConfigAttr>(99), size_t{1}), ACL_ERROR_INVALID_PARAM);
  Io io;
  ASSERT_EQ(aclmdlLoadWithConfig(config, &id), ACL_SUCCESS) << Message();
  EXPECT_EQ(aclmdlExecute(id, io.inputs, io.outputs), ACL_SUCCESS);
  aclmdlAttrValue_t value;
  EXPECT_EQ(aclmdlGetAttribute(id, ACL_MDL_ATTR_PRIORITY, &value), ACL_SUCCESS);
  EXPECT_EQ(value.mdlPriority, 3u);
  value.mdlPriority = 7;
  EXPECT_EQ(aclmdlSetAttribute(id, ACL_MDL_ATTR_PRIORITY, &value), ACL_SUCCESS);
  value.mdlPriority = 8;
  EXPECT_EQ(aclmdlSetAttribute(id, ACL_MDL_ATTR_PRIORITY, &value), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlGetAttribute(id, ACL_MDL_ATTR_PRIORITY, &value), ACL_SUCCESS);
  EXPECT_EQ(value.mdlPriority, 7u);
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);

  const std::string bytes = *runtime::SerializeOm(TinyProgram());
  const Device weights(64);
  EXPECT_EQ(Set(config, ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_MEM_WITH_MEM}), ACL_SUCCESS);
  EXPECT_EQ(aclmdlLoadWithConfig(config, &id), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(Set(config, ACL_MDL_MEM_ADDR_PTR, static_cast<const void*>(bytes.data())), ACL_SUCCESS);
  EXPECT_EQ(Set(config, ACL_MDL_MEM_SIZET, bytes.size()), ACL_SUCCESS);
  EXPECT_EQ(Set(config, ACL_MDL_WEIGHT_ADDR_PTR, weights.data), ACL_SUCCESS);
  EXPECT_EQ(Set(config, ACL_MDL_WEIGHT_SIZET, size_t{64}), ACL_SUCCESS);
  ASSERT_EQ(aclmdlLoadWithConfig(config, &id), ACL_SUCCESS) << Message();
  EXPECT_EQ(*weights.as<float>(), kTinyBias);
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);
  EXPECT_EQ(Set(config, ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE_WITH_Q}), ACL_SUCCESS);
  EXPECT_EQ(aclmdlLoadWithConfig(config, &id), ACL_ERROR_API_NOT_SUPPORT);
  EXPECT_EQ(aclmdlDestroyConfigHandle(config), ACL_SUCCESS);
  EXPECT_EQ(aclmdlLoadWithConfig(config, &id), ACL_ERROR_INVALID_PARAM);
}

void Sleep(void*) { std::this_thread::sleep_for(std::chrono::milliseconds(60)); }

TEST_F(AclTest, ExecuteWithOptions) {
  aclmdlExecConfigHandle* options = aclmdlCreateExecConfigHandle();
  Io io;
  ASSERT_EQ(aclmdlExecuteV2(model_, io.inputs, io.outputs, nullptr, nullptr), ACL_SUCCESS) << Message();
  EXPECT_EQ(io.y(2), 4.5f);
  size_t work = 0, weight = 0;
  ASSERT_EQ(aclmdlQuerySize(path_.c_str(), &work, &weight), ACL_SUCCESS);
  const Device workspace(work);
  int32_t timeout = 5;
  EXPECT_EQ(aclmdlSetExecConfigOpt(options, ACL_MDL_STREAM_SYNC_TIMEOUT, &timeout, sizeof timeout), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetExecConfigOpt(options, ACL_MDL_WORK_ADDR_PTR, &workspace.data, sizeof(void*)), ACL_SUCCESS);
  size_t size = work - 1;
  EXPECT_EQ(aclmdlSetExecConfigOpt(options, ACL_MDL_WORK_SIZET, &size, sizeof size), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetExecConfigOpt(options, ACL_MDL_AICQOS_SIZET, &size, sizeof size), ACL_ERROR_API_NOT_SUPPORT);
  EXPECT_EQ(aclmdlExecuteV2(model_, io.inputs, io.outputs, nullptr, options), kGeParamInvalid);
  size = work;
  EXPECT_EQ(aclmdlSetExecConfigOpt(options, ACL_MDL_WORK_SIZET, &size, sizeof size), ACL_SUCCESS);
  static_cast<float*>(io.in)[2] = 10;
  ASSERT_EQ(aclmdlExecuteAsyncV2(model_, io.inputs, io.outputs, nullptr, options), ACL_SUCCESS);
  ASSERT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
  EXPECT_EQ(io.y(2), 20.5f);
  ASSERT_EQ(aclrtLaunchHostFunc(nullptr, &Sleep, nullptr), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecuteV2(model_, io.inputs, io.outputs, nullptr, options), static_cast<aclError>(ACL_ERROR_GE_MODEL_EXECUTE_TIMEOUT));
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
  timeout = 0;
  EXPECT_EQ(aclmdlSetExecConfigOpt(options, ACL_MDL_STREAM_SYNC_TIMEOUT, &timeout, sizeof timeout), ACL_ERROR_INVALID_PARAM);
  // Errors of the execution come from the call itself, not from the stream.
  Io empty(kTinyBytes, 0);
  ASSERT_EQ(aclmdlExecuteV2(model_, empty.inputs, empty.outputs, nullptr, nullptr), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(aclGetDataBufferAddr(empty.out_buffer)), ACL_SUCCESS);
  EXPECT_EQ(aclmdlDestroyExecConfigHandle(options), ACL_SUCCESS);
  EXPECT_EQ(aclmdlDestroyExecConfigHandle(options), ACL_ERROR_INVALID_PARAM);
}

TEST_F(AclTest, AbortDropsWhatHasNotBegun) {
  Io io;
  aclrtStream stream = nullptr;
  ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
  ASSERT_EQ(aclrtLaunchHostFunc(stream, &Sleep, nullptr), ACL_SUCCESS);
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  static std::atomic<int> calls{0};
  calls = 0;
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(aclrtLaunchHostFunc(
                  stream, [](void*) { ++calls; }, nullptr),
              ACL_SUCCESS);
  std::memset(io.out, 0, kTinyBytes);
  ASSERT_EQ(aclmdlExecuteAsync(model_, io.inputs, io.outputs, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtStreamAbort(stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(io.y(1), 0);
  ASSERT_EQ(aclmdlExecuteAsync(model_, io.inputs, io.outputs, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS);
  EXPECT_EQ(io.y(1), 2.5f);
  // A callback that nobody processes is given up too.
  ASSERT_EQ(aclrtSubscribeReport(4711, stream), ACL_SUCCESS);
  ASSERT_EQ(aclrtLaunchCallback([](void*) { ++calls; }, nullptr, ACL_CALLBACK_BLOCK, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream, 20), ACL_ERROR_RT_WAIT_TIMEOUT);
  EXPECT_EQ(aclrtStreamAbort(stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyStream(stream), ACL_SUCCESS);
}

struct Seen {
  int calls = 0;
  aclError error = ACL_SUCCESS;
  std::string op;
  std::vector<int64_t> input_dims;
  size_t outputs = 0;
  aclrtExceptionInfo* info = nullptr;
};
Seen seen;

void OnException(aclrtExceptionInfo* info) {
  ++seen.calls;
  seen.info = info;
  seen.error = static_cast<aclError>(aclrtGetErrorCodeFromExceptionInfo(info));
  char name[64];
  aclTensorDesc* inputs = nullptr;
  aclTensorDesc* outputs = nullptr;
  size_t num_inputs = 0;
  ASSERT_EQ(aclmdlCreateAndGetOpDesc(aclrtGetDeviceIdFromExceptionInfo(info), aclrtGetStreamIdFromExceptionInfo(info),
                                     aclrtGetTaskIdFromExceptionInfo(info), name, sizeof name, &inputs, &num_inputs, &outputs, &seen.outputs),
            ACL_SUCCESS)
      << Message();
  seen.op = name;
  ASSERT_EQ(num_inputs, 1u);
  const aclTensorDesc* desc = aclGetTensorDescByIndex(inputs, 0);
  for (size_t d = 0; d < aclGetTensorDescNumDims(desc); ++d) {
    int64_t dim = 0;
    EXPECT_EQ(aclGetTensorDescDimV2(desc, d, &dim), ACL_SUCCESS);
    seen.input_dims.push_back(dim);
  }
  aclDestroyTensorDesc(inputs);
  aclDestroyTensorDesc(outputs);
}

TEST_F(AclTest, FailedExecutionsReachTheExceptionCallback) {
  seen = Seen();
  Io io;
  static_cast<float*>(io.in)[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_ERROR_INVALID_PARAM);
  const std::string message = Message();
  EXPECT_NE(message.find("node 'scale'"), std::string::npos) << message;
  EXPECT_NE(message.find("an element is NaN"), std::string::npos) << message;
  EXPECT_EQ(aclmdlExecuteV2(model_, io.inputs, io.outputs, nullptr, nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_NE(Message().find("an element is NaN"), std::string::npos);
  EXPECT_EQ(seen.calls, 0);
  ASSERT_EQ(aclrtSetExceptionInfoCallback(&OnException), ACL_SUCCESS);
  ASSERT_EQ(aclmdlExecuteAsync(model_, io.inputs, io.outputs, nullptr), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_NE(Message().find("an element is NaN"), std::string::npos);
  EXPECT_EQ(seen.calls, 1);
  EXPECT_EQ(seen.error, ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(seen.op, "tiny");
  EXPECT_EQ(seen.input_dims, (std::vector<int64_t>{1, 4, 4, 4}));
  EXPECT_EQ(seen.outputs, 1u);
  EXPECT_EQ(aclrtGetTaskIdFromExceptionInfo(seen.info), 0xFFFFFFFFu);  // it lived during the callback
  // A call that waits returns the error and leaves none on the stream, and the callback hears of it as well.
  seen = Seen();
  EXPECT_EQ(aclmdlExecuteV2(model_, io.inputs, io.outputs, nullptr, nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_NE(Message().find("an element is NaN"), std::string::npos);
  EXPECT_EQ(seen.calls, 1);
  EXPECT_EQ(seen.error, ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(seen.op, "tiny");
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
  // The stream goes on.
  static_cast<float*>(io.in)[7] = 7;
  ASSERT_EQ(aclmdlExecuteAsync(model_, io.inputs, io.outputs, nullptr), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
  EXPECT_EQ(io.y(7), 14.5f);
  EXPECT_EQ(aclrtSetExceptionInfoCallback(nullptr), ACL_SUCCESS);
}

TEST_F(AclTest, CopiesOfRows) {
  const Device device(4 * 10);
  std::memset(device.data, 9, 40);
  char host[3 * 7];
  for (size_t i = 0; i < sizeof host; ++i) host[i] = static_cast<char>(i);
  ASSERT_EQ(aclrtMemcpy2d(device.data, 10, host, 7, 5, 3, ACL_MEMCPY_HOST_TO_DEVICE), ACL_SUCCESS) << Message();
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 10; ++column) {
      EXPECT_EQ(device.as<char>()[row * 10 + column], column < 5 ? row * 7 + column : 9) << row << " " << column;
    }
  }
  char back[3 * 5] = {};
  ASSERT_EQ(aclrtMemcpy2dAsync(back, 5, device.data, 10, 5, 3, ACL_MEMCPY_DEVICE_TO_HOST, nullptr), ACL_SUCCESS);
  ASSERT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
  EXPECT_EQ(back[14], 2 * 7 + 4);
  EXPECT_EQ(aclrtMemcpy2d(device.data, 10, host, 7, 8, 3, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy2d(device.data, 10, host, 7, 5, 5, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy2d(device.data, 10, host, SIZE_MAX / 2, 5, 5, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy2d(device.data, 10, device.as<char>() + 4, 10, 5, 3, ACL_MEMCPY_DEVICE_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtMemcpy2d(nullptr, 10, host, 7, 5, 0, ACL_MEMCPY_HOST_TO_DEVICE), ACL_SUCCESS);
  EXPECT_EQ(aclrtMemcpy2d(nullptr, 10, host, 7, 5, 1, ACL_MEMCPY_HOST_TO_DEVICE), ACL_ERROR_RT_PARAM_INVALID);
}

TEST_F(AclTest, AllocationAttributesAndDeviceQueries) {
  aclrtMallocAttribute attributes[2] = {};
  attributes[0].attr = ACL_RT_MEM_ATTR_MODULE_ID;
  attributes[1].attr = ACL_RT_MEM_ATTR_DEVICE_ID;
  aclrtMallocConfig config = {attributes, 2};
  void* p = nullptr;
  ASSERT_EQ(aclrtMallocWithCfg(&p, 100, ACL_MEM_MALLOC_HUGE_FIRST, &config), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(p), ACL_SUCCESS);
  ASSERT_EQ(aclrtMallocWithCfg(&p, 100, ACL_MEM_MALLOC_HUGE_FIRST, nullptr), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(p), ACL_SUCCESS);
  attributes[1].value.deviceId = 5;
  EXPECT_EQ(aclrtMallocWithCfg(&p, 100, ACL_MEM_MALLOC_HUGE_FIRST, &config), ACL_ERROR_RT_INVALID_DEVICEID);
  config.attrs = nullptr;
  EXPECT_EQ(aclrtMallocWithCfg(&p, 100, ACL_MEM_MALLOC_HUGE_FIRST, &config), ACL_ERROR_INVALID_PARAM);

  aclrtUtilizationInfo usage;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(aclrtGetDeviceUtilizationRate(0, &usage), ACL_SUCCESS);
    for (int32_t percent : {usage.cubeUtilization, usage.vectorUtilization, usage.aicpuUtilization, usage.memoryUtilization}) {
      EXPECT_TRUE(percent >= 0 && percent <= 100) << percent;
    }
  }
  EXPECT_GT(usage.memoryUtilization, 0);
  EXPECT_EQ(aclrtGetDeviceUtilizationRate(1, &usage), ACL_ERROR_RT_INVALID_DEVICEID);
  EXPECT_EQ(aclrtSetTsDevice(ACL_TS_ID_AIVECTOR), ACL_SUCCESS);
  EXPECT_EQ(aclrtSetTsDevice(ACL_TS_ID_RESERVED), ACL_ERROR_INVALID_PARAM);
  aclrtFloatOverflowMode mode = ACL_RT_OVERFLOW_MODE_UNDEF;
  EXPECT_EQ(aclrtGetDeviceSatMode(&mode), ACL_SUCCESS);
  EXPECT_EQ(mode, ACL_RT_OVERFLOW_MODE_INFNAN);
  EXPECT_EQ(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_INFNAN), ACL_SUCCESS);
  EXPECT_EQ(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_SATURATION), ACL_ERROR_API_NOT_SUPPORT);
}

TEST_F(AclTest, OriginalOperatorNames) {
  aclmdlDesc* desc = aclmdlCreateDesc();
  ASSERT_EQ(aclmdlGetDesc(desc, model_), ACL_SUCCESS);
  EXPECT_STREQ(aclmdlGetOpAttr(desc, "scale", ACL_ATTR_NAME_DATA_DUMP_ORIGIN_OP_NAMES), "[scale]");
  EXPECT_EQ(aclmdlGetOpAttr(desc, "other", ACL_ATTR_NAME_DATA_DUMP_ORIGIN_OP_NAMES), nullptr);
  EXPECT_EQ(aclmdlGetOpAttr(desc, "scale", "other"), nullptr);
  EXPECT_NE(Message().find("'other'"), std::string::npos);
  EXPECT_EQ(aclmdlDestroyDesc(desc), ACL_SUCCESS);
}

template <typename From, typename To>
std::vector<To> Cast(aclDataType from, aclDataType to, const std::vector<From>& values) {
  const int64_t dims[] = {static_cast<int64_t>(values.size())};
  aclTensorDesc* in = aclCreateTensorDesc(from, 1, dims, ACL_FORMAT_ND);
  aclTensorDesc* out = aclCreateTensorDesc(to, 1, dims, ACL_FORMAT_ND);
  const Device source(values.size() * sizeof(From)), target(values.size() * sizeof(To));
  std::memcpy(source.data, values.data(), values.size() * sizeof(From));
  aclDataBuffer* buffers[2] = {aclCreateDataBuffer(source.data, values.size() * sizeof(From)),
                               aclCreateDataBuffer(target.data, values.size() * sizeof(To))};
  EXPECT_EQ(aclopCast(in, buffers[0], out, buffers[1], 0, nullptr), ACL_SUCCESS) << Message();
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
  const std::vector<To> direct(target.as<To>(), target.as<To>() + values.size());
  aclopHandle* handle = nullptr;
  EXPECT_EQ(aclopCreateHandleForCast(in, out, 0, &handle), ACL_SUCCESS);
  const aclDataBuffer* inputs[] = {buffers[0]};
  aclDataBuffer* outputs[] = {buffers[1]};
  std::memset(target.data, 0xEE, values.size() * sizeof(To));
  EXPECT_EQ(aclopExecWithHandle(handle, 1, inputs, 1, outputs, nullptr), ACL_SUCCESS) << Message();
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
  EXPECT_EQ(std::memcmp(direct.data(), target.data, values.size() * sizeof(To)), 0);
  aclopDestroyHandle(handle);
  EXPECT_EQ(aclopExecWithHandle(handle, 1, inputs, 1, outputs, nullptr), ACL_ERROR_INVALID_PARAM);
  for (aclDataBuffer* buffer : buffers) aclDestroyDataBuffer(buffer);
  aclDestroyTensorDesc(in);
  aclDestroyTensorDesc(out);
  return direct;
}

TEST_F(AclTest, Casts) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ((Cast<float, uint16_t>(ACL_FLOAT, ACL_FLOAT16, {1, -2, 65504, 1e9f})), (std::vector<uint16_t>{0x3c00, 0xc000, 0x7bff, 0x7c00}));
  EXPECT_EQ((Cast<uint16_t, float>(ACL_FLOAT16, ACL_FLOAT, {0x3c00, 0x7c00})), (std::vector<float>{1, inf}));
  EXPECT_EQ((Cast<float, int8_t>(ACL_FLOAT, ACL_INT8, {1.9f, -1.9f, 300, -inf, nan})), (std::vector<int8_t>{1, -1, 127, -128, 0}));
  EXPECT_EQ((Cast<double, int64_t>(ACL_DOUBLE, ACL_INT64, {1e30, -1e30, 4e9})), (std::vector<int64_t>{INT64_MAX, INT64_MIN, 4000000000}));
  EXPECT_EQ((Cast<float, uint8_t>(ACL_FLOAT, ACL_UINT8, {-5, 255.9f, 256})), (std::vector<uint8_t>{0, 255, 255}));
  EXPECT_EQ((Cast<int64_t, int32_t>(ACL_INT64, ACL_INT32, {-1, 0x100000005})), (std::vector<int32_t>{-1, 5}));
  EXPECT_EQ((Cast<int8_t, uint32_t>(ACL_INT8, ACL_UINT32, {-1, 5})), (std::vector<uint32_t>{0xFFFFFFFFu, 5}));
  EXPECT_EQ((Cast<uint8_t, int64_t>(ACL_UINT8, ACL_INT64, {255})), (std::vector<int64_t>{255}));
  EXPECT_EQ((Cast<float, uint8_t>(ACL_FLOAT, ACL_BOOL, {0, -0.0f, 0.25f})), (std::vector<uint8_t>{0, 0, 1}));
  EXPECT_EQ((Cast<int32_t, int32_t>(ACL_INT32, ACL_INT32, {7, 8})), (std::vector<int32_t>{7, 8}));
  const int64_t dims[] = {2}, other[] = {3};
  aclTensorDesc* two = aclCreateTensorDesc(ACL_FLOAT, 1, dims, ACL_FORMAT_ND);
  aclTensorDesc* three = aclCreateTensorDesc(ACL_FLOAT16, 1, other, ACL_FORMAT_ND);
  aclTensorDesc* text = aclCreateTensorDesc(ACL_STRING, 1, dims, ACL_FORMAT_ND);
  aclopHandle* handle = nullptr;
  EXPECT_EQ(aclopCreateHandleForCast(two, three, 0, &handle), ACL_ERROR_OP_OUTPUT_NOT_MATCH);
  EXPECT_EQ(aclopCreateHandleForCast(two, text, 0, &handle), ACL_ERROR_UNSUPPORTED_DATA_TYPE);
  for (aclTensorDesc* desc : {two, three, text}) aclDestroyTensorDesc(desc);
}

}  // namespace
}  // namespace omkit
