// Every function against null, freed and wrongly typed handles, without a context, before aclInit and after aclFinalize.
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "acl/acl.h"
#include "acl/ops/acl_dvpp.h"
#include "gtest/gtest.h"

namespace {

constexpr aclError kBadModelId = static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);

// A function that takes a handle: fails with `null_code` for null and `dead_code` for handles that are freed or of another type.
struct HandleRow {
  const char* name;
  std::function<aclError(void*)> call;
};

// For functions that return a value: an error is told by the fallback value and a message.
template <typename T>
aclError Told(T value, T fallback) {
  const bool message = aclGetRecentErrMsg() != nullptr;
  return value == fallback && message ? ACL_ERROR_INVALID_PARAM : ACL_SUCCESS;
}

#define ROW(function, ...)                                               \
  {                                                                      \
#function, [](void* h) -> aclError { return function(__VA_ARGS__); } \
  }
#define VALUE_ROW(function, type, fallback, ...)                                               \
  {                                                                                            \
#function, [](void* h) -> aclError { return Told<type>(function(__VA_ARGS__), fallback); } \
  }

aclDataBuffer* Buffer(void* h) { return static_cast<aclDataBuffer*>(h); }
aclTensorDesc* Tensor(void* h) { return static_cast<aclTensorDesc*>(h); }
aclmdlDataset* Set(void* h) { return static_cast<aclmdlDataset*>(h); }
aclmdlDesc* Desc(void* h) { return static_cast<aclmdlDesc*>(h); }
aclrtExceptionInfo* Info(void* h) { return static_cast<aclrtExceptionInfo*>(h); }

int64_t numbers[4] = {1, 1, 1, 1};
int64_t ranges[1][2] = {{1, 1}};
aclmdlIODims dims;
aclmdlIODimsRange dims_range;
aclmdlBatch batch;
aclmdlHW hw;
size_t size_out;
float float_out;
aclrtEventStatus event_status;
aclrtEventRecordedStatus recorded_status;
aclrtStreamStatus stream_status;

