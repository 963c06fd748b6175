// The kernel registry of the run side: backends register kernels by name, the loader resolves every step to one. Floor 2.
#ifndef OMKIT_RUNTIME_KERNEL_H_
#define OMKIT_RUNTIME_KERNEL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/program.h"

namespace omkit::runtime {

// Where a step whose work depends on data reports that it cannot be done (an index out of range). One per execution, reset by the
// executor; after the step the executor stops and returns INVALID_ARGUMENT with the node's name and the first message.
struct StepFailure {
  std::atomic<bool> failed{false};
  char message[256] = {};
};

// What a kernel gets for one execution of its step on one thread.
struct KernelContext {
  void* const* operands;  // step.operands resolved to addresses; caller buffers may be unaligned, others are 64-byte aligned
  void* scratch;          // scratch_bytes of this thread, 64-byte aligned
  const void* state;      // what prepare returned
  int thread;
  int threads;                     // all `threads` call run at once; the executor puts a barrier after the step
  StepFailure* failure = nullptr;  // nullptr: failures are not reported
};

struct KernelDef {
  const char* name;
  // Called once per step at load, on data that may be hostile. OK means: with these params and operand sizes, run touches no byte
  // outside its operands, divides by nothing that is zero, and terminates.
  absl::Status (*verify)(const Step& step);
  // Bytes of scratch per thread; nullptr: none. Called after verify.
  int64_t (*scratch_bytes)(const Step& step);
  // Builds what run needs beyond the params, once per step at load; nullptr: nothing. `operands` holds addresses of weight
  // operands and nullptr elsewhere. May allocate.
  absl::StatusOr<std::shared_ptr<const void>> (*prepare)(const Step& step, void* const* operands);
  // Must not allocate, lock, or throw.
  void (*run)(const Step& step, const KernelContext& context);
  // Bit i: run writes operand i. The loader refuses steps that would write to the weights or to a model input.
  uint32_t writes = 0;
};

// Reports a failure from inside run; the first one of an execution wins. The message is cut to the space there is.
void FailStep(const KernelContext& context, absl::string_view message);

// Adds a kernel; the pointer must stay valid. A second kernel of the same name is refused with ALREADY_EXISTS.
absl::Status RegisterKernel(const KernelDef* kernel);
// nullptr when no kernel has this name.
const KernelDef* FindKernel(absl::string_view name);
// Names of all kernels, sorted.
std::vector<std::string> KernelNames();

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_KERNEL_H_
