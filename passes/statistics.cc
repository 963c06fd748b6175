#include "passes/statistics.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/threads.h"
#define XXH_INLINE_ALL
#include "xxhash.h"

namespace omkit::passes {
namespace {

struct Moments {
  double sum = 0;
  double squares = 0;
};

// Sums of one run of values: float lanes over short blocks, then double. The order is fixed by the run alone.
Moments MomentsOf(const float* x, int64_t count) {
  constexpr int kLanes = 16;
  constexpr int64_t kBlock = 1024;
  Moments all;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(count, begin + kBlock);
    float sum[kLanes] = {}, squares[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        sum[lane] += x[i + lane];
        squares[lane] += x[i + lane] * x[i + lane];
      }
    }
    for (; i < end; ++i) {
      sum[0] += x[i];
      squares[0] += x[i] * x[i];
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      all.sum += static_cast<double>(sum[lane]);
      all.squares += static_cast<double>(squares[lane]);
    }
  }
  return all;
}

void AddToChannel(const Histogram::Extremes& extremes, const Moments& moments, bool first, ChannelStatistics* channel) {
  channel->min = first ? extremes.min : std::min(channel->min, extremes.min);
  channel->max = first ? extremes.max : std::max(channel->max, extremes.max);
  channel->sum.Add(moments.sum);
  channel->squares.Add(moments.squares);
}

// Adds one item of a tensor whose dimensions behind the batch are `outer` x channels x `inner`.
bool AddItem(const float* x, int64_t outer, int64_t inner, TensorStatistics* t) {
  const int64_t channels = static_cast<int64_t>(t->channels.size());
  const bool first = t->items == 0;
  Histogram::Extremes all;
  bool any = false;
  auto widen = [&](const Histogram::Extremes& e) {
    all.min = any ? std::min(all.min, e.min) : e.min;
    all.max = any ? std::max(all.max, e.max) : e.max;
    all.zeros += e.zeros;
    all.finite = all.finite && e.finite;
    any = true;
  };
  if (inner == 1) {
    // Channels lie side by side: gather each into a run.
    std::vector<float> run(outer);
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t o = 0; o < outer; ++o) run[o] = x[o * channels + c];
      const Histogram::Extremes e = Histogram::ExtremesOf(run.data(), outer);
      widen(e);
      if (e.finite) AddToChannel(e, MomentsOf(run.data(), outer), first, &t->channels[c]);
    }
  } else {
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t c = 0; c < channels; ++c) {
        const float* run = x + (o * channels + c) * inner;
        const Histogram::Extremes e = Histogram::ExtremesOf(run, inner);
        widen(e);
        if (e.finite) AddToChannel(e, MomentsOf(run, inner), first && o == 0, &t->channels[c]);
      }
    }
  }
  if (!all.finite) return false;
  t->histogram.Add(x, outer * channels * inner, all);
  t->item_min.Add(all.min);
  t->item_max.Add(all.max);
  ++t->items;
  return true;
}

// Items of a batch: the common first dimension of the graph's inputs, when this tensor has it too.
int64_t ItemsOf(const ir::Graph& graph, const Shape& shape) {
  if (shape.rank() < 2) return 1;
  for (ir::ValueId v : graph.inputs()) {
    const Shape& input = graph.value(v).type.shape;
    if (input.rank() < 1 || input.dim(0) != shape.dim(0)) return 1;
  }
  return std::max<int64_t>(shape.dim(0), 1);
}

bool AddTensor(const ir::Graph& graph, const Tensor& tensor, TensorStatistics* t) {
  const Shape& shape = tensor.shape();
  if (tensor.elements() == 0) return true;
  const int axis = ChannelAxis(shape);
  const int64_t items = ItemsOf(graph, shape);
  const int64_t channels = axis < 0 || (axis == 0 && items > 1) ? 1 : shape.dim(axis);
  if (t->channels.empty()) t->channels.resize(channels);
  const int64_t per_item = tensor.elements() / items;
  int64_t inner = 1;
  for (int d = axis + 1; d < shape.rank(); ++d) inner *= shape.dim(d);
  const int64_t outer = per_item / channels / inner;
  for (int64_t item = 0; item < items; ++item) {
    if (!AddItem(tensor.data<float>() + item * per_item, outer, inner, t)) return false;
  }
  return true;
}

// Each tensor is counted by one thread. Returns the index of the first tensor with a NaN or infinity, or -1.
int AddTensors(const ir::Graph& graph, const std::vector<std::pair<ir::ValueId, Tensor>>& observed, const std::vector<TensorStatistics*>& by_value,
               ThreadPool& pool) {
  std::vector<size_t> order(observed.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return observed[a].second.elements() > observed[b].second.elements(); });
  std::vector<char> finite(observed.size(), 1);
  std::atomic<size_t> next{0};
  pool.Run([&](int) {
    for (size_t k = next++; k < order.size(); k = next++) {
      const auto& [v, tensor] = observed[order[k]];
      finite[order[k]] = AddTensor(graph, tensor, by_value[v]);
    }
  });
  const auto bad = std::find(finite.begin(), finite.end(), 0);
  return bad == finite.end() ? -1 : static_cast<int>(bad - finite.begin());
}

