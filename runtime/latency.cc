#include "runtime/latency.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace omkit::runtime {

int64_t Percentile(const std::vector<int64_t>& sorted, double percent) {
  // The tolerance keeps 99 % of 100 values at rank 99 although 0.99 has no exact double.
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()) - 1e-9);
  return sorted[static_cast<size_t>(std::clamp(rank, 1.0, static_cast<double>(sorted.size()))) - 1];
}

LatencyStatistics Summarize(std::vector<int64_t> ns) {
  LatencyStatistics s;
  if (ns.empty()) return s;
  std::sort(ns.begin(), ns.end());
  s.executions = static_cast<int64_t>(ns.size());
  s.mean = std::accumulate(ns.begin(), ns.end(), 0.0) / static_cast<double>(ns.size());
  s.least = ns.front();
  s.p50 = Percentile(ns, 50);
  s.p90 = Percentile(ns, 90);
  s.p99 = Percentile(ns, 99);
  s.most = ns.back();
  return s;
}

}  // namespace omkit::runtime
