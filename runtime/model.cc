#include "runtime/model.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/cpu.h"
#include "base/status.h"
#include "runtime/shapes.h"
#include "runtime/soc.h"

namespace omkit::runtime {
namespace {

struct Pools {
  std::mutex mutex;
  std::map<int, std::weak_ptr<ThreadPool>> by_threads;
};

// The CPU must have the tier even where the chip's name does not matter.
absl::Status CheckMachine(const Program& program, bool check_soc) {
  if (check_soc) {
    OMKIT_ASSIGN_OR_RETURN(const SocRow device, DeviceSoc());
    return CheckSoc(program.soc_version, program.isa, device);
  }
  Isa isa;
  if (FindIsa(program.isa, &isa) && CpuSupports(isa)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the program needs instruction set '", program.isa, "', which this machine ('", HostSoc().name, "') lacks"));
}

absl::Status CheckBuffers(const Plan& plan, absl::Span<const void* const> inputs, absl::Span<void* const> outputs) {
  const auto check = [](size_t given, const std::vector<IoDesc>& list, const auto& address, const char* kind) -> absl::Status {
    if (given != list.size()) return absl::InvalidArgumentError(absl::StrCat(given, " ", kind, "s given, the model has ", list.size()));
    for (size_t i = 0; i < given; ++i) {
      if (address[i] == nullptr && list[i].bytes > 0 && list[i].name != kGearInput) {
        return absl::InvalidArgumentError(absl::StrCat(kind, " ", i, " '", list[i].name, "' has no memory"));
      }
    }
    return absl::OkStatus();
  };
  OMKIT_RETURN_IF_ERROR(check(inputs.size(), plan.inputs, inputs, "input"));
  return check(outputs.size(), plan.outputs, outputs, "output");
}

}  // namespace

std::shared_ptr<ThreadPool> SharedThreadPool(int threads) {
  if (threads <= 1) return nullptr;
  static Pools* const pools = new Pools();
  std::lock_guard<std::mutex> lock(pools->mutex);
  std::weak_ptr<ThreadPool>& slot = pools->by_threads[threads];
  std::shared_ptr<ThreadPool> pool = slot.lock();
  if (pool == nullptr) slot = pool = std::make_shared<ThreadPool>(threads);
  return pool;
}

absl::StatusOr<int> ResolveThreads(int threads) {
  if (threads < 0 || threads > kMostThreads) return absl::InvalidArgumentError(absl::StrCat(threads, " threads; allowed are 0 to ", kMostThreads));
  if (threads > 0) return threads;
  const char* variable = std::getenv("OMKIT_NUM_THREADS");
  if (variable == nullptr || *variable == '\0') return std::min(CpuCores(), kMostThreads);
  if (!absl::SimpleAtoi(variable, &threads) || threads < 1 || threads > kMostThreads) {
    return absl::InvalidArgumentError(absl::StrCat("environment variable OMKIT_NUM_THREADS='", variable, "'; allowed are 1 to ", kMostThreads));
  }
  return threads;
}

absl::StatusOr<std::unique_ptr<Model>> Model::Load(const std::string& path, const ModelOptions& options) {
  OMKIT_ASSIGN_OR_RETURN(LoadedOm om, LoadOm(path, options.om));
  absl::StatusOr<std::unique_ptr<Model>> model = Load(std::move(om), options);
  if (!model.ok()) return Annotate(model.status(), path);
  return model;
}

absl::StatusOr<std::unique_ptr<Model>> Model::Load(LoadedOm om, const ModelOptions& options) {
  OMKIT_RETURN_IF_ERROR(CheckMachine(om.program, options.check_soc));
  std::unique_ptr<Model> model(new Model());
  model->om_ = std::move(om);
  OMKIT_ASSIGN_OR_RETURN(model->threads_, ResolveThreads(options.threads));
  model->pool_ = SharedThreadPool(model->threads_);
  if (model->pool_ != nullptr) model->threads_ = model->pool_->size();
  OMKIT_RETURN_IF_ERROR(model->MakeExecutors(options));
  model->limit_ = options.max_concurrency > 0 ? options.max_concurrency : std::max(4, 2 * CpuCores());
  model->all_.reserve(model->limit_);
  model->idle_.reserve(model->limit_);
  if (!options.make_workspace) return model;
  OMKIT_ASSIGN_OR_RETURN(Workspace * first, model->TakeWorkspace());
  model->ReturnWorkspace(first);
  return model;
}

absl::Status Model::MakeExecutors(const ModelOptions& options) {
  const ShapedProgram& program = om_.program;
  if (program.shapes.mode == ShapeMode::kRanges) {
    OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<PlanSource> source, MakePlanSource(program, om_.weights, om_.weights_size));
    PlanCacheOptions cache;
    cache.threads = threads_;
    cache.scratch_limit = options.scratch_limit;
    cache.limits = options.om.limits;
    plans_ = std::make_unique<PlanCache>(program, std::move(source), cache);
    return absl::OkStatus();
  }
  const size_t gears = std::max<size_t>(program.shapes.gears.size(), 1);
  for (size_t i = 0; i < gears; ++i) {
    OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<Executor> executor, Executor::Create(GearPlan(program, i), om_.weights, threads_, options.scratch_limit));
    workspace_size_.Cover(executor->workspace_size());
    executors_.push_back(std::move(executor));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Executor>> Model::Bind(const std::vector<std::vector<int64_t>>& dims) {
  if (plans_ == nullptr) return absl::FailedPreconditionError("the model does not take ranges of shapes");
  return plans_->Find(dims);
}

absl::Status Model::WorkIn(void* work, uint64_t work_size) {
  if (plans_ != nullptr) return absl::UnimplementedError("a model that takes ranges of shapes finds its working memory itself");
  OMKIT_RETURN_IF_ERROR(CheckWork(work, work_size));
  OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<Workspace> only, Executor::NewWorkspaceIn(workspace_size_, work));
  const std::lock_guard<std::mutex> lock(mutex_);
  limit_ = 1;
  idle_.assign({only.get()});
  all_.clear();
  all_.push_back(std::move(only));
  return absl::OkStatus();
}

Model::~Model() {
  std::unique_lock<std::mutex> lock(mutex_);
  returned_.wait(lock, [this] { return idle_.size() == all_.size() && being_made_ == 0; });
}

absl::StatusOr<Workspace*> Model::TakeWorkspace() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (bool may_make = true;;) {
    if (!idle_.empty()) {
      Workspace* workspace = idle_.back();
      idle_.pop_back();
      return workspace;
    }
    if (!may_make || all_.size() + being_made_ >= limit_) {
      returned_.wait(lock);
      continue;
    }
    ++being_made_;
    lock.unlock();
    absl::StatusOr<std::unique_ptr<Workspace>> made = Executor::NewWorkspace(workspace_size_);
    lock.lock();
    --being_made_;
    if (made.ok()) {
      all_.push_back(*std::move(made));
      return all_.back().get();
    }
    // Without memory for one more, the others' are waited for.
    if (all_.empty() && being_made_ == 0) {
      returned_.notify_all();
      return made.status();
    }
    may_make = all_.empty();
  }
}