// Indices of the samples whose content is not in `known` yet, with their hashes.
absl::StatusOr<std::vector<std::pair<int, uint64_t>>> NewSamples(const CalibrationSource& source, std::vector<uint64_t> known) {
  std::vector<std::pair<int, uint64_t>> fresh;
  for (int i = 0; i < source.count; ++i) {
    uint64_t hash = 0;
    if (!known.empty()) {
      OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> sample, source.sample(i));
      hash = SampleHash(sample);
      const auto it = std::lower_bound(known.begin(), known.end(), hash);
      if (it != known.end() && *it == hash) {
        known.erase(it);
        continue;
      }
    }
    fresh.emplace_back(i, hash);
  }
  return fresh;
}

absl::Status CheckTensors(const ir::Graph& graph, const std::vector<ir::ValueId>& values, const Statistics& statistics) {
  if (statistics.tensors.empty()) return absl::OkStatus();
  for (ir::ValueId v : values) {
    if (statistics.tensors.count(graph.value(v).name) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the calibration statistics know no tensor '", graph.value(v).name, "'; they were collected for another model"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

int ChannelAxis(const Shape& shape) { return shape.rank() == 4 ? 1 : shape.rank() - 1; }

uint64_t SampleHash(const std::vector<Tensor>& sample) {
  uint64_t hash = 0;
  for (const Tensor& t : sample) hash = XXH3_64bits_withSeed(t.raw(), t.bytes(), hash);
  return hash;
}

absl::Status Collect(const ir::Graph& graph, const std::vector<ir::ValueId>& values, const CalibrationSource& source,
                     const ir::EvaluatorFactory& evaluators, const CollectOptions& options, Statistics* statistics) {
  if (source.count <= 0 && statistics->samples.empty()) return absl::InvalidArgumentError("calibration needs at least one sample");
  OMKIT_RETURN_IF_ERROR(CheckTensors(graph, values, *statistics));
  OMKIT_ASSIGN_OR_RETURN(const auto fresh, NewSamples(source, statistics->samples));
  std::vector<TensorStatistics*> by_value(graph.num_values(), nullptr);
  for (ir::ValueId v : values) by_value[v] = &statistics->tensors[graph.value(v).name];
  if (fresh.empty()) return absl::OkStatus();
  OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<ir::Evaluator> evaluator, evaluators(graph, values));
  ThreadPool pool(std::max(1, options.threads));
  for (size_t i = 0; i < fresh.size(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, source.sample(fresh[i].first));
    const uint64_t hash = SampleHash(inputs);
    std::vector<std::pair<ir::ValueId, Tensor>> observed;
    OMKIT_RETURN_IF_ERROR(evaluator->Run(inputs, [&](ir::ValueId v, const Tensor& t) {
      if (by_value[v] != nullptr) observed.emplace_back(v, t);
    }));
    if (const int bad = AddTensors(graph, observed, by_value, pool); bad >= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", graph.value(observed[bad].first).name, "' holds NaN or infinity for calibration sample ", fresh[i].first));
    }
    statistics->samples.insert(std::upper_bound(statistics->samples.begin(), statistics->samples.end(), hash), hash);
    if (options.progress) options.progress(static_cast<double>(i + 1) / static_cast<double>(fresh.size()));
    if (options.checkpoint && (i + 1) % options.checkpoint_every == 0 && i + 1 < fresh.size()) OMKIT_RETURN_IF_ERROR(options.checkpoint(*statistics));
  }
  return absl::OkStatus();
}

absl::Status Merge(const Statistics& other, Statistics* statistics) {
  if (statistics->tensors.empty() && statistics->samples.empty()) {
    *statistics = other;
    return absl::OkStatus();
  }
  if (other.model_hash != statistics->model_hash || other.tensors.size() != statistics->tensors.size()) {
    return absl::InvalidArgumentError("the calibration statistics were collected for different models or plans");
  }
  for (const auto& [name, from] : other.tensors) {
    const auto found = statistics->tensors.find(name);
    if (found == statistics->tensors.end() || found->second.channels.size() != from.channels.size()) {
      return absl::InvalidArgumentError(absl::StrCat("the calibration statistics do not agree about tensor '", name, "'"));
    }
    TensorStatistics& to = found->second;
    to.histogram.Merge(from.histogram);
    to.items += from.items;
    to.item_min.Merge(from.item_min);
    to.item_max.Merge(from.item_max);
    for (size_t c = 0; c < from.channels.size(); ++c) {
      to.channels[c].min = std::min(to.channels[c].min, from.channels[c].min);
      to.channels[c].max = std::max(to.channels[c].max, from.channels[c].max);
      to.channels[c].sum.Merge(from.channels[c].sum);
      to.channels[c].squares.Merge(from.channels[c].squares);
    }
  }
  std::vector<uint64_t> samples;
  std::merge(statistics->samples.begin(), statistics->samples.end(), other.samples.begin(), other.samples.end(), std::back_inserter(samples));
  statistics->samples = std::move(samples);
  return absl::OkStatus();
}

}  // namespace omkit::passes
