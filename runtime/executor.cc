#include "runtime/executor.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "runtime/float_environment.h"
#include "runtime/verify_program.h"

namespace omkit::runtime {
namespace {

// A step with less work than this is done by one thread in about the time that it takes threads to meet (1 to 2 us).
constexpr int64_t kLeastWideOperations = 200'000;
constexpr uint64_t kLeastWideBytes = 32 << 10;

bool WorthAllThreads(const Step& step) {
  if (step.operations >= kLeastWideOperations) return true;
  uint64_t bytes = 0;
  for (const Operand& o : step.operands) bytes += std::min(o.size, kLeastWideBytes);
  return bytes >= kLeastWideBytes;
}

}  // namespace

uint64_t WorkspaceSize::bytes() const {
  // 64 more cover the round-up between arena and scratch.
  return arena + scratch + operands * sizeof(void*) + steps * sizeof(StepTime) + 4 * Arena::kSlack + 64;
}

void WorkspaceSize::Cover(const WorkspaceSize& other) {
  arena = std::max(arena, other.arena);
  scratch = std::max(scratch, other.scratch);
  operands = std::max(operands, other.operands);
  steps = std::max(steps, other.steps);
}

absl::StatusOr<std::unique_ptr<Executor>> Executor::Create(const Plan& plan, const uint8_t* weights, int threads, uint64_t scratch_limit) {
  static std::atomic<uint64_t> last_id{0};
  std::unique_ptr<Executor> executor(new Executor());
  executor->id_ = ++last_id;
  executor->threads_ = std::max(threads, 1);
  executor->plan_ = &plan;
  executor->weights_ = const_cast<uint8_t*>(weights);
  OMKIT_RETURN_IF_ERROR(VerifyKernels(plan));
  OMKIT_RETURN_IF_ERROR(executor->Prepare(scratch_limit));
  return executor;
}

absl::StatusOr<uint64_t> Executor::ScratchOf(const KernelDef& kernel, const Step& step, uint64_t limit) const {
  const int64_t bytes = kernel.scratch_bytes == nullptr ? 0 : kernel.scratch_bytes(step);
  // A unit more than asked keeps neighbouring threads off one cache line.
  const CheckedSize all = (CheckedSize(bytes) + 128) * threads_;
  if (bytes < 0) return absl::InvalidArgumentError(absl::StrCat("the kernel asks for ", bytes, " bytes of scratch"));
  if (!all.FitsIn(static_cast<int64_t>(std::min<uint64_t>(limit, std::numeric_limits<int64_t>::max())))) {
    return absl::ResourceExhaustedError(absl::StrCat(bytes, " bytes of scratch for each of ", threads_, " threads exceed the limit of ", limit));
  }
  return static_cast<uint64_t>(RoundUp(bytes, 64));
}

absl::Status Executor::Prepare(uint64_t scratch_limit) {
  const std::vector<Step>& steps = plan_->steps;
  steps_.reserve(steps.size());
  std::vector<void*> addresses;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    PreparedStep prepared{&step, FindKernel(step.kernel), nullptr, static_cast<uint32_t>(operands_.size()), WorthAllThreads(step), true};
    addresses.clear();
    for (const Operand& o : step.operands) {
      const uint32_t slot = static_cast<uint32_t>(operands_.size());
      operands_.push_back(&o);
      if (o.space == Space::kInput) input_operands_.push_back({slot, o.index, o.offset});
      if (o.space == Space::kOutput) output_operands_.push_back({slot, o.index, o.offset});
      addresses.push_back(o.space == Space::kWeights ? weights_ + o.offset : nullptr);
    }
    absl::StatusOr<uint64_t> scratch = ScratchOf(*prepared.kernel, step, scratch_limit);
    if (!scratch.ok()) return Annotate(scratch.status(), StepLabel(*plan_, i));
    scratch_per_thread_ = std::max(scratch_per_thread_, *scratch);
    if (prepared.kernel->prepare != nullptr) {
      absl::StatusOr<std::shared_ptr<const void>> state = prepared.kernel->prepare(step, addresses.data());
      if (!state.ok()) return Annotate(state.status(), StepLabel(*plan_, i));
      prepared.state = *std::move(state);
    }
    steps_.push_back(std::move(prepared));
  }
  if (scratch_per_thread_ > 0) scratch_per_thread_ += 64;
  PlanMeetings();
  return absl::OkStatus();
}

