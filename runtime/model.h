// A loaded model: the thing that clients execute. Floor 2, used by acl, tools and calibration.
//
// Immutable and safe for any number of threads: every Execute takes a workspace of its own, and the weights are shared.
#ifndef OMKIT_RUNTIME_MODEL_H_
#define OMKIT_RUNTIME_MODEL_H_

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/threads.h"
#include "runtime/executor.h"
#include "runtime/om_file.h"
#include "runtime/plan_cache.h"

namespace omkit::runtime {

struct ModelOptions {
  // Threads per execution; 0: environment variable OMKIT_NUM_THREADS, else the cores this process may use. At most kMostThreads.
  int threads = 0;
  // Executions at once; further callers wait. 0: twice the cores, at least 4. Each holds workspace_bytes() once it was needed.
  int max_concurrency = 0;
  // False for programs that this process just compiled for itself, such as a calibration run: any tier that the CPU has will do.
  bool check_soc = true;
  // Makes the first workspace at once, so that executions do not allocate. False for a caller that goes on with WorkIn.
  bool make_workspace = true;
  // Limit of scratch memory per workspace; the arena's limit is in `om.limits`.
  uint64_t scratch_limit = uint64_t{8} << 30;
  OmOptions om;
};

constexpr int kMostThreads = 256;

// The pool of `threads` threads that all models of this process share; it goes away with its last user. nullptr for one thread.
std::shared_ptr<ThreadPool> SharedThreadPool(int threads);
// What ModelOptions::threads stands for. INVALID_ARGUMENT for a bad OMKIT_NUM_THREADS or a negative number.
absl::StatusOr<int> ResolveThreads(int threads);

class Model {
 public:
  // Errors of LoadOm and Executor::Create; FAILED_PRECONDITION when the model was compiled for another chip (see CheckSoc).
  static absl::StatusOr<std::unique_ptr<Model>> Load(const std::string& path, const ModelOptions& options = {});
  static absl::StatusOr<std::unique_ptr<Model>> Load(LoadedOm om, const ModelOptions& options = {});

  // Waits for executions under way and for workspaces that were taken.
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const LoadedOm& om() const { return om_; }
  const ShapedProgram& program() const { return om_.program; }
  const std::vector<IoDesc>& inputs() const { return om_.program.inputs; }
  const std::vector<IoDesc>& outputs() const { return om_.program.outputs; }
  uint64_t weights_bytes() const { return om_.weights_size; }
  // Working memory of one execution: what the largest plan needs. 0 for a model that takes ranges.
  uint64_t workspace_bytes() const { return workspace_size_.bytes(); }
  int threads() const { return threads_; }

  // What runs in a gear (index into program().shapes.gears; 0 for a fixed model), as long as the model lives.
  const Executor& gear(size_t index) const { return *executors_[index]; }
  // The fixed plan, or that of the largest gear. Not for a model that takes ranges.
  const Executor& main() const { return gear(program().shapes.largest); }
  // What runs with these shapes in a model that takes ranges, one for each input; made at the first call (see PlanCache). FAILED_PRECONDITION
  // for other models.
  absl::StatusOr<std::shared_ptr<const Executor>> Bind(const std::vector<std::vector<int64_t>>& dims);

  // From now on executions work in memory of the caller, one after the other: at least workspace_bytes() bytes, 64-byte aligned, that outlive
  // the model. Call it before the first execution. INVALID_ARGUMENT for memory that is too small or unaligned, UNIMPLEMENTED for a model
  // that takes ranges.
  absl::Status WorkIn(void* work, uint64_t work_size);

  // Runs the model once. One address per input and output, of at least IoDesc::bytes bytes each, any alignment; null is accepted for
  // zero bytes and for the input that sets the gear, which is not read here. A model with gears runs the largest one. Outputs must not overlap each
  // other or inputs. In steady state it allocates nothing and takes one lock to get a workspace. When another Execute has the thread pool, this one
  // runs on the caller's thread alone, with the same results. INVALID_ARGUMENT for a wrong number of addresses or a null, or with the node's name
  // when a step cannot be done with these data (the outputs are then unspecified); RESOURCE_EXHAUSTED when no workspace can be made.
  absl::Status Execute(absl::Span<const void* const> inputs, absl::Span<void* const> outputs, Profiler* profiler = nullptr,
                       StepObserver* observer = nullptr);
  // The same for one of this model's executors; the buffers must hold what its plan says.
  absl::Status Execute(const Executor& executor, absl::Span<const void* const> inputs, absl::Span<void* const> outputs, Profiler* profiler = nullptr,
                       StepObserver* observer = nullptr);

  // Execute once in `work_size` >= workspace_bytes() bytes of the caller, 64-byte aligned. Allocates small tables.
  absl::Status ExecuteAt(void* work, uint64_t work_size, absl::Span<const void* const> inputs, absl::Span<void* const> outputs,
                         Profiler* profiler = nullptr, StepObserver* observer = nullptr);
  absl::Status ExecuteAt(const Executor& executor, void* work, uint64_t work_size, absl::Span<const void* const> inputs,
                         absl::Span<void* const> outputs, Profiler* profiler = nullptr, StepObserver* observer = nullptr);

  // A workspace for the caller alone, to be given back. Waits while max_concurrency are out.
  absl::StatusOr<Workspace*> TakeWorkspace();
  void ReturnWorkspace(Workspace* workspace);
  // Execute in a workspace that the caller has taken: its arena can be read afterwards.
  absl::Status ExecuteIn(Workspace* workspace, absl::Span<const void* const> inputs, absl::Span<void* const> outputs, Profiler* profiler = nullptr);

 private:
  Model() = default;
  absl::Status CheckWork(const void* work, uint64_t work_size) const;
  absl::Status MakeExecutors(const ModelOptions& options);
  absl::Status CheckMain() const;

  LoadedOm om_;
  int threads_ = 1;
  std::vector<std::unique_ptr<Executor>> executors_;  // by gear
  std::unique_ptr<PlanCache> plans_;                  // of ranges
  WorkspaceSize workspace_size_;
  std::shared_ptr<ThreadPool> pool_;

  std::mutex mutex_;
  std::condition_variable returned_;
  size_t limit_ = 1;  // of workspaces
  size_t being_made_ = 0;
  std::vector<std::unique_ptr<Workspace>> all_;  // capacity limit_
  std::vector<Workspace*> idle_;                 // capacity limit_
};

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_MODEL_H_
