// Runs a plan's steps: kernels resolved and prepared once, then executed any number of times without allocating. Floor 2, under Model,
// which adds several plans, workspaces for many callers, thread pools and the check of the chip.
#ifndef OMKIT_RUNTIME_EXECUTOR_H_
#define OMKIT_RUNTIME_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/threads.h"
#include "runtime/arena.h"
#include "runtime/kernel.h"
#include "runtime/observer.h"
#include "runtime/profiler.h"
#include "runtime/shapes.h"

namespace omkit::runtime {

// What a workspace must hold. Of several plans: the most of each.
struct WorkspaceSize {
  uint64_t arena = 0;    // bytes
  uint64_t scratch = 0;  // bytes, of all threads
  uint64_t operands = 0;
  uint64_t steps = 0;

  uint64_t bytes() const;
  void Cover(const WorkspaceSize& other);
};

// The private memory of one execution at a time: the arena, scratch per thread, and the addresses of all operands. Executors of one model
// take turns in it; the first execution of a plan that needs more than it holds makes it larger.
class Workspace {
 public:
  // An operand in the arena as the last execution left it (calibration and debugging read intermediate values).
  const uint8_t* ArenaData(const Operand& operand) const { return arena_.data() + operand.offset; }

 private:
  friend class Executor;
  absl::Status GrowTables(const WorkspaceSize& size);

  Arena arena_;
  Arena scratch_;
  Arena addresses_;        // void*[all operands]
  Arena times_;            // StepTime[steps]
  bool borrowed_ = false;  // arena and scratch are the caller's
  uint64_t executor_ = 0;  // whose addresses these are; 0: nobody's yet
  StepFailure failure_;
  std::atomic<size_t> failed_step_{0};
};

// Immutable after Create; one may be used by many threads, each with its own Workspace.
class Executor {
 public:
  // Verifies all kernels' arguments and prepares them. `threads` >= 1: the most that Run will use. Errors of VerifyKernels and
  // of the kernels; RESOURCE_EXHAUSTED when scratch memory exceeds `scratch_limit`. The plan and the weights must outlive it.
  static absl::StatusOr<std::unique_ptr<Executor>> Create(const Plan& plan, const uint8_t* weights, int threads, uint64_t scratch_limit);

  const Plan& plan() const { return *plan_; }
  // Not 0, never used twice in a process.
  uint64_t id() const { return id_; }
  WorkspaceSize workspace_size() const;
  static absl::StatusOr<std::unique_ptr<Workspace>> NewWorkspace(const WorkspaceSize& size);
  // The same with arena and scratch in memory of the caller: size.bytes() bytes, 64-byte aligned, that outlive the workspace. Nothing
  // in it has to survive from one execution to the next.
  static absl::StatusOr<std::unique_ptr<Workspace>> NewWorkspaceIn(const WorkspaceSize& size, void* memory);

  // Executes once. `inputs` and `outputs` hold one address per model input and output, not null, of at least IoDesc::bytes bytes.
  // All threads of `pool` (at most `threads` of Create) take part in steps that are worth it; without a pool, without such steps, or
  // when the pool is busy, the caller does it alone.
  // Results are the same either way. Floating point runs in the default environment and the caller's is restored.
  // INVALID_ARGUMENT with the node's name when a step reports a failure: later steps did not run then. RESOURCE_EXHAUSTED when the workspace
  // is too small and cannot grow.
  // With an observer all steps run on the caller's thread.
  absl::Status Run(Workspace* workspace, absl::Span<const void* const> inputs, absl::Span<void* const> outputs, ThreadPool* pool, Profiler* profiler,
                   StepObserver* observer = nullptr) const;

 private:
  struct PreparedStep {
    const Step* step;
    const KernelDef* kernel;
    std::shared_ptr<const void> state;
    uint32_t first_operand;  // in Workspace::addresses_
    bool wide;               // all threads run it; otherwise the first one does
    bool meet;               // all threads meet after it: it or the next step is wide
  };
  // An operand in a caller's buffer: its address is set at each execution.
  struct IoOperand {
    uint32_t slot;
    uint32_t index;
    uint64_t offset;
  };

  struct ObservedMemory {
    StepObserver* observer;
    Memory memory;
  };

  Executor() = default;
  absl::Status Prepare(uint64_t scratch_limit);
  // Makes the workspace large enough and fills in the addresses that stay the same.
  absl::Status Adopt(Workspace* workspace) const;
  absl::StatusOr<uint64_t> ScratchOf(const KernelDef& kernel, const Step& step, uint64_t limit) const;
  void SetAddresses(const Workspace& workspace, absl::Span<const void* const> inputs, absl::Span<void* const> outputs) const;
  void PlanMeetings();
  void RunSteps(Workspace* workspace, int thread, int threads, ThreadPool* pool, StepTime* times, const ObservedMemory* observed) const;

  const Plan* plan_ = nullptr;
  uint64_t id_ = 0;
  int threads_ = 1;
  bool any_wide_ = false;
  uint64_t scratch_per_thread_ = 0;
  uint8_t* weights_ = nullptr;  // never written
  std::vector<PreparedStep> steps_;
  std::vector<const Operand*> operands_;  // of all steps, in order
  std::vector<IoOperand> input_operands_, output_operands_;
};

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_EXECUTOR_H_
