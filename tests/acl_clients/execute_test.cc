// The C API from a client's view: executing, streams and events, callbacks.
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

#include "acl/acl.h"
#include "acl/ops/acl_dvpp.h"
#include "gtest/gtest.h"
#include "runtime/acl/kernels_hook.h"
#include "runtime/om_file.h"
#include "tests/acl_clients/fixture.h"
#include "tests/acl_clients/tiny_model.h"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size != 0 ? size : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace omkit {
namespace {

const bool kHook = acl::SetKernelRegistration(&RegisterTinyKernels);

TEST_F(AclTest, ExecuteComputesAndReusesBuffers) {
  Io io;
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS) << Message();
    for (int i = 0; i < kTinyElements; ++i) ASSERT_EQ(io.y(i), 2.0f * i + kTinyBias);
  }
  aclTensorDesc* desc = aclmdlGetDatasetTensorDesc(io.outputs, 0);
  ASSERT_NE(desc, nullptr);
  EXPECT_EQ(aclGetTensorDescSize(desc), static_cast<size_t>(kTinyBytes));
  EXPECT_EQ(aclGetTensorDescNumDims(desc), 4u);
  aclDestroyTensorDesc(desc);  // owned by the dataset: refused
  EXPECT_EQ(aclGetTensorDescNumDims(desc), 4u);
}

TEST_F(AclTest, ExecuteDoesNotAllocate) {
  Io io;
  Io small(kTinyBytes - 64);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
    ASSERT_EQ(aclmdlExecute(model_, small.inputs, small.outputs), ACL_SUCCESS);
  }
  const int64_t before = allocations;
  for (int i = 0; i < 100; ++i) {
    aclmdlExecute(model_, io.inputs, io.outputs);
    aclmdlExecute(model_, small.inputs, small.outputs);
  }
  EXPECT_EQ(allocations, before);
}

TEST_F(AclTest, InputSizesAroundTheModel) {
  Io small(kTinyBytes - 64);
  ASSERT_EQ(aclmdlExecute(model_, small.inputs, small.outputs), ACL_SUCCESS) << Message();
  EXPECT_EQ(small.y(47), 2.0f * 47 + kTinyBias);
  EXPECT_EQ(small.y(48), kTinyBias);
  Io smaller(kTinyBytes - 65);
  EXPECT_EQ(aclmdlExecute(model_, smaller.inputs, smaller.outputs), static_cast<aclError>(ACL_ERROR_GE_PARAM_INVALID));
  EXPECT_NE(Message().find("input 0 'x' has 191 bytes, the model needs 256"), std::string::npos);
  Io larger(kTinyBytes + 1000);
  EXPECT_EQ(aclmdlExecute(model_, larger.inputs, larger.outputs), ACL_SUCCESS);
  Io short_output(kTinyBytes, kTinyBytes - 1);
  EXPECT_EQ(aclmdlExecute(model_, short_output.inputs, short_output.outputs), static_cast<aclError>(ACL_ERROR_GE_PARAM_INVALID));
}

TEST_F(AclTest, OutputsWithoutMemoryAreAllocated) {
  Io io(kTinyBytes, 0);
  EXPECT_EQ(aclmdlExecuteAsync(model_, io.inputs, io.outputs, nullptr), static_cast<aclError>(ACL_ERROR_GE_PARAM_INVALID));
  ASSERT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  void* made = aclGetDataBufferAddr(io.out_buffer);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(aclGetDataBufferSizeV2(io.out_buffer), static_cast<size_t>(kTinyBytes));
  EXPECT_EQ(static_cast<float*>(made)[3], 6.5f);
  EXPECT_EQ(aclrtFree(made), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclUpdateDataBuffer(io.out_buffer, nullptr, 0), ACL_SUCCESS);
}

TEST_F(AclTest, BadDatasets) {
  Io io;
  EXPECT_EQ(aclmdlExecute(model_, io.outputs, nullptr), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlExecute(model_ + 1, io.inputs, io.outputs), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID));
  EXPECT_EQ(aclUpdateDataBuffer(io.out_buffer, io.in, kTinyBytes), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_ERROR_INVALID_PARAM);
  EXPECT_NE(Message().find("overlaps"), std::string::npos);
  EXPECT_EQ(aclUpdateDataBuffer(io.out_buffer, io.out, kTinyBytes), ACL_SUCCESS);
  EXPECT_EQ(aclmdlAddDatasetBuffer(io.inputs, io.in_buffer), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), static_cast<aclError>(ACL_ERROR_GE_PARAM_INVALID));

  Io shaped;
  const int64_t right[] = {1, 4, 4, 4}, wrong[] = {2, 4, 4, 4};
  aclTensorDesc* desc = aclCreateTensorDesc(ACL_FLOAT, 4, wrong, ACL_FORMAT_NCHW);
  EXPECT_EQ(aclmdlSetDatasetTensorDesc(shaped.inputs, desc, 0), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecute(model_, shaped.inputs, shaped.outputs), static_cast<aclError>(ACL_ERROR_GE_SHAPE_INVALID));
  EXPECT_EQ(aclSetTensorShape(desc, 4, right), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetDatasetTensorDesc(shaped.inputs, desc, 0), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetDatasetTensorDesc(shaped.inputs, desc, 1), ACL_ERROR_INVALID_PARAM);
  aclDestroyTensorDesc(desc);
  EXPECT_EQ(aclmdlExecute(model_, shaped.inputs, shaped.outputs), ACL_SUCCESS);
}

