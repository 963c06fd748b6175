#include "runtime/profiler.h"

#include <algorithm>
#include <chrono>

namespace omkit::runtime {

int64_t MonotonicNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Profiler::Add(absl::Span<const StepTime> times) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < std::min(times.size(), statistics_.size()); ++i) {
    StepStatistics& s = statistics_[i];
    const int64_t ns = times[i].end_ns - times[i].begin_ns;
    s.least_ns = s.executions == 0 ? ns : std::min(s.least_ns, ns);
    s.most_ns = std::max(s.most_ns, ns);
    s.total_ns += ns;
    ++s.executions;
  }
  if (timelines_.size() < most_timelines_) timelines_.emplace_back(times.begin(), times.end());
}

std::vector<StepStatistics> Profiler::statistics() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return statistics_;
}

std::vector<std::vector<StepTime>> Profiler::timelines() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return timelines_;
}

}  // namespace omkit::runtime
