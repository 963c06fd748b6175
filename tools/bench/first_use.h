// What the first use of a model costs: load time and memory, each seen from a process of its own. Floor 5.
#ifndef OMKIT_TOOLS_BENCH_FIRST_USE_H_
#define OMKIT_TOOLS_BENCH_FIRST_USE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace omkit::bench {

struct FirstUse {
  int64_t load_ns = 0;
  int64_t peak_rss_bytes = 0;  // 0: the system does not tell
};

// Runs three child processes; each loads the model for `threads` threads and executes it once. Median of the load times, maximum of the peaks.
// The file has been read before, so it is in the page cache. INTERNAL when a child cannot be started or dies.
absl::StatusOr<FirstUse> MeasureFirstUse(const std::string& path, int threads);

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_FIRST_USE_H_
