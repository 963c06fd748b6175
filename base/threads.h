// A pool for data-parallel steps: the caller's thread is worker 0, the others spin for a while and then sleep. Floor 1.
#ifndef OMKIT_BASE_THREADS_H_
#define OMKIT_BASE_THREADS_H_

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"

namespace omkit {

// One Run at a time; a second caller waits for its turn. No allocation, and no system call while workers are still spinning.
// A thread that waits spins for 50 us and then sleeps on a futex; with more threads than cores it sleeps at once.
class ThreadPool {
 public:
  // `threads` >= 1, the caller included. Thread creation that fails leaves a smaller pool.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;
  // Calls task(0) ... task(size() - 1), each on its own thread, and returns when all have returned.
  void Run(absl::FunctionRef<void(int)> task);
  // The same, but returns false at once when another Run is under way.
  bool TryRun(absl::FunctionRef<void(int)> task);
  // Inside Run only, and by every thread of it: returns when all size() threads have arrived.
  void Barrier(int thread);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The half-open part of [0, count) that belongs to `thread` of `threads`; parts differ by at most one `unit`.
struct Range {
  int64_t begin;
  int64_t end;
};
inline Range SplitRange(int64_t count, int64_t unit, int thread, int threads) {
  const int64_t units = (count + unit - 1) / unit;
  const int64_t begin = units * thread / threads * unit;
  const int64_t end = units * (thread + 1) / threads * unit;
  return {begin < count ? begin : count, end < count ? end : count};
}

}  // namespace omkit

#endif  // OMKIT_BASE_THREADS_H_