TEST_F(AclTest, HostMemoryIsAcceptedByDefault) {
  std::vector<float> x(kTinyElements, 3), y(kTinyElements);
  Io io;
  EXPECT_EQ(aclUpdateDataBuffer(io.in_buffer, x.data(), kTinyBytes), ACL_SUCCESS);
  EXPECT_EQ(aclUpdateDataBuffer(io.out_buffer, y.data(), kTinyBytes), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_EQ(y[63], 6.5f);
}

TEST_F(AclTest, ManyThreadsOneModel) {
  aclrtContext context = nullptr;
  ASSERT_EQ(aclrtGetCurrentContext(&context), ACL_SUCCESS);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      aclrtSetCurrentContext(context);
      Io io;
      for (int round = 0; round < 50; ++round) {
        static_cast<float*>(io.in)[5] = static_cast<float>(t * 100 + round);
        if (aclmdlExecute(model_, io.inputs, io.outputs) != ACL_SUCCESS || io.y(5) != 2.0f * (t * 100 + round) + kTinyBias) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(AclTest, UnloadWhileExecuting) {
  uint32_t id = 0;
  ASSERT_EQ(aclmdlLoadFromFile(path_.c_str(), &id), ACL_SUCCESS);
  EXPECT_NE(id, model_);
  aclrtContext context = nullptr;
  aclrtGetCurrentContext(&context);
  std::atomic<bool> started{false};
  std::thread worker([&] {
    aclrtSetCurrentContext(context);
    Io io;
    aclError code = ACL_SUCCESS;
    while (code == ACL_SUCCESS) {
      code = aclmdlExecute(id, io.inputs, io.outputs);
      started = true;
    }
    EXPECT_EQ(code, static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID));
  });
  while (!started) std::this_thread::yield();
  EXPECT_EQ(aclmdlUnload(id), ACL_SUCCESS);
  worker.join();
  EXPECT_EQ(aclmdlUnload(id), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID));
}

TEST_F(AclTest, StreamsRunInOrderAndEventsOrderStreams) {
  Io io;
  aclrtStream a = nullptr, b = nullptr;
  aclrtEvent start = nullptr, done = nullptr;
  ASSERT_EQ(aclrtCreateStream(&a), ACL_SUCCESS);
  ASSERT_EQ(aclrtCreateStreamWithConfig(&b, 0, ACL_STREAM_FAST_LAUNCH), ACL_SUCCESS);
  ASSERT_EQ(aclrtCreateEvent(&start), ACL_SUCCESS);
  ASSERT_EQ(aclrtCreateEventWithFlag(&done, ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE), ACL_SUCCESS);
  aclrtEventRecordedStatus recorded = ACL_EVENT_RECORDED_STATUS_COMPLETE;
  EXPECT_EQ(aclrtQueryEventStatus(done, &recorded), ACL_SUCCESS);
  EXPECT_EQ(recorded, ACL_EVENT_RECORDED_STATUS_NOT_READY);
  float ms = -1;
  EXPECT_EQ(aclrtEventElapsedTime(&ms, start, done), ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID);

  std::vector<float> host(kTinyElements, 10), result(kTinyElements);
  EXPECT_EQ(aclrtRecordEvent(start, a), ACL_SUCCESS);
  EXPECT_EQ(aclrtLaunchHostFunc(
                a, [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(30)); }, nullptr),
            ACL_SUCCESS);
  EXPECT_EQ(aclrtMemcpyAsync(io.in, kTinyBytes, host.data(), kTinyBytes, ACL_MEMCPY_HOST_TO_DEVICE, a), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecuteAsync(model_, io.inputs, io.outputs, a), ACL_SUCCESS);
  EXPECT_EQ(aclrtRecordEvent(done, a), ACL_SUCCESS);
  EXPECT_EQ(aclrtStreamWaitEvent(b, done), ACL_SUCCESS);
  EXPECT_EQ(aclrtMemcpyAsync(result.data(), kTinyBytes, io.out, kTinyBytes, ACL_MEMCPY_DEVICE_TO_HOST, b), ACL_SUCCESS);
  aclrtStreamStatus status = ACL_STREAM_STATUS_COMPLETE;
  EXPECT_EQ(aclrtStreamQuery(b, &status), ACL_SUCCESS);
  EXPECT_EQ(status, ACL_STREAM_STATUS_NOT_READY);
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(b, 1), ACL_ERROR_RT_WAIT_TIMEOUT);
  EXPECT_EQ(aclrtSynchronizeStream(b), ACL_SUCCESS);
  EXPECT_EQ(result[7], 20.5f);
  EXPECT_EQ(aclrtSynchronizeEvent(done), ACL_SUCCESS);
  EXPECT_EQ(aclrtQueryEventStatus(done, &recorded), ACL_SUCCESS);
  EXPECT_EQ(recorded, ACL_EVENT_RECORDED_STATUS_COMPLETE);
  aclrtEventStatus old_status = ACL_EVENT_STATUS_NOT_READY;
  EXPECT_EQ(aclrtQueryEvent(done, &old_status), ACL_SUCCESS);
  EXPECT_EQ(old_status, ACL_EVENT_STATUS_COMPLETE);
  EXPECT_EQ(aclrtEventElapsedTime(&ms, start, done), ACL_SUCCESS);
  EXPECT_GE(ms, 29);
  EXPECT_LT(ms, 10000);
  EXPECT_EQ(aclrtEventElapsedTime(&ms, done, start), ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL);
  EXPECT_EQ(aclrtSynchronizeDevice(), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyStream(a), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyStreamForce(b), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyStream(a), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_EQ(aclrtDestroyEvent(start), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyEvent(done), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyEvent(done), ACL_ERROR_RT_INVALID_HANDLE);
}

