#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "base/cpu.h"

namespace omkit {
namespace {

TEST(ThreadPool, EachWorkerRunsOnce) {
  for (int threads = 1; threads <= 5; ++threads) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.size(), threads);
    std::vector<int> calls(threads, 0);
    const auto caller = std::this_thread::get_id();
    bool caller_is_zero = false;
    for (int round = 0; round < 200; ++round) {
      pool.Run([&](int thread) {
        ++calls[thread];
        if (thread == 0) caller_is_zero = std::this_thread::get_id() == caller;
      });
    }
    EXPECT_EQ(calls, std::vector<int>(threads, 200));
    EXPECT_TRUE(caller_is_zero);
  }
}

// Each phase reads what all threads wrote in the phase before: a missing barrier shows as a wrong sum, and as a race under TSan.
TEST(ThreadPool, BarrierSeparatesPhases) {
  constexpr int kPhases = 300;
  for (int threads : {2, 3, 4}) {
    ThreadPool pool(threads);
    std::vector<int64_t> values(threads, 1);
    std::vector<int64_t> next(threads, 0);
    std::atomic<int> wrong{0};
    pool.Run([&](int thread) {
      for (int phase = 0; phase < kPhases; ++phase) {
        const int64_t sum = std::accumulate(values.begin(), values.end(), int64_t{0});
        next[thread] = phase + 2;
        if (sum != int64_t{threads} * (phase + 1)) ++wrong;
        pool.Barrier(thread);
        values[thread] = next[thread];
        pool.Barrier(thread);
      }
    });
    EXPECT_EQ(wrong, 0);
  }
}

TEST(ThreadPool, WakesSleepingWorkers) {
  ThreadPool pool(3);
  std::atomic<int> calls{0};
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    pool.Run([&](int) { ++calls; });
  }
  EXPECT_EQ(calls, 15);
}

TEST(ThreadPool, CallersTakeTurns) {
  ThreadPool pool(2);
  std::atomic<int> inside{0}, worst{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        pool.Run([&](int) {
          const int now = ++inside;
          int seen = worst;
          while (now > seen && !worst.compare_exchange_weak(seen, now)) {
          }
          --inside;
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_LE(worst, 2);
}

TEST(ThreadPool, TryRunRefusesWhileBusy) {
  ThreadPool pool(2);
  bool refused = false;
  pool.Run([&](int thread) {
    if (thread != 0) return;
    std::thread other([&] { refused = !pool.TryRun([](int) { FAIL() << "ran beside another Run"; }); });
    other.join();
  });
  EXPECT_TRUE(refused);
  std::atomic<int> calls{0};
  EXPECT_TRUE(pool.TryRun([&](int) { ++calls; }));
  EXPECT_EQ(calls, 2);
}

TEST(SplitRange, CoversEverythingOnce) {
  for (int64_t count : {0, 1, 7, 64, 1000}) {
    for (int64_t unit : {1, 4, 16}) {
      for (int threads = 1; threads <= 9; ++threads) {
        int64_t at = 0;
        for (int thread = 0; thread < threads; ++thread) {
          const Range range = SplitRange(count, unit, thread, threads);
          EXPECT_EQ(range.begin, at);
          EXPECT_GE(range.end, range.begin);
          at = range.end;
        }
        EXPECT_EQ(at, count);
      }
    }
  }
}

TEST(Cpu, NamesRoundTrip) {
  for (int i = 0; i <= static_cast<int>(Isa::kI8mm); ++i) {
    Isa isa;
    ASSERT_TRUE(FindIsa(IsaName(static_cast<Isa>(i)), &isa));
    EXPECT_EQ(static_cast<int>(isa), i);
  }
  Isa isa;
  EXPECT_FALSE(FindIsa("sse9", &isa));
}

TEST(Cpu, BestTierIsSupported) {
  EXPECT_TRUE(CpuSupports(Isa::kGeneric));
  EXPECT_TRUE(CpuSupports(BestIsa()));
  EXPECT_GE(CpuCores(), 1);
#if defined(__x86_64__)
  EXPECT_FALSE(CpuSupports(Isa::kNeon));
  // The compiler's own detection of the same CPU.
  __builtin_cpu_init();
  if (std::getenv("OMKIT_ISA") == nullptr) {
    EXPECT_EQ(CpuSupports(Isa::kAvx2), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
    EXPECT_EQ(CpuSupports(Isa::kAvx512Vnni), __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
                                                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                                                 __builtin_cpu_supports("avx512dq"));
  }
#elif defined(__aarch64__)
  EXPECT_TRUE(CpuSupports(Isa::kNeon));
#endif
}

}  // namespace
}  // namespace omkit