const std::vector<HandleRow>& DataRows() {
  static const auto* const rows = new std::vector<HandleRow>{
      ROW(aclDestroyDataBuffer, Buffer(h)),
      ROW(aclUpdateDataBuffer, Buffer(h), nullptr, 0),
      VALUE_ROW(aclGetDataBufferAddr, void*, nullptr, Buffer(h)),
      VALUE_ROW(aclGetDataBufferSizeV2, size_t, 0, Buffer(h)),
      VALUE_ROW(aclGetDataBufferSize, uint32_t, 0, Buffer(h)),
      VALUE_ROW(aclGetTensorDescType, aclDataType, ACL_DT_UNDEFINED, Tensor(h)),
      VALUE_ROW(aclGetTensorDescFormat, aclFormat, ACL_FORMAT_UNDEFINED, Tensor(h)),
      VALUE_ROW(aclGetTensorDescSize, size_t, 0, Tensor(h)),
      VALUE_ROW(aclGetTensorDescElementCount, size_t, 0, Tensor(h)),
      VALUE_ROW(aclGetTensorDescNumDims, size_t, 0, Tensor(h)),
      VALUE_ROW(aclGetTensorDescDim, int64_t, -1, Tensor(h), 0),
      ROW(aclGetTensorDescDimV2, Tensor(h), 0, numbers),
      ROW(aclGetTensorDescDimRange, Tensor(h), 0, 2, numbers),
      VALUE_ROW(aclGetTensorDescName, const char*, nullptr, Tensor(h)),
      ROW(aclSetTensorShape, Tensor(h), 4, numbers),
      ROW(aclSetTensorFormat, Tensor(h), ACL_FORMAT_ND),
      ROW(aclSetTensorOriginShape, Tensor(h), 4, numbers),
      ROW(aclSetTensorOriginFormat, Tensor(h), ACL_FORMAT_ND),
      ROW(aclSetTensorShapeRange, Tensor(h), 1, ranges),
      VALUE_ROW(aclGetTensorDescByIndex, aclTensorDesc*, nullptr, Tensor(h), 0),
      VALUE_ROW(aclGetTensorDescAddress, void*, nullptr, Tensor(h)),
      ROW(aclSetTensorConst, Tensor(h), numbers, 8),
      ROW(aclSetTensorPlaceMent, Tensor(h), ACL_MEMTYPE_HOST),
      ROW(aclmdlDestroyDataset, Set(h)),
      ROW(aclmdlAddDatasetBuffer, Set(h), nullptr),
      VALUE_ROW(aclmdlGetDatasetNumBuffers, size_t, 0, Set(h)),
      VALUE_ROW(aclmdlGetDatasetBuffer, aclDataBuffer*, nullptr, Set(h), 0),
      ROW(aclmdlSetDatasetTensorDesc, Set(h), nullptr, 0),
      VALUE_ROW(aclmdlGetDatasetTensorDesc, aclTensorDesc*, nullptr, Set(h), 0),
      ROW(aclmdlDestroyDesc, Desc(h)),
      ROW(aclmdlGetDescFromFile, Desc(h), "/nonexistent"),
      ROW(aclmdlGetDescFromMem, Desc(h), numbers, 8),
      VALUE_ROW(aclmdlGetNumInputs, size_t, 0, Desc(h)),
      VALUE_ROW(aclmdlGetNumOutputs, size_t, 0, Desc(h)),
      VALUE_ROW(aclmdlGetInputSizeByIndex, size_t, 0, Desc(h), 0),
      VALUE_ROW(aclmdlGetOutputSizeByIndex, size_t, 0, Desc(h), 0),
      ROW(aclmdlGetInputDims, Desc(h), 0, &dims),
      ROW(aclmdlGetInputDimsV2, Desc(h), 0, &dims),
      ROW(aclmdlGetInputDimsRange, Desc(h), 0, &dims_range),
      ROW(aclmdlGetOutputDims, Desc(h), 0, &dims),
      ROW(aclmdlGetCurOutputDims, Desc(h), 0, &dims),
      VALUE_ROW(aclmdlGetInputNameByIndex, const char*, nullptr, Desc(h), 0),
      VALUE_ROW(aclmdlGetOutputNameByIndex, const char*, nullptr, Desc(h), 0),
      VALUE_ROW(aclmdlGetTensorRealName, const char*, nullptr, Desc(h), "x"),
      VALUE_ROW(aclmdlGetInputFormat, aclFormat, ACL_FORMAT_UNDEFINED, Desc(h), 0),
      VALUE_ROW(aclmdlGetOutputFormat, aclFormat, ACL_FORMAT_UNDEFINED, Desc(h), 0),
      VALUE_ROW(aclmdlGetInputDataType, aclDataType, ACL_DT_UNDEFINED, Desc(h), 0),
      VALUE_ROW(aclmdlGetOutputDataType, aclDataType, ACL_DT_UNDEFINED, Desc(h), 0),
      ROW(aclmdlGetInputIndexByName, Desc(h), "x", &size_out),
      ROW(aclmdlGetOutputIndexByName, Desc(h), "x", &size_out),
      ROW(aclmdlGetDynamicBatch, Desc(h), &batch),
      ROW(aclmdlGetDynamicHW, Desc(h), 0, &hw),
      ROW(aclmdlGetInputDynamicGearCount, Desc(h), 0, &size_out),
      ROW(aclmdlGetInputDynamicDims, Desc(h), 0, &dims, 0),
      VALUE_ROW(aclrtGetTaskIdFromExceptionInfo, uint32_t, 0xFFFFFFFFu, Info(h)),
      VALUE_ROW(aclrtGetStreamIdFromExceptionInfo, uint32_t, 0xFFFFFFFFu, Info(h)),
      VALUE_ROW(aclrtGetThreadIdFromExceptionInfo, uint32_t, 0xFFFFFFFFu, Info(h)),
      VALUE_ROW(aclrtGetDeviceIdFromExceptionInfo, uint32_t, 0xFFFFFFFFu, Info(h)),
      VALUE_ROW(aclrtGetErrorCodeFromExceptionInfo, uint32_t, 0xFFFFFFFFu, Info(h)),
      {"aclDestroyTensorDesc",
       [](void* h) -> aclError {
         aclDestroyTensorDesc(Tensor(h));
         return h == nullptr || aclGetRecentErrMsg() != nullptr ? ACL_ERROR_INVALID_PARAM : ACL_SUCCESS;  // null is allowed
       }},
      {"aclSetTensorDescName",
       [](void* h) -> aclError {
         aclSetTensorDescName(Tensor(h), "x");
         return aclGetRecentErrMsg() != nullptr ? ACL_ERROR_INVALID_PARAM : ACL_SUCCESS;
       }},
  };
  return *rows;
}

