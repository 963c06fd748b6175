// Many threads and streams execute one model while others load and unload models and switch profiling on and off: results stay the same bits,
// and the thread sanitizer finds nothing (./bazelw test --config=tsan //tests/acl_clients:threads_test).
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "acl/acl.h"
#include "acl/acl_prof.h"
#include "gtest/gtest.h"
#include "runtime/acl/kernels_hook.h"
#include "tests/acl_clients/fixture.h"

namespace omkit {
namespace {

const bool kHook = acl::SetKernelRegistration(&RegisterTinyKernels);
constexpr int kThreads = 8;
constexpr int kExecutions = 10000;

struct Shared {
  aclrtContext context = nullptr;
  uint32_t model = 0;
  std::atomic<int> running{0};
  std::atomic<int> wrong{0};
};

// Even threads call aclmdlExecute, odd ones go through a stream of their own. Inputs change from execution to execution.
void Execute(Shared* shared, int number) {
  if (aclrtSetCurrentContext(shared->context) != ACL_SUCCESS) ++shared->wrong;
  Io io;
  aclrtStream stream = nullptr;
  if (number % 2 == 1 && aclrtCreateStream(&stream) != ACL_SUCCESS) ++shared->wrong;
  float expected[kTinyElements];
  for (int round = 0; round < kExecutions; ++round) {
    float* const x = static_cast<float*>(io.in);
    for (int i = 0; i < kTinyElements; ++i) {
      x[i] = static_cast<float>(number * kExecutions + round) + static_cast<float>(i) / 64;
      expected[i] = 2 * x[i] + kTinyBias;
    }
    aclError code = ACL_SUCCESS;
    if (stream == nullptr) {
      code = aclmdlExecute(shared->model, io.inputs, io.outputs);
    } else {
      code = aclmdlExecuteAsync(shared->model, io.inputs, io.outputs, stream);
      if (code == ACL_SUCCESS) code = aclrtSynchronizeStream(stream);
    }
    if (code != ACL_SUCCESS || std::memcmp(io.out, expected, kTinyBytes) != 0) ++shared->wrong;
  }
  if (stream != nullptr && aclrtDestroyStream(stream) != ACL_SUCCESS) ++shared->wrong;
  --shared->running;
}

void LoadAndUnload(Shared* shared, const std::string& path) {
  if (aclrtSetCurrentContext(shared->context) != ACL_SUCCESS) ++shared->wrong;
  Io io;
  while (shared->running > 0) {
    uint32_t id = 0;
    if (aclmdlLoadFromFile(path.c_str(), &id) != ACL_SUCCESS || id == shared->model) ++shared->wrong;
    if (aclmdlExecute(id, io.inputs, io.outputs) != ACL_SUCCESS || io.y(3) != 6.5f) ++shared->wrong;
    if (aclmdlUnload(id) != ACL_SUCCESS) ++shared->wrong;
  }
}

void ToggleProfiling(Shared* shared) {
  uint32_t device = 0;
  aclprofConfig* config = aclprofCreateConfig(&device, 1, ACL_AICORE_NONE, nullptr, ACL_PROF_ACL_API | ACL_PROF_TASK_TIME);
  while (shared->running > 0) {
    if (aclprofStart(config) != ACL_SUCCESS) ++shared->wrong;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (aclprofStop(config) != ACL_SUCCESS) ++shared->wrong;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (aclprofDestroyConfig(config) != ACL_SUCCESS) ++shared->wrong;
}

TEST(ThreadsTest, OneModelManyThreadsStreamsLoadsAndProfiles) {
  setenv("OMKIT_NUM_THREADS", "2", 1);
  const std::string path = TempPath("threads.om");
  runtime::Program program = TinyProgram();
  program.steps[0].operations = 1'000'000;  // worth all threads, so that executions compete for the pool
  ASSERT_TRUE(WriteTinyModel(path, program));
  ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
  ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  Shared shared;
  ASSERT_EQ(aclrtGetCurrentContext(&shared.context), ACL_SUCCESS);
  ASSERT_EQ(aclmdlLoadFromFile(path.c_str(), &shared.model), ACL_SUCCESS) << Message();
  const std::string folder = testing::TempDir();
  ASSERT_EQ(aclprofInit(folder.c_str(), folder.size()), ACL_SUCCESS) << Message();
  shared.running = kThreads;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(&Execute, &shared, t);
  threads.emplace_back(&LoadAndUnload, &shared, path);
  threads.emplace_back(&ToggleProfiling, &shared);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.wrong, 0);
  EXPECT_EQ(aclprofFinalize(), ACL_SUCCESS) << Message();
  EXPECT_EQ(aclmdlUnload(shared.model), ACL_SUCCESS);
  EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
}

}  // namespace
}  // namespace omkit
