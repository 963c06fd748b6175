#include "tools/bench/measure.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "runtime/model.h"
#include "runtime/shapes.h"
#include "tools/bench/buffers.h"
#include "tools/bench/first_use.h"

namespace omkit::bench {
namespace {

constexpr int kMostProfiled = 200;

// A configuration under measurement.
struct Lane {
  std::unique_ptr<runtime::Model> model;
  Buffers buffers;
  size_t gear = 0;
  int64_t batch = 0;  // 0: not told
  std::vector<int64_t> ns;
  int64_t spent_ns = 0;

  absl::Status Execute(runtime::Profiler* profiler = nullptr) {
    return model->Execute(model->gear(gear), buffers.inputs(), buffers.outputs(), profiler);
  }
  const std::vector<runtime::Step>& steps() const { return runtime::GearPlan(model->program(), gear).steps; }
  bool Done(const Options& options) const {
    return options.seconds > 0 ? static_cast<double>(spent_ns) >= options.seconds * 1e9 : ns.size() >= static_cast<size_t>(options.loop);
  }
};

// The gear for a batch size; 0: the largest one.
absl::StatusOr<size_t> GearOf(const runtime::ShapedProgram& program, int64_t batch) {
  const runtime::RuntimeShapes& shapes = program.shapes;
  if (batch == 0) return shapes.largest;
  if (shapes.mode == runtime::ShapeMode::kBatchGears) {
    if (const std::optional<size_t> gear = runtime::FindGear(shapes, {batch})) return *gear;
    const auto value = [](std::string* out, const runtime::Gear& gear) { absl::StrAppend(out, gear.values[0]); };
    return absl::InvalidArgumentError(
        absl::StrCat("--batch: the model has no batch size ", batch, "; it has ", absl::StrJoin(shapes.gears, ", ", value)));
  }
  const std::vector<int64_t> dims = program.inputs.empty() ? std::vector<int64_t>() : program.inputs[0].dims;
  if (shapes.mode == runtime::ShapeMode::kFixed && !dims.empty() && dims[0] == batch) return size_t{0};
  return absl::InvalidArgumentError(
      absl::StrCat("--batch: the model has no batch size ", batch, "; compile it with atc --dynamic_batch_size to choose among several"));
}

absl::StatusOr<Lane> Open(const std::string& path, int threads, int64_t batch) {
  Lane lane;
  runtime::ModelOptions options;
  options.threads = threads;
  OMKIT_ASSIGN_OR_RETURN(lane.model, runtime::Model::Load(path, options));
  OMKIT_ASSIGN_OR_RETURN(lane.gear, GearOf(lane.model->program(), batch));
  const runtime::RuntimeShapes& shapes = lane.model->program().shapes;
  lane.batch = shapes.mode == runtime::ShapeMode::kBatchGears ? shapes.gears[lane.gear].values[0] : batch;
  OMKIT_ASSIGN_OR_RETURN(lane.buffers, Buffers::Make(*lane.model));
  return lane;
}

absl::Status Turn(const Options& options, Lane* lane) {
  const int64_t begin = runtime::MonotonicNanoseconds();
  OMKIT_RETURN_IF_ERROR(lane->Execute());
  int64_t before = runtime::MonotonicNanoseconds();
  for (int i = 0; i < options.burst && !lane->Done(options); ++i) {
    OMKIT_RETURN_IF_ERROR(lane->Execute());
    const int64_t now = runtime::MonotonicNanoseconds();
    lane->ns.push_back(now - before);
    before = now;
  }
  lane->spent_ns += before - begin;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LayerResult>> ProfileLayers(Lane* lane) {
  const std::vector<runtime::Step>& steps = lane->steps();
  runtime::Profiler profiler(steps.size());
  const int executions = static_cast<int>(std::min<size_t>(lane->ns.size(), kMostProfiled));
  OMKIT_RETURN_IF_ERROR(lane->Execute());
  for (int i = 0; i < executions; ++i) OMKIT_RETURN_IF_ERROR(lane->Execute(&profiler));
  const std::vector<runtime::StepStatistics> times = profiler.statistics();
  std::vector<LayerResult> layers;
  for (size_t i = 0; i < steps.size(); ++i) layers.push_back({steps[i].node, steps[i].op, steps[i].kernel, steps[i].operations, times[i]});
  return layers;
}

void Describe(const Lane& lane, Result* result) {
  const runtime::Model& model = *lane.model;
  result->soc_version = model.program().soc_version;
  result->threads = model.threads();
  result->latency = runtime::Summarize(lane.ns);
  result->batch = lane.batch;
  for (const runtime::Step& step : lane.steps()) result->operations += step.operations;
  result->weights_bytes = model.weights_bytes();
  result->workspace_bytes = model.workspace_bytes();
}

}  // namespace

absl::StatusOr<std::vector<Result>> Measure(const Options& options) {
  const std::vector<int> batches = options.batches.empty() ? std::vector<int>{0} : options.batches;
  // Children first: thread pools do not survive a fork.
  std::vector<FirstUse> first_uses;
  for (const std::string& path : options.models) {
    // Here too, so that what is wrong with the model is said by this process.
    for (int batch : batches) {
      absl::StatusOr<Lane> lane = Open(path, 1, batch);
      const absl::Status executed = lane.ok() ? lane->Execute() : lane.status();
      if (!executed.ok()) return Annotate(executed, path);
    }
    absl::StatusOr<FirstUse> use = MeasureFirstUse(path, options.threads[0]);
    if (!use.ok()) return Annotate(use.status(), path);
    first_uses.push_back(*use);
  }
  std::vector<Lane> lanes;
  std::vector<Result> results;
  for (size_t i = 0; i < options.models.size(); ++i) {
    for (int batch : batches) {
      for (int threads : options.threads) {
        absl::StatusOr<Lane> lane = Open(options.models[i], threads, batch);
        if (!lane.ok()) return Annotate(lane.status(), options.models[i]);
        lanes.push_back(*std::move(lane));
        Result result;
        result.model = options.models[i];
        result.load_ns = first_uses[i].load_ns;
        result.peak_rss_bytes = first_uses[i].peak_rss_bytes;
        results.push_back(std::move(result));
      }
    }
  }
  for (bool all_done = false; !all_done;) {
    all_done = true;
    for (size_t i = 0; i < lanes.size(); ++i) {
      if (lanes[i].Done(options)) continue;
      const absl::Status status = Turn(options, &lanes[i]);
      if (!status.ok()) return Annotate(status, results[i].model);
      all_done = false;
    }
  }
  for (size_t i = 0; i < lanes.size(); ++i) {
    Describe(lanes[i], &results[i]);
    if (!options.layers) continue;
    absl::StatusOr<std::vector<LayerResult>> layers = ProfileLayers(&lanes[i]);
    if (!layers.ok()) return Annotate(layers.status(), results[i].model);
    results[i].layers = *std::move(layers);
  }
  return results;
}

}  // namespace omkit::bench