// Functions of the runtime: null is ACL_ERROR_INVALID_PARAM, a dead handle ACL_ERROR_RT_INVALID_HANDLE.
const std::vector<HandleRow>& RuntimeRows() {
  static const auto* const rows = new std::vector<HandleRow>{
      ROW(aclrtDestroyContext, h),
      ROW(aclrtSetCurrentContext, h),
      ROW(aclrtDestroyStream, h),
      ROW(aclrtDestroyStreamForce, h),
      ROW(aclrtDestroyEvent, h),
      ROW(aclrtRecordEvent, h, nullptr),
      ROW(aclrtResetEvent, h, nullptr),
      ROW(aclrtStreamWaitEvent, nullptr, h),
      ROW(aclrtQueryEvent, h, &event_status),
      ROW(aclrtQueryEventStatus, h, &recorded_status),
      ROW(aclrtSynchronizeEvent, h),
      ROW(aclrtSynchronizeEventWithTimeout, h, 1),
      ROW(aclrtEventElapsedTime, &float_out, h, h),
  };
  return *rows;
}

// The same, but null names the default stream.
const std::vector<HandleRow>& StreamRows() {
  static const auto* const rows = new std::vector<HandleRow>{
      ROW(aclrtSynchronizeStream, h),
      ROW(aclrtSynchronizeStreamWithTimeout, h, 1),
      ROW(aclrtStreamQuery, h, &stream_status),
      ROW(aclrtSubscribeReport, 1, h),
      ROW(aclrtUnSubscribeReport, 1, h),
      ROW(
          aclrtLaunchCallback, [](void*) {}, nullptr, ACL_CALLBACK_NO_BLOCK, h),
      ROW(
          aclrtLaunchHostFunc, h, [](void*) {}, nullptr),
      ROW(aclrtMemcpyAsync, numbers, 8, numbers, 8, ACL_MEMCPY_HOST_TO_HOST, h),
      ROW(aclrtMemsetAsync, numbers, 8, 0, 8, h),
      ROW(aclmdlExecuteAsync, 1, nullptr, nullptr, h),
  };
  return *rows;
}

// Functions that need the library started and a context.
struct ContextRow {
  const char* name;
  bool init_only;  // works without a context
  std::function<aclError()> call;
};

void* pointer;
uint32_t id_out;
int32_t device_out;
aclrtRunMode mode_out;
aclTensorDesc* desc_out;
char name_out[8];

#define CONTEXT_ROW(function, ...)                         \
  {                                                        \
#function, false, [] { return function(__VA_ARGS__); } \
  }
#define INIT_ROW(function, ...)                           \
  {                                                       \
#function, true, [] { return function(__VA_ARGS__); } \
  }