// The end of Run is the meeting of the last step.
void Executor::PlanMeetings() {
  for (size_t i = 0; i < steps_.size(); ++i) {
    any_wide_ = any_wide_ || steps_[i].wide;
    steps_[i].meet = i + 1 < steps_.size() && (steps_[i].wide || steps_[i + 1].wide);
  }
}

WorkspaceSize Executor::workspace_size() const { return {plan_->arena_size, scratch_per_thread_ * threads_, operands_.size(), steps_.size()}; }

absl::StatusOr<std::unique_ptr<Workspace>> Executor::NewWorkspace(const WorkspaceSize& size) {
  auto workspace = std::make_unique<Workspace>();
  OMKIT_ASSIGN_OR_RETURN(workspace->arena_, Arena::Allocate(size.arena, "the working memory of one execution"));
  OMKIT_ASSIGN_OR_RETURN(workspace->scratch_, Arena::Allocate(size.scratch, "scratch memory"));
  OMKIT_RETURN_IF_ERROR(workspace->GrowTables(size));
  return workspace;
}

absl::StatusOr<std::unique_ptr<Workspace>> Executor::NewWorkspaceIn(const WorkspaceSize& size, void* memory) {
  auto workspace = std::make_unique<Workspace>();
  workspace->arena_ = Arena::Borrow(memory, size.arena);
  const uint64_t behind = static_cast<uint64_t>(RoundUp(static_cast<int64_t>(size.arena + Arena::kSlack), 64));
  workspace->scratch_ = Arena::Borrow(static_cast<uint8_t*>(memory) + behind, size.scratch);
  workspace->borrowed_ = true;
  OMKIT_RETURN_IF_ERROR(workspace->GrowTables(size));
  return workspace;
}

absl::Status Workspace::GrowTables(const WorkspaceSize& size) {
  if (addresses_.data() == nullptr || addresses_.size() < size.operands * sizeof(void*)) {
    OMKIT_ASSIGN_OR_RETURN(addresses_, Arena::Allocate(size.operands * sizeof(void*), "the operand table"));
  }
  if (times_.data() == nullptr || times_.size() < size.steps * sizeof(StepTime)) {
    OMKIT_ASSIGN_OR_RETURN(times_, Arena::Allocate(size.steps * sizeof(StepTime), "the profile"));
  }
  return absl::OkStatus();
}

absl::Status Executor::Adopt(Workspace* workspace) const {
  const WorkspaceSize need = workspace_size();
  workspace->executor_ = 0;
  const bool small = workspace->arena_.size() < need.arena || workspace->scratch_.size() < need.scratch;
  if (small && workspace->borrowed_) return absl::ResourceExhaustedError("the caller's working memory is too small for this shape");
  if (workspace->arena_.size() < need.arena) {
    workspace->arena_ = Arena();
    OMKIT_ASSIGN_OR_RETURN(workspace->arena_, Arena::Allocate(need.arena, "the working memory of one execution"));
  }
  if (workspace->scratch_.size() < need.scratch) {
    workspace->scratch_ = Arena();
    OMKIT_ASSIGN_OR_RETURN(workspace->scratch_, Arena::Allocate(need.scratch, "scratch memory"));
  }
  OMKIT_RETURN_IF_ERROR(workspace->GrowTables(need));
  void** addresses = reinterpret_cast<void**>(workspace->addresses_.data());
  for (size_t slot = 0; slot < operands_.size(); ++slot) {
    const Operand& o = *operands_[slot];
    if (o.space == Space::kArena) addresses[slot] = workspace->arena_.data() + o.offset;
    if (o.space == Space::kWeights) addresses[slot] = weights_ + o.offset;
  }
  workspace->executor_ = id_;
  return absl::OkStatus();
}

