// Times offline models in turns: the body of bench. Floor 5, above runtime/model.h.
#ifndef OMKIT_TOOLS_BENCH_MEASURE_H_
#define OMKIT_TOOLS_BENCH_MEASURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/latency.h"
#include "runtime/profiler.h"
#include "tools/bench/options.h"

namespace omkit::bench {

struct LayerResult {
  std::string node, op, kernel;
  int64_t operations = 0;
  runtime::StepStatistics time;
};

// One model with one number of threads and, with gears, one batch size.
struct Result {
  std::string model;  // the file
  std::string soc_version;
  int threads = 1;
  int64_t batch = 0;  // of one execution, for a model with gears of batch sizes and with Options::batches; 0: not told
  runtime::LatencyStatistics latency;
  int64_t operations = 0;      // of all steps, for one execution
  int64_t load_ns = 0;         // Model::Load in a new process whose file is in the page cache
  int64_t peak_rss_bytes = 0;  // of a process that loads the model and executes it once; 0: the system does not tell
  uint64_t weights_bytes = 0, workspace_bytes = 0;
  std::vector<LayerResult> layers;  // with Options::layers only
};

// Results in the order of models, then batch sizes, then threads. INVALID_ARGUMENT for a batch size that a model does not have. Kernels must be
// registered. Forks, therefore to be called while the process has one thread. Errors name the model's file.
absl::StatusOr<std::vector<Result>> Measure(const Options& options);

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_MEASURE_H_