const std::vector<ContextRow>& ContextRows() {
  static const auto* const rows = new std::vector<ContextRow>{
      CONTEXT_ROW(aclrtGetDevice, &device_out),
      CONTEXT_ROW(aclrtGetRunMode, &mode_out),
      CONTEXT_ROW(aclrtSynchronizeDevice, ),
      CONTEXT_ROW(aclrtSynchronizeDeviceWithTimeout, 1),
      CONTEXT_ROW(aclrtGetCurrentContext, &pointer),
      CONTEXT_ROW(aclrtCreateStream, &pointer),
      CONTEXT_ROW(aclrtCreateStreamWithConfig, &pointer, 0, 0),
      CONTEXT_ROW(aclrtCreateEvent, &pointer),
      CONTEXT_ROW(aclrtCreateEventWithFlag, &pointer, 0),
      CONTEXT_ROW(aclrtDestroyStream, numbers),
      CONTEXT_ROW(aclrtDestroyStreamForce, numbers),
      CONTEXT_ROW(aclrtMalloc, &pointer, 8, ACL_MEM_MALLOC_HUGE_FIRST),
      CONTEXT_ROW(aclrtMallocAlign32, &pointer, 8, ACL_MEM_MALLOC_HUGE_FIRST),
      CONTEXT_ROW(aclrtMallocCached, &pointer, 8, ACL_MEM_MALLOC_HUGE_FIRST),
      CONTEXT_ROW(acldvppMalloc, &pointer, 8),
      CONTEXT_ROW(aclrtMallocHost, &pointer, 8),
      CONTEXT_ROW(aclrtMemFlush, numbers, 8),
      CONTEXT_ROW(aclrtMemInvalidate, numbers, 8),
      CONTEXT_ROW(aclrtMemcpy, numbers, 8, numbers, 8, ACL_MEMCPY_HOST_TO_HOST),
      CONTEXT_ROW(aclrtMemset, numbers, 8, 0, 8),
      CONTEXT_ROW(aclrtGetMemInfo, ACL_HBM_MEM, &size_out, &size_out),
      CONTEXT_ROW(aclmdlLoadFromFile, "/nonexistent", &id_out),
      CONTEXT_ROW(aclmdlLoadFromMem, numbers, 8, &id_out),
      CONTEXT_ROW(aclmdlLoadFromFileWithMem, "/nonexistent", &id_out, nullptr, 0, nullptr, 0),
      CONTEXT_ROW(aclmdlLoadFromMemWithMem, numbers, 8, &id_out, nullptr, 0, nullptr, 0),
      CONTEXT_ROW(aclmdlQuerySize, "/nonexistent", &size_out, &size_out),
      CONTEXT_ROW(aclmdlQuerySizeFromMem, numbers, 8, &size_out, &size_out),
      CONTEXT_ROW(aclmdlExecute, 1, nullptr, nullptr),
      CONTEXT_ROW(aclmdlSetDynamicBatchSize, 1, nullptr, 0, 1),
      CONTEXT_ROW(aclmdlSetDynamicHWSize, 1, nullptr, 0, 1, 1),
      CONTEXT_ROW(aclmdlSetInputDynamicDims, 1, nullptr, 0, &dims),
      INIT_ROW(aclrtSetDevice, 7),
      INIT_ROW(aclrtResetDevice, 7),
      INIT_ROW(aclrtResetDeviceForce, 7),
      INIT_ROW(aclrtCreateContext, &pointer, 7),
      INIT_ROW(aclrtDestroyContext, numbers),
      INIT_ROW(aclrtSetCurrentContext, numbers),
      INIT_ROW(aclrtDestroyEvent, numbers),
      INIT_ROW(aclrtProcessReport, 0),
      INIT_ROW(aclmdlUnload, 4711),
      INIT_ROW(aclmdlGetDesc, nullptr, 4711),
      INIT_ROW(aclmdlCreateAndGetOpDesc, 0, 0, 0, name_out, 8, &desc_out, &size_out, &desc_out, &size_out),
  };
  return *rows;
}

std::vector<HandleRow> RowsOf(std::initializer_list<const std::vector<HandleRow>*> lists) {
  std::vector<HandleRow> rows;
  for (const auto* list : lists) rows.insert(rows.end(), list->begin(), list->end());
  return rows;
}

class HandlesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    aclGetRecentErrMsg();
  }
  void TearDown() override { EXPECT_EQ(aclFinalize(), ACL_SUCCESS); }

  // Freed handles of every type, and addresses of other things.
  static std::vector<void*> DeadHandles() {
    std::vector<void*> dead;
    dead.push_back(aclCreateDataBuffer(nullptr, 0));
    EXPECT_EQ(aclDestroyDataBuffer(Buffer(dead.back())), ACL_SUCCESS);
    dead.push_back(aclCreateTensorDesc(ACL_FLOAT, 0, nullptr, ACL_FORMAT_ND));
    aclDestroyTensorDesc(Tensor(dead.back()));
    dead.push_back(aclmdlCreateDataset());
    EXPECT_EQ(aclmdlDestroyDataset(Set(dead.back())), ACL_SUCCESS);
    dead.push_back(aclmdlCreateDesc());
    EXPECT_EQ(aclmdlDestroyDesc(Desc(dead.back())), ACL_SUCCESS);
    void* handle = nullptr;
    EXPECT_EQ(aclrtCreateStream(&handle), ACL_SUCCESS);
    EXPECT_EQ(aclrtDestroyStream(handle), ACL_SUCCESS);
    dead.push_back(handle);
    EXPECT_EQ(aclrtCreateEvent(&handle), ACL_SUCCESS);
    EXPECT_EQ(aclrtDestroyEvent(handle), ACL_SUCCESS);
    dead.push_back(handle);
    void* current = nullptr;
    EXPECT_EQ(aclrtGetCurrentContext(&current), ACL_SUCCESS);
    EXPECT_EQ(aclrtCreateContext(&handle, 0), ACL_SUCCESS);
    EXPECT_EQ(aclrtDestroyContext(handle), ACL_SUCCESS);
    EXPECT_EQ(aclrtSetCurrentContext(current), ACL_SUCCESS);
    dead.push_back(handle);
    dead.push_back(numbers);
    dead.push_back(reinterpret_cast<void*>(uintptr_t{1}));
    dead.push_back(reinterpret_cast<void*>(~uintptr_t{0}));
    return dead;
  }
};