void Executor::SetAddresses(const Workspace& workspace, absl::Span<const void* const> inputs, absl::Span<void* const> outputs) const {
  void** addresses = reinterpret_cast<void**>(workspace.addresses_.data());
  for (const IoOperand& o : input_operands_) addresses[o.slot] = static_cast<uint8_t*>(const_cast<void*>(inputs[o.index])) + o.offset;
  for (const IoOperand& o : output_operands_) addresses[o.slot] = static_cast<uint8_t*>(outputs[o.index]) + o.offset;
}

void Executor::RunSteps(Workspace* workspace, int thread, int threads, ThreadPool* pool, StepTime* times, const ObservedMemory* observed) const {
  const DefaultFloatEnvironment environment;
  void* const* addresses = reinterpret_cast<void* const*>(workspace->addresses_.data());
  uint8_t* scratch = workspace->scratch_.data() + scratch_per_thread_ * thread;
  KernelContext context{nullptr, scratch, nullptr, thread, threads, &workspace->failure_};
  const bool timed = times != nullptr && thread == 0;
  const size_t count = steps_.size();
  for (size_t i = 0; i < count; ++i) {
    const PreparedStep& prepared = steps_[i];
    const bool meet = threads > 1 && (prepared.meet || (i + 1 == count && prepared.wide && times != nullptr));
    if (timed) times[i].begin_ns = MonotonicNanoseconds();
    // After a failure the first thread still goes on to the next meeting, where the others wait.
    if ((prepared.wide || thread == 0) && workspace->failed_step_.load(std::memory_order_relaxed) >= i) {
      context.operands = addresses + prepared.first_operand;
      context.state = prepared.state.get();
      context.threads = prepared.wide ? threads : 1;
      prepared.kernel->run(*prepared.step, context);
      if (workspace->failure_.failed.load(std::memory_order_relaxed)) {
        size_t none = count;
        workspace->failed_step_.compare_exchange_strong(none, i);
      }
    }
    if (meet) pool->Barrier(thread);
    if (timed) times[i].end_ns = MonotonicNanoseconds();
    if (observed != nullptr && workspace->failed_step_.load(std::memory_order_relaxed) > i) observed->observer->AfterStep(i, observed->memory);
    // A faster thread may have failed in a later step already: all threads must leave after the same one.
    if (meet && workspace->failed_step_.load(std::memory_order_relaxed) <= i) return;
  }
}

absl::Status Executor::Run(Workspace* workspace, absl::Span<const void* const> inputs, absl::Span<void* const> outputs, ThreadPool* pool,
                           Profiler* profiler, StepObserver* observer) const {
  if (workspace->executor_ != id_) OMKIT_RETURN_IF_ERROR(Adopt(workspace));
  SetAddresses(*workspace, inputs, outputs);
  workspace->failure_.failed = false;
  workspace->failed_step_ = steps_.size();
  StepTime* times = profiler == nullptr ? nullptr : reinterpret_cast<StepTime*>(workspace->times_.data());
  const int threads = pool == nullptr ? 1 : pool->size();
  const bool together = threads > 1 && threads <= threads_ && any_wide_ && observer == nullptr &&
                        pool->TryRun([&](int thread) { RunSteps(workspace, thread, threads, pool, times, nullptr); });
  if (!together) {
    const ObservedMemory observed{observer, {workspace->arena_.data(), weights_, inputs, outputs}};
    RunSteps(workspace, 0, 1, nullptr, times, observer != nullptr ? &observed : nullptr);
  }
  if (workspace->failure_.failed) {
    return absl::InvalidArgumentError(absl::StrCat(StepLabel(*plan_, workspace->failed_step_), ": ", workspace->failure_.message));
  }
  if (profiler != nullptr) profiler->Add({times, steps_.size()});
  return absl::OkStatus();
}

}  // namespace omkit::runtime
