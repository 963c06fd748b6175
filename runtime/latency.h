// What a list of measured latencies says: the one place that om, bench and reports take their percentiles from. Floor 2.
#ifndef OMKIT_RUNTIME_LATENCY_H_
#define OMKIT_RUNTIME_LATENCY_H_

#include <cstdint>
#include <vector>

namespace omkit::runtime {

// Nanoseconds. All zero for an empty list.
struct LatencyStatistics {
  int64_t executions = 0;
  double mean = 0;
  int64_t least = 0, p50 = 0, p90 = 0, p99 = 0, most = 0;

  // Executions per second of one caller that runs them back to back.
  double throughput() const { return mean > 0 ? 1e9 / mean : 0; }
};

// The smallest value that at least `percent` (0 to 100) of the ascending values do not exceed (nearest rank). `sorted` is not empty.
int64_t Percentile(const std::vector<int64_t>& sorted, double percent);

// `ns` in any order.
LatencyStatistics Summarize(std::vector<int64_t> ns);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_LATENCY_H_
