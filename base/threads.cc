#include "base/threads.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <mutex>
#include <vector>

#include "base/cpu.h"

namespace omkit {
namespace {

constexpr std::chrono::microseconds kSpinTime(50);

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// A counter that threads wait on: spinning first, then asleep. Its cache line is its own.
class alignas(64) Signal {
 public:
  uint32_t value() const { return value_.load(std::memory_order_acquire); }

  // Publishes everything written before, and wakes all waiters.
  void Advance() {
    value_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) Futex(FUTEX_WAKE_PRIVATE, INT_MAX);
  }

  // Returns when the value differs from `old`.
  void WaitWhile(uint32_t old, bool spin) {
    if (spin && SpinWhile(old)) return;
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    while (value_.load(std::memory_order_seq_cst) == old) Futex(FUTEX_WAIT_PRIVATE, old);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }

 private:
  bool SpinWhile(uint32_t old) const {
    constexpr int kPausesPerClockRead = 32;
    const auto start = std::chrono::steady_clock::now();
    do {
      for (int i = 0; i < kPausesPerClockRead; ++i) {
        if (value() != old) return true;
        Pause();
      }
    } while (std::chrono::steady_clock::now() - start < kSpinTime);
    return false;
  }

  void Futex(int operation, uint32_t argument) {
    static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&value_), operation, argument, nullptr, nullptr, 0);
  }

  std::atomic<uint32_t> value_{0};
  std::atomic<int> sleepers_{0};
};

}  // namespace

class ThreadPool::Impl {
 public:
  explicit Impl(int threads) {
    workers_.resize(std::max(threads, 1) - 1);
    // The host program's signals are for its own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    size_t started = 0;
    for (; started < workers_.size(); ++started) {
      Worker& worker = workers_[started];
      worker.impl = this;
      worker.index = static_cast<int>(started) + 1;
      if (pthread_create(&worker.thread, nullptr, &Impl::Main, &worker) != 0) break;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    workers_.resize(started);
    spin_ = size() <= CpuCores();
    // Workers read the two fields above only after the first Run or the stop has published them.
  }

  ~Impl() {
    stop_ = true;
    start_.Advance();
    for (Worker& worker : workers_) pthread_join(worker.thread, nullptr);
  }

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  std::mutex& turn() { return turn_; }

  void Run(absl::FunctionRef<void(int)> task) {
    if (workers_.empty()) return task(0);
    const uint32_t done = done_.value();
    task_ = &task;
    running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    start_.Advance();
    task(0);
    done_.WaitWhile(done, spin_);
    task_ = nullptr;
  }

  void Barrier() {
    if (workers_.empty()) return;
    const uint32_t phase = phase_.value();
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.Advance();
    } else {
      phase_.WaitWhile(phase, spin_);
    }
  }

 private:
  struct Worker {
    Impl* impl = nullptr;
    int index = 0;
    pthread_t thread{};
  };

  static void* Main(void* argument) {
    Worker& worker = *static_cast<Worker*>(argument);
    worker.impl->Work(worker.index);
    return nullptr;
  }

  void Work(int index) {
    // The first wait sleeps: spin_ is not published yet.
    bool spin = false;
    for (uint32_t seen = 0;; ++seen) {
      start_.WaitWhile(seen, spin);
      if (stop_) return;
      (*task_)(index);
      spin = spin_;
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) done_.Advance();
    }
  }

  Signal start_;  // advanced once per Run and at the end
  Signal done_;   // advanced when the last worker has finished a Run
  Signal phase_;  // advanced when all threads are at the barrier
  alignas(64) std::atomic<int> running_{0};
  alignas(64) std::atomic<int> arrived_{0};
  const absl::FunctionRef<void(int)>* task_ = nullptr;
  bool stop_ = false;
  bool spin_ = false;
  std::vector<Worker> workers_;
  std::mutex turn_;
};

ThreadPool::ThreadPool(int threads) : impl_(new Impl(threads)) {}
ThreadPool::~ThreadPool() = default;

int ThreadPool::size() const { return impl_->size(); }

void ThreadPool::Run(absl::FunctionRef<void(int)> task) {
  std::lock_guard<std::mutex> lock(impl_->turn());
  impl_->Run(task);
}

bool ThreadPool::TryRun(absl::FunctionRef<void(int)> task) {
  std::unique_lock<std::mutex> lock(impl_->turn(), std::try_to_lock);
  if (!lock.owns_lock()) return false;
  impl_->Run(task);
  return true;
}

void ThreadPool::Barrier(int) { impl_->Barrier(); }

}  // namespace omkit