TEST_F(HandlesTest, Null) {
  for (const HandleRow& row : RowsOf({&DataRows(), &RuntimeRows()})) EXPECT_EQ(row.call(nullptr), ACL_ERROR_INVALID_PARAM) << row.name;
}

TEST_F(HandlesTest, FreedAndForeign) {
  for (void* dead : DeadHandles()) {
    for (const HandleRow& row : DataRows()) EXPECT_EQ(row.call(dead), ACL_ERROR_INVALID_PARAM) << row.name << " " << dead;
    for (const HandleRow& row : RowsOf({&RuntimeRows(), &StreamRows()}))
      EXPECT_EQ(row.call(dead), ACL_ERROR_RT_INVALID_HANDLE) << row.name << " " << dead;
  }
}

TEST_F(HandlesTest, WrongType) {
  aclDataBuffer* buffer = aclCreateDataBuffer(nullptr, 0);
  aclrtEvent event = nullptr;
  ASSERT_EQ(aclrtCreateEvent(&event), ACL_SUCCESS);
  for (const HandleRow& row : DataRows()) EXPECT_EQ(row.call(event), ACL_ERROR_INVALID_PARAM) << row.name;
  for (const HandleRow& row : RowsOf({&RuntimeRows(), &StreamRows()})) EXPECT_EQ(row.call(buffer), ACL_ERROR_RT_INVALID_HANDLE) << row.name;
  EXPECT_EQ(aclrtDestroyEvent(event), ACL_SUCCESS);
  EXPECT_EQ(aclDestroyDataBuffer(buffer), ACL_SUCCESS);
}

TEST_F(HandlesTest, NoContext) {
  std::thread([] {
    for (const ContextRow& row : ContextRows()) {
      if (row.init_only) {
        EXPECT_NE(row.call(), ACL_ERROR_RT_CONTEXT_NULL) << row.name;
      } else {
        EXPECT_EQ(row.call(), ACL_ERROR_RT_CONTEXT_NULL) << row.name;
        EXPECT_NE(aclGetRecentErrMsg(), nullptr) << row.name;
      }
    }
    for (const HandleRow& row : StreamRows()) EXPECT_EQ(row.call(nullptr), ACL_ERROR_RT_CONTEXT_NULL) << row.name;
  }).join();
}

void ExpectNotInitialized() {
  for (const ContextRow& row : ContextRows()) EXPECT_EQ(row.call(), ACL_ERROR_UNINITIALIZE) << row.name;
  for (const HandleRow& row : RowsOf({&RuntimeRows(), &StreamRows()})) EXPECT_EQ(row.call(numbers), ACL_ERROR_UNINITIALIZE) << row.name;
}

TEST(InitTest, BeforeInit) { ExpectNotInitialized(); }

TEST(InitTest, AfterFinalize) {
  ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
  ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  void* memory = nullptr;
  ASSERT_EQ(aclrtMalloc(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
  aclrtStream stream = nullptr;
  ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
  ASSERT_EQ(aclFinalize(), ACL_SUCCESS);
  ExpectNotInitialized();
  EXPECT_EQ(aclrtDestroyStream(stream), ACL_ERROR_UNINITIALIZE);
  static_cast<char*>(memory)[99] = 1;
  EXPECT_EQ(aclrtFree(memory), ACL_SUCCESS);
  ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
  ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyStream(stream), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_EQ(aclmdlUnload(1), kBadModelId);
  EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
}

}  // namespace
