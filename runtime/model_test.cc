#include "runtime/model.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <gtest/gtest.h>

#include "base/cpu.h"
#include "runtime/fake_kernels.h"
#include "runtime/soc.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OMKIT_SANITIZED 1
#else
#define OMKIT_SANITIZED 0
// Counts every heap call of the process, whoever makes it.
static std::atomic<int64_t> heap_calls{0};
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
void* malloc(size_t n) {
  ++heap_calls;
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t m) {
  ++heap_calls;
  return __libc_calloc(n, m);
}
void* realloc(void* p, size_t n) {
  ++heap_calls;
  return __libc_realloc(p, n);
}
int posix_memalign(void** p, size_t alignment, size_t n) {
  ++heap_calls;
  *p = __libc_memalign(alignment, n);
  return *p == nullptr;
}
void free(void* p) {
  heap_calls += p != nullptr;
  __libc_free(p);
}
}
#endif

namespace omkit::runtime {
namespace {

class ModelTest : public ::testing::Test {
 protected:
  ModelTest() { RegisterFakeKernels(); }
};

std::vector<float> RandomInput(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> x(kFakeElements);
  for (float& v : x) v = static_cast<float>(random() % 1000) / 8;
  return x;
}

absl::Status Execute(Model* model, const std::vector<float>& x, std::vector<float>* y, Profiler* profiler = nullptr) {
  y->assign(kFakeElements, -1);
  const void* input = x.data();
  void* output = y->data();
  return model->Execute({&input, 1}, {&output, 1}, profiler);
}

std::unique_ptr<Model> LoadFake(const ModelOptions& options, Program program = FakeProgram()) {
  absl::StatusOr<LoadedOm> om = LoadedOmFrom(std::move(program));
  EXPECT_TRUE(om.ok()) << om.status();
  absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(*std::move(om), options);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

absl::Status LoadError(Program program, ModelOptions options = {}) {
  absl::StatusOr<LoadedOm> om = LoadedOmFrom(std::move(program));
  return om.ok() ? Model::Load(*std::move(om), options).status() : om.status();
}

TEST_F(ModelTest, AllThreadCountsAgree) {
  for (int threads = 1; threads <= 4; ++threads) {
    ModelOptions options;
    options.threads = threads;
    const std::unique_ptr<Model> model = LoadFake(options);
    EXPECT_EQ(model->threads(), threads);
    for (uint32_t seed = 0; seed < 50; ++seed) {
      const std::vector<float> x = RandomInput(seed);
      std::vector<float> y;
      ASSERT_TRUE(Execute(model.get(), x, &y).ok());
      ASSERT_EQ(y, FakeResult(x)) << threads << " threads";
    }
  }
}

// Small steps run on one thread and meet the others only around large ones; a failure in any of them must release all threads.
TEST_F(ModelTest, AnyMixOfSmallAndLargeSteps) {
  for (int mix = 0; mix < 32; ++mix) {
    Program program = FakeProgram();
    program.steps[1].kernel = "fake.fail_if_negative";
    const Step again = program.steps[1];
    program.steps.insert(program.steps.begin() + 2, {again, again});
    for (size_t i = 0; i < program.steps.size(); ++i) program.steps[i].operations = (mix >> i & 1) ? kFakeOperations : 1;
    for (int threads = 1; threads <= 3; ++threads) {
      ModelOptions options;
      options.threads = threads;
      const std::unique_ptr<Model> model = LoadFake(options, program);
      Profiler profiler(program.steps.size());
      for (int round = 0; round < 8; ++round) {
        const std::vector<float> good = RandomInput(round);
        std::vector<float> bad = good, y;
        bad[12 * round] = -1000;
        ASSERT_TRUE(Execute(model.get(), good, &y, round % 2 ? &profiler : nullptr).ok());
        EXPECT_EQ(y, FakeResult(good)) << "mix " << mix << ", " << threads << " threads";
        const absl::Status status = Execute(model.get(), bad, &y, round % 2 ? &profiler : nullptr);
        EXPECT_NE(status.message().find("step 1 (node 'scale'"), absl::string_view::npos) << status;
        EXPECT_EQ(y[0], -1) << "a later step ran";
      }
    }
  }
}

TEST_F(ModelTest, ManyCallersShareOneModel) {
  ModelOptions options;
  options.threads = 2;
  options.max_concurrency = 3;
  const std::unique_ptr<Model> model = LoadFake(options);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (uint32_t caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&, caller] {
      for (uint32_t round = 0; round < 200; ++round) {
        const std::vector<float> x = RandomInput(caller * 1000 + round);
        std::vector<float> y;
        if (!Execute(model.get(), x, &y).ok() || y != FakeResult(x)) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ModelTest, CallersBuffersMayBeUnaligned) {
  const std::unique_ptr<Model> model = LoadFake({});
  const std::vector<float> x = RandomInput(1);
  std::vector<char> in(x.size() * 4 + 1), out(x.size() * 4 + 3);
  std::memcpy(in.data() + 1, x.data(), x.size() * 4);
  const void* input = in.data() + 1;
  void* output = out.data() + 3;
  ASSERT_TRUE(model->Execute({&input, 1}, {&output, 1}).ok());
  EXPECT_EQ(std::memcmp(output, FakeResult(x).data(), x.size() * 4), 0);
}

TEST_F(ModelTest, SteadyStateAllocatesNothing) {
#if OMKIT_SANITIZED
  GTEST_SKIP() << "skipped: the sanitizer owns malloc";
#else
  for (int threads : {1, 2}) {
    ModelOptions options;
    options.threads = threads;
    const std::unique_ptr<Model> model = LoadFake(options);
    const std::vector<float> x = RandomInput(2);
    std::vector<float> y(kFakeElements);
    const void* input = x.data();
    void* output = y.data();
    int failures = 0;
    for (int i = 0; i < 10; ++i) failures += !model->Execute({&input, 1}, {&output, 1}).ok();
    const int64_t before = heap_calls;
    for (int i = 0; i < 3000; ++i) failures += !model->Execute({&input, 1}, {&output, 1}).ok();
    const int64_t after = heap_calls;
    EXPECT_EQ(after - before, 0) << threads << " threads";
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(y, FakeResult(x));
    std::vector<int> proof(100);
    EXPECT_GT(heap_calls, after) << "the counter does not count";
  }
#endif
}

TEST_F(ModelTest, WrongBuffersAreRefused) {
  const std::unique_ptr<Model> model = LoadFake({});
  std::vector<float> x(kFakeElements), y(kFakeElements);
  const void* inputs[] = {x.data(), x.data()};
  void* outputs[] = {y.data(), y.data()};
  const void* no_input = nullptr;
  void* no_output = nullptr;
  EXPECT_EQ(model->Execute({inputs, 2}, {outputs, 1}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(model->Execute({inputs, 1}, {outputs, 2}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(model->Execute({inputs, 1}, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(model->Execute({&no_input, 1}, {outputs, 1}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(model->Execute({inputs, 1}, {&no_output, 1}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ModelTest, FullConcurrencyWaits) {
  ModelOptions options;
  options.threads = 1;
  options.max_concurrency = 1;
  const std::unique_ptr<Model> model = LoadFake(options);
  absl::StatusOr<Workspace*> workspace = model->TakeWorkspace();
  ASSERT_TRUE(workspace.ok());
  std::atomic<bool> done{false};
  std::thread waiter([&] {
    std::vector<float> y;
    EXPECT_TRUE(Execute(model.get(), RandomInput(0), &y).ok());
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(done);
  model->ReturnWorkspace(*workspace);
  waiter.join();
  EXPECT_TRUE(done);
}

TEST_F(ModelTest, ArenaCanBeReadAfterwards) {
  const std::unique_ptr<Model> model = LoadFake({});
  const std::vector<float> x = RandomInput(3);
  std::vector<float> y(kFakeElements);
  const void* input = x.data();
  void* output = y.data();
  absl::StatusOr<Workspace*> workspace = model->TakeWorkspace();
  ASSERT_TRUE(workspace.ok() && model->ExecuteIn(*workspace, {&input, 1}, {&output, 1}).ok());
  float sum0;
  std::memcpy(&sum0, (*workspace)->ArenaData(model->program().steps[0].operands[2]), sizeof sum0);
  EXPECT_EQ(sum0, x[0] + static_cast<float>(kFakeElements - 1) / 4);
  model->ReturnWorkspace(*workspace);
}

TEST_F(ModelTest, FailedStepsAreReportedAndTheModelGoesOn) {
  Program program = FakeProgram();
  program.steps[1].kernel = "fake.fail_if_negative";
  for (int threads = 1; threads <= 4; ++threads) {
    ModelOptions options;
    options.threads = threads;
    const std::unique_ptr<Model> model = LoadFake(options, program);
    for (int round = 0; round < 100; ++round) {
      const std::vector<float> good = RandomInput(round);
      std::vector<float> bad = good, y;
      bad[round] = -1000;
      const absl::Status status = Execute(model.get(), bad, &y);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(status.message(), "step 1 (node 'scale', Mul, kernel fake.fail_if_negative): a negative element");
      EXPECT_EQ(y[0], -1) << "a later step ran";
      ASSERT_TRUE(Execute(model.get(), good, &y).ok());
      EXPECT_EQ(y, FakeResult(good));
    }
  }
}

TEST_F(ModelTest, ProfilerSeesEveryStep) {
  for (int threads : {1, 2}) {
    ModelOptions options;
    options.threads = threads;
    const std::unique_ptr<Model> model = LoadFake(options);
    Profiler profiler(model->program().steps.size(), 2);
    std::vector<float> y;
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(Execute(model.get(), RandomInput(i), &y, &profiler).ok());
    EXPECT_EQ(y, FakeResult(RandomInput(4)));
    ASSERT_EQ(profiler.statistics().size(), 3u);
    for (const StepStatistics& s : profiler.statistics()) {
      EXPECT_EQ(s.executions, 5);
      EXPECT_LE(s.least_ns, s.most_ns);
      EXPECT_GE(s.total_ns, s.most_ns);
      EXPECT_GE(s.least_ns, 0);
    }
    const auto timelines = profiler.timelines();
    ASSERT_EQ(timelines.size(), 2u);
    EXPECT_GE(timelines[0][1].begin_ns, timelines[0][0].end_ns);
    EXPECT_GE(timelines[1][0].begin_ns, timelines[0][2].end_ns);
  }
}

#if defined(__x86_64__)
TEST_F(ModelTest, HostsFloatEnvironmentDoesNotMatter) {
  // 3 * sum with sums that are denormal: flush-to-zero would give 0, rounding up another last bit.
  Program program = FakeProgram();
  std::fill(program.weights.begin(), program.weights.end(), 0);
  for (int threads : {1, 3}) {
    ModelOptions options;
    options.threads = threads;
    const std::unique_ptr<Model> model = LoadFake(options, program);
    std::vector<float> x(kFakeElements, 1e-40f), expected, y;
    for (float& v : x) v += 1e-44f;
    ASSERT_TRUE(Execute(model.get(), x, &expected).ok());
    ASSERT_GT(expected[5], 3.9e-40f);
    const unsigned before = _mm_getcsr();
    const unsigned hostile = (before | 0x8040) | 0x4000;  // flush to zero, denormals are zero, round up
    _mm_setcsr(hostile);
    const absl::Status status = Execute(model.get(), x, &y);
    const unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    EXPECT_TRUE(status.ok());
    EXPECT_EQ(after & 0xE040, hostile & 0xE040);
    EXPECT_EQ(std::memcmp(y.data(), expected.data(), y.size() * 4), 0) << threads << " threads";
  }
}
#endif

TEST_F(ModelTest, AnotherChipsModelIsRefused) {
  Program program = FakeProgram();
  program.soc_version = absl::string_view(HostSoc().name) == "npu-int8-generic" ? "npu-int8-avx2" : "npu-int8-generic";
  const absl::Status status = LoadError(program);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(HostSoc().name), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find(program.soc_version), absl::string_view::npos) << status;
  ModelOptions options;
  options.check_soc = false;
  EXPECT_TRUE(LoadError(program, options).ok());
  program.isa = CpuSupports(Isa::kNeon) ? "avx2" : "neon";
  EXPECT_EQ(LoadError(program, options).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ModelTest, KernelsAreChecked) {
  Program unknown = FakeProgram();
  unknown.steps[1].kernel = "fake.scala";
  EXPECT_EQ(LoadError(unknown).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(LoadError(unknown).message().find("nearest is 'fake.scale'"), absl::string_view::npos) << LoadError(unknown);
  EXPECT_NE(LoadError(unknown).message().find("step 1 (node 'scale'"), absl::string_view::npos) << LoadError(unknown);

  Program refused = FakeProgram();
  refused.steps[1].params.pop_back();
  EXPECT_NE(LoadError(refused).message().find("bad params size"), absl::string_view::npos);

  Program writes_weights = FakeProgram();
  writes_weights.steps[1].operands[1] = writes_weights.steps[0].operands[1];
  EXPECT_NE(LoadError(writes_weights).message().find("lies in the weights"), absl::string_view::npos) << LoadError(writes_weights);

  Program writes_input = FakeProgram();
  writes_input.steps[1].operands[1] = writes_input.steps[0].operands[0];
  EXPECT_NE(LoadError(writes_input).message().find("lies in an input"), absl::string_view::npos) << LoadError(writes_input);

  Program fails = FakeProgram();
  fails.steps[2].kernel = "fake.fail";
  EXPECT_NE(LoadError(fails).message().find("prepare refuses"), absl::string_view::npos);

  Program greedy = FakeProgram();
  greedy.steps[1].params = ParamBytes(FakeParams{kFakeElements, 3, 1 << 30});
  ModelOptions options;
  options.threads = 4;
  options.scratch_limit = uint64_t{1} << 31;
  EXPECT_EQ(LoadError(greedy, options).code(), absl::StatusCode::kResourceExhausted);
  greedy.steps[1].params = ParamBytes(FakeParams{kFakeElements, 3, -1000});
  EXPECT_EQ(LoadError(greedy, options).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ModelTest, ThreadCountComesFromOptionThenEnvironmentThenCores) {
  setenv("OMKIT_NUM_THREADS", "3", 1);
  EXPECT_EQ(*ResolveThreads(0), 3);
  EXPECT_EQ(*ResolveThreads(2), 2);
  for (const char* bad : {"0", "-1", "x", "99999"}) {
    setenv("OMKIT_NUM_THREADS", bad, 1);
    EXPECT_EQ(ResolveThreads(0).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  unsetenv("OMKIT_NUM_THREADS");
  EXPECT_EQ(*ResolveThreads(0), CpuCores());
  EXPECT_FALSE(ResolveThreads(-1).ok());
  EXPECT_EQ(SharedThreadPool(1), nullptr);
  const std::shared_ptr<ThreadPool> pool = SharedThreadPool(2);
  EXPECT_EQ(pool, SharedThreadPool(2));
}

TEST_F(ModelTest, WorksInMemoryOfTheCaller) {
  const auto reference = LoadFake({});
  const std::vector<float> x = RandomInput(7);
  std::vector<float> wanted, y;
  ASSERT_TRUE(Execute(reference.get(), x, &wanted).ok());
  std::vector<uint8_t> memory(reference->workspace_bytes() + 64, 0xA5);
  uint8_t* const work = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64;
  ModelOptions options;
  options.make_workspace = false;
  const auto first = LoadFake(options), second = LoadFake(options);
  EXPECT_EQ(first->WorkIn(work, first->workspace_bytes() - 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(first->WorkIn(work + 1, first->workspace_bytes()).code(), absl::StatusCode::kInvalidArgument);
  for (Model* model : {first.get(), second.get()}) ASSERT_TRUE(model->WorkIn(work, model->workspace_bytes()).ok());
  const std::vector<uint8_t> before = memory;
  for (Model* model : {first.get(), second.get(), first.get()}) {
    ASSERT_TRUE(Execute(model, x, &y).ok());
    EXPECT_EQ(y, wanted);
  }
  EXPECT_NE(memory, before);  // it really worked there
  const void* input = x.data();
  void* output = y.data();
  std::fill(y.begin(), y.end(), 0.0f);
  ASSERT_TRUE(reference->ExecuteAt(work, reference->workspace_bytes(), {&input, 1}, {&output, 1}).ok());
  EXPECT_EQ(y, wanted);
  EXPECT_FALSE(reference->ExecuteAt(work, 1, {&input, 1}, {&output, 1}).ok());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<float> own;
      for (int i = 0; i < 20; ++i) wrong += !Execute(first.get(), x, &own).ok() || own != wanted;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ModelTest, ObserverSeesEachStepOnce) {
  class Watch : public StepObserver {
   public:
    void AfterStep(size_t step, const Memory& memory) override {
      steps.push_back(step);
      TensorRecord record;
      record.in_memory = true;
      record.space = Space::kOutput;
      std::memcpy(&first_output, memory.Find(record), sizeof first_output);
      record.space = Space::kInput;
      EXPECT_EQ(memory.Find(record), static_cast<const uint8_t*>(memory.inputs[0]));
      record.in_memory = false;
      EXPECT_EQ(memory.Find(record), nullptr);
    }
    std::vector<size_t> steps;
    float first_output = 0;
  };
  ModelOptions options;
  options.threads = 2;
  const auto model = LoadFake(options);
  const std::vector<float> x = RandomInput(3);
  std::vector<float> y(kFakeElements);
  const void* input = x.data();
  void* output = y.data();
  Watch watch;
  ASSERT_TRUE(model->Execute({&input, 1}, {&output, 1}, nullptr, &watch).ok());
  EXPECT_EQ(watch.steps, (std::vector<size_t>{0, 1, 2}));
  EXPECT_EQ(watch.first_output, FakeResult(x)[0]);
}

}  // namespace
}  // namespace omkit::runtime