void Model::ReturnWorkspace(Workspace* workspace) {
  std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(workspace);
  // Under the lock: the destructor may be waiting, and may end once the lock is free.
  returned_.notify_all();
}

absl::Status Model::CheckWork(const void* work, uint64_t work_size) const {
  if (work_size < workspace_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("the working memory has ", work_size, " bytes, the model needs ", workspace_bytes()));
  }
  if (reinterpret_cast<uintptr_t>(work) % 64 != 0) return absl::InvalidArgumentError("the working memory is not 64-byte aligned");
  return absl::OkStatus();
}

absl::Status Model::CheckMain() const {
  if (plans_ == nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("the model takes ranges of shapes: bind the shapes first");
}

absl::Status Model::ExecuteIn(Workspace* workspace, absl::Span<const void* const> inputs, absl::Span<void* const> outputs, Profiler* profiler) {
  OMKIT_RETURN_IF_ERROR(CheckMain());
  OMKIT_RETURN_IF_ERROR(CheckBuffers(main().plan(), inputs, outputs));
  return main().Run(workspace, inputs, outputs, pool_.get(), profiler);
}

absl::Status Model::ExecuteAt(void* work, uint64_t work_size, absl::Span<const void* const> inputs, absl::Span<void* const> outputs,
                              Profiler* profiler, StepObserver* observer) {
  OMKIT_RETURN_IF_ERROR(CheckMain());
  return ExecuteAt(main(), work, work_size, inputs, outputs, profiler, observer);
}

absl::Status Model::ExecuteAt(const Executor& executor, void* work, uint64_t work_size, absl::Span<const void* const> inputs,
                              absl::Span<void* const> outputs, Profiler* profiler, StepObserver* observer) {
  if (plans_ != nullptr) return absl::UnimplementedError("a model that takes ranges of shapes finds its working memory itself");
  OMKIT_RETURN_IF_ERROR(CheckWork(work, work_size));
  OMKIT_RETURN_IF_ERROR(CheckBuffers(executor.plan(), inputs, outputs));
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<Workspace> workspace, Executor::NewWorkspaceIn(workspace_size_, work));
  return executor.Run(workspace.get(), inputs, outputs, pool_.get(), profiler, observer);
}

absl::Status Model::Execute(absl::Span<const void* const> inputs, absl::Span<void* const> outputs, Profiler* profiler, StepObserver* observer) {
  OMKIT_RETURN_IF_ERROR(CheckMain());
  return Execute(main(), inputs, outputs, profiler, observer);
}

absl::Status Model::Execute(const Executor& executor, absl::Span<const void* const> inputs, absl::Span<void* const> outputs, Profiler* profiler,
                            StepObserver* observer) {
  OMKIT_RETURN_IF_ERROR(CheckBuffers(executor.plan(), inputs, outputs));
  OMKIT_ASSIGN_OR_RETURN(Workspace * workspace, TakeWorkspace());
  absl::Status status = executor.Run(workspace, inputs, outputs, pool_.get(), profiler, observer);
  ReturnWorkspace(workspace);
  return status;
}

}  // namespace omkit::runtime