TEST_F(AclTest, MemoryFreedAfterAnAsynchronousCallStaysMapped) {
  Io io;
  EXPECT_EQ(aclrtLaunchHostFunc(
                nullptr, [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }, nullptr),
            ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecuteAsync(model_, io.inputs, io.outputs, nullptr), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(io.in), ACL_SUCCESS);
  EXPECT_EQ(aclrtFree(io.out), ACL_SUCCESS);
  io.in = io.out = nullptr;
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
}

struct CallbackState {
  std::atomic<int> calls{0};
  std::atomic<bool> stop{false};
  std::thread::id thread;
};

TEST_F(AclTest, CallbacksRunOnTheSubscribedThread) {
  aclrtStream stream = nullptr;
  ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
  CallbackState state;
  const auto callback = [](void* data) {
    auto* s = static_cast<CallbackState*>(data);
    s->thread = std::this_thread::get_id();
    ++s->calls;
  };
  EXPECT_EQ(aclrtLaunchCallback(callback, &state, ACL_CALLBACK_BLOCK, stream), ACL_ERROR_RT_STREAM_NO_CB_REG);
  EXPECT_EQ(aclrtProcessReport(0), ACL_ERROR_RT_THREAD_SUBSCRIBE);
  std::thread reporter([&] {
    while (!state.stop) {
      const aclError code = aclrtProcessReport(20);
      EXPECT_TRUE(code == ACL_SUCCESS || code == ACL_ERROR_RT_REPORT_TIMEOUT || code == ACL_ERROR_RT_THREAD_SUBSCRIBE) << code;
    }
  });
  const uint64_t thread = static_cast<uint64_t>(reporter.native_handle());
  EXPECT_EQ(aclrtSubscribeReport(thread, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSubscribeReport(thread, stream), ACL_ERROR_RT_STREAM_SUBSCRIBE);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(aclrtLaunchCallback(callback, &state, ACL_CALLBACK_BLOCK, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS);
  EXPECT_EQ(state.calls, 5);
  EXPECT_EQ(state.thread, reporter.get_id());
  EXPECT_EQ(aclrtLaunchCallback(nullptr, &state, ACL_CALLBACK_BLOCK, stream), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclrtUnSubscribeReport(thread + 1, stream), ACL_ERROR_RT_THREAD_SUBSCRIBE);
  EXPECT_EQ(aclrtUnSubscribeReport(thread, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtUnSubscribeReport(thread, stream), ACL_ERROR_RT_THREAD_SUBSCRIBE);
  state.stop = true;
  reporter.join();
  EXPECT_EQ(aclrtDestroyStream(stream), ACL_SUCCESS);
}

TEST_F(AclTest, ABlockingCallbackNobodyProcessesDoesNotHoldUpTheEnd) {
  aclrtStream stream = nullptr;
  ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSubscribeReport(12345, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtLaunchCallback([](void*) { FAIL(); }, nullptr, ACL_CALLBACK_BLOCK, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream, 30), ACL_ERROR_RT_WAIT_TIMEOUT);
  EXPECT_EQ(aclrtDestroyStream(stream), ACL_SUCCESS);
}

TEST_F(AclTest, HostFunctionsMustNotWaitForStreams) {
  static aclError code;
  code = ACL_SUCCESS;
  EXPECT_EQ(aclrtLaunchHostFunc(
                nullptr,
                [](void* context) {
                  aclrtSetCurrentContext(context);
                  code = aclrtSynchronizeStream(nullptr);
                  if (code == ACL_ERROR_RT_PARAM_INVALID && aclFinalize() == ACL_SUCCESS) code = ACL_SUCCESS;
                },
                [] {
                  aclrtContext context = nullptr;
                  aclrtGetCurrentContext(&context);
                  return context;
                }()),
            ACL_SUCCESS);
  EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
  EXPECT_EQ(code, ACL_ERROR_RT_PARAM_INVALID);
}
}  // namespace
}  // namespace omkit
