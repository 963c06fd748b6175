// A client in the style of the asynchronous samples: a pool of datasets, one stream, a callback thread that processes reports, an exception
// callback, and questions about dynamic shapes that a fixed model answers with "none".   async_callback MODEL LOOPS
#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "acl/acl.h"

#define CHECK_ACL(call)                                                                              \
  do {                                                                                               \
    const aclError aclRet = (call);                                                                  \
    if (aclRet != ACL_SUCCESS) {                                                                     \
      const char* msg = aclGetRecentErrMsg();                                                        \
      fprintf(stderr, "%s:%d %s gives %d: %s\n", __FILE__, __LINE__, #call, aclRet, msg ? msg : ""); \
      exit(1);                                                                                       \
    }                                                                                                \
  } while (0)

static bool g_isExit = false;
static aclrtContext g_context = nullptr;
static uint32_t g_callbacks = 0;
static pthread_t g_reporter;
static bool g_onReporter = true;

static void* ProcessCallback(void*) {
  CHECK_ACL(aclrtSetCurrentContext(g_context));
  while (!g_isExit) (void)aclrtProcessReport(100);
  return nullptr;
}

static void CallBackFunc(void* arg) {
  const auto* datasets = static_cast<std::map<aclmdlDataset*, aclmdlDataset*>*>(arg);
  g_callbacks += static_cast<uint32_t>(datasets->size());
  g_onReporter = g_onReporter && pthread_equal(pthread_self(), g_reporter);
}

static void OnException(aclrtExceptionInfo* info) {
  const uint32_t device = aclrtGetDeviceIdFromExceptionInfo(info);
  const uint32_t stream = aclrtGetStreamIdFromExceptionInfo(info);
  const uint32_t task = aclrtGetTaskIdFromExceptionInfo(info);
  char name[256];
  aclTensorDesc* inputs = nullptr;
  aclTensorDesc* outputs = nullptr;
  size_t numInputs = 0, numOutputs = 0;
  if (aclmdlCreateAndGetOpDesc(device, stream, task, name, sizeof name, &inputs, &numInputs, &outputs, &numOutputs) != ACL_SUCCESS) return;
  for (size_t i = 0; i < numInputs; ++i) {
    const aclTensorDesc* desc = aclGetTensorDescByIndex(inputs, i);
    fprintf(stderr, "%s input %zu at %p: %d %d %zu", name, i, aclGetTensorDescAddress(desc), static_cast<int>(aclGetTensorDescType(desc)),
            static_cast<int>(aclGetTensorDescFormat(desc)), aclGetTensorDescSize(desc));
    for (size_t d = 0; d < aclGetTensorDescNumDims(desc); ++d) {
      int64_t dim = 0;
      aclGetTensorDescDimV2(desc, d, &dim);
      fprintf(stderr, " %lld", static_cast<long long>(dim));
    }
    fprintf(stderr, "\n");
  }
  aclDestroyTensorDesc(inputs);
  aclDestroyTensorDesc(outputs);
}

// A dynamic model has one more input; this one must not.
static void AskForGears(uint32_t modelId, aclmdlDesc* desc, aclmdlDataset* dataset) {
  size_t index = 0;
  if (aclmdlGetInputIndexByName(desc, ACL_DYNAMIC_TENSOR_NAME, &index) == ACL_SUCCESS) exit(1);
  aclmdlBatch batch;
  aclmdlHW hw;
  size_t gears = 1;
  CHECK_ACL(aclmdlGetDynamicBatch(desc, &batch));
  CHECK_ACL(aclmdlGetDynamicHW(desc, -1, &hw));
  CHECK_ACL(aclmdlGetInputDynamicGearCount(desc, -1, &gears));
  if (batch.batchCount != 0 || hw.hwCount != 0 || gears != 0) exit(1);
  aclmdlIODims dims;
  CHECK_ACL(aclmdlGetInputDynamicDims(desc, -1, &dims, gears));
  if (aclmdlSetDynamicBatchSize(modelId, dataset, 0, 4) == ACL_SUCCESS) exit(1);
  if (aclmdlSetDynamicHWSize(modelId, dataset, 0, 224, 224) == ACL_SUCCESS) exit(1);
  memset(&dims, 0, sizeof dims);
  dims.dimCount = 4;
  if (aclmdlSetInputDynamicDims(modelId, dataset, 0, &dims) == ACL_SUCCESS) exit(1);
}

static aclmdlDataset* MakeDataset(aclmdlDesc* desc, bool input) {
  aclmdlDataset* dataset = aclmdlCreateDataset();
  const size_t count = input ? aclmdlGetNumInputs(desc) : aclmdlGetNumOutputs(desc);
  for (size_t i = 0; i < count; ++i) {
    const size_t size = input ? aclmdlGetInputSizeByIndex(desc, i) : aclmdlGetOutputSizeByIndex(desc, i);
    void* memory = nullptr;
    CHECK_ACL(aclrtMalloc(&memory, size, ACL_MEM_MALLOC_HUGE_FIRST));
    CHECK_ACL(aclrtMemset(memory, size, 0, size));
    CHECK_ACL(aclmdlAddDatasetBuffer(dataset, aclCreateDataBuffer(memory, size)));
  }
  return dataset;
}

static void FreeDataset(aclmdlDataset* dataset) {
  for (size_t i = 0; i < aclmdlGetDatasetNumBuffers(dataset); ++i) {
    aclDataBuffer* buffer = aclmdlGetDatasetBuffer(dataset, i);
    CHECK_ACL(aclrtFree(aclGetDataBufferAddr(buffer)));
    CHECK_ACL(aclDestroyDataBuffer(buffer));
  }
  CHECK_ACL(aclmdlDestroyDataset(dataset));
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int loops = atoi(argv[2]);
  CHECK_ACL(aclInit(nullptr));
  CHECK_ACL(aclrtSetDevice(0));
  CHECK_ACL(aclrtGetCurrentContext(&g_context));
  CHECK_ACL(aclrtSetExceptionInfoCallback(OnException));
  aclrtStream stream = nullptr;
  CHECK_ACL(aclrtCreateStream(&stream));
  uint32_t modelId = 0;
  CHECK_ACL(aclmdlLoadFromFile(argv[1], &modelId));
  aclmdlDesc* desc = aclmdlCreateDesc();
  CHECK_ACL(aclmdlGetDesc(desc, modelId));

  std::map<aclmdlDataset*, aclmdlDataset*> pool;
  for (int i = 0; i < 4; ++i) pool[MakeDataset(desc, true)] = MakeDataset(desc, false);
  AskForGears(modelId, desc, pool.begin()->first);

  pthread_create(&g_reporter, nullptr, ProcessCallback, nullptr);
  CHECK_ACL(aclrtSubscribeReport(static_cast<uint64_t>(g_reporter), stream));
  for (int i = 0; i < loops; ++i) {
    for (const auto& one : pool) CHECK_ACL(aclmdlExecuteAsync(modelId, one.first, one.second, stream));
    CHECK_ACL(aclrtLaunchCallback(CallBackFunc, &pool, ACL_CALLBACK_BLOCK, stream));
  }
  CHECK_ACL(aclrtSynchronizeStream(stream));
  g_isExit = true;
  CHECK_ACL(aclrtUnSubscribeReport(static_cast<uint64_t>(g_reporter), stream));
  pthread_join(g_reporter, nullptr);

  // All executions had the same input: so have the results.
  const size_t size = aclmdlGetOutputSizeByIndex(desc, 0);
  void* first = aclGetDataBufferAddr(aclmdlGetDatasetBuffer(pool.begin()->second, 0));
  for (const auto& one : pool) {
    if (memcmp(aclGetDataBufferAddr(aclmdlGetDatasetBuffer(one.second, 0)), first, size) != 0) return 1;
  }
  for (const auto& one : pool) {
    FreeDataset(one.first);
    FreeDataset(one.second);
  }
  CHECK_ACL(aclmdlDestroyDesc(desc));
  CHECK_ACL(aclmdlUnload(modelId));
  CHECK_ACL(aclrtDestroyStream(stream));
  CHECK_ACL(aclrtResetDevice(0));
  CHECK_ACL(aclFinalize());
  printf("%u callbacks on %s thread\n", g_callbacks, g_onReporter ? "the reporter's" : "another");
  return g_callbacks == static_cast<uint32_t>(loops) * 4 && g_onReporter ? 0 : 1;
}
