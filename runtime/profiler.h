// Time per step, collected by an object that the caller hands to Execute. Floor 2; tools and the acl profiling calls read it.
#ifndef OMKIT_RUNTIME_PROFILER_H_
#define OMKIT_RUNTIME_PROFILER_H_

#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/types/span.h"

namespace omkit::runtime {

// CLOCK_MONOTONIC in nanoseconds.
int64_t MonotonicNanoseconds();

// One step of one execution; the end is after all threads have finished the step.
struct StepTime {
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
};

struct StepStatistics {
  int64_t executions = 0;
  int64_t total_ns = 0;
  int64_t least_ns = 0;
  int64_t most_ns = 0;
};

// May serve many executions at once; each one adds its times at its end under a lock.
class Profiler {
 public:
  // Keeps the single times of the first `most_timelines` executions, for timelines; statistics cover all.
  explicit Profiler(size_t steps, size_t most_timelines = 0) : statistics_(steps), most_timelines_(most_timelines) {}

  // `times` has one entry per step.
  void Add(absl::Span<const StepTime> times);

  // Copies, indexed by step.
  std::vector<StepStatistics> statistics() const;
  std::vector<std::vector<StepTime>> timelines() const;

 private:
  mutable std::mutex mutex_;
  std::vector<StepStatistics> statistics_;
  std::vector<std::vector<StepTime>> timelines_;
  const size_t most_timelines_;
};

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_PROFILER_H_
