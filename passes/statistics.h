// Calibration statistics: what a network's tensors look like over a set of samples. Floor 3; collected once, then every decision about
// ranges, equalization and biases is made from them.
//
// One run of the network per sample. Memory is O(tensors x bins + channels). Everything is an integer count, an extreme or an ExactSum, so
// the result does not depend on the order of the samples, on how many of them lie in one file or in one batch, on threads, or on the
// shards that were merged; see statistics_file.h.
#ifndef OMKIT_PASSES_STATISTICS_H_
#define OMKIT_PASSES_STATISTICS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/evaluate.h"
#include "ir/graph.h"
#include "passes/exact_sum.h"
#include "passes/histogram.h"

namespace omkit::passes {

// Samples to calibrate with; `sample` returns one tensor per graph input.
struct CalibrationSource {
  int count = 0;
  std::function<absl::StatusOr<std::vector<Tensor>>(int)> sample;
};

struct ValueRange {
  float min = 0;
  float max = 0;
};

// Called with the fraction of the work done, in [0, 1].
using ProgressFn = std::function<void(double)>;

struct ChannelStatistics {
  float min = 0;
  float max = 0;
  ExactSum sum;
  ExactSum squares;
};

struct TensorStatistics {
  Histogram histogram;
  uint64_t items = 0;  // network inputs seen; a batch of N counts N
  ExactSum item_min;   // sums over items, for the mean of extremes
  ExactSum item_max;
  std::vector<ChannelStatistics> channels;

  uint64_t per_channel() const { return channels.empty() ? 0 : histogram.total() / channels.size(); }
  double mean(size_t channel) const { return channels[channel].sum.value() / static_cast<double>(per_channel()); }
  double mean_square(size_t channel) const { return channels[channel].squares.value() / static_cast<double>(per_channel()); }
};

struct Statistics {
  std::string model_hash;                          // of the source model, as CompileOptions::source_hash
  std::vector<uint64_t> samples;                   // content hashes of the samples, sorted; a sample that came twice is there twice
  std::map<std::string, TensorStatistics> tensors;  // by tensor name
};

// The dimension that holds a tensor's channels: 1 for images, the last one otherwise.
int ChannelAxis(const Shape& shape);

// Hash of a sample's bytes.
uint64_t SampleHash(const std::vector<Tensor>& sample);

struct CollectOptions {
  int threads = 1;  // that count; running the network has its own
  ProgressFn progress;
  // Called now and then with what has been collected so far, so that it can be saved; may be empty.
  std::function<absl::Status(const Statistics&)> checkpoint;
  int checkpoint_every = 64;  // samples
};

// Runs the samples that `statistics` does not cover yet (by content) and adds them. `values` are float values of the graph.
// Errors: no samples at all; a NaN or infinity in a tensor (named, with the sample's number); statistics of another set of tensors.
absl::Status Collect(const ir::Graph& graph, const std::vector<ir::ValueId>& values, const CalibrationSource& source,
                     const ir::EvaluatorFactory& evaluators, const CollectOptions& options, Statistics* statistics);

// Adds `other` to `statistics`. INVALID_ARGUMENT when they are of different models or tensors.
absl::Status Merge(const Statistics& other, Statistics* statistics);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_STATISTICS_H_
