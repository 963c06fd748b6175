// What an execution leaves in memory, shown step by step: dumps of layers look at it. Floor 2, between the executor and its watcher.
#ifndef OMKIT_RUNTIME_OBSERVER_H_
#define OMKIT_RUNTIME_OBSERVER_H_

#include <cstdint>

#include "absl/types/span.h"
#include "runtime/program.h"

namespace omkit::runtime {

// The four spaces of one execution.
struct Memory {
  const uint8_t* arena = nullptr;
  const uint8_t* weights = nullptr;
  absl::Span<const void* const> inputs;
  absl::Span<void* const> outputs;

  // Element 0 of a tensor; nullptr when it has no memory.
  const uint8_t* Find(const TensorRecord& tensor) const {
    if (!tensor.in_memory) return nullptr;
    switch (tensor.space) {
      case Space::kArena: return arena + tensor.offset;
      case Space::kWeights: return weights + tensor.offset;
      case Space::kInput: return static_cast<const uint8_t*>(inputs[tensor.index]) + tensor.offset;
      case Space::kOutput: return static_cast<const uint8_t*>(outputs[tensor.index]) + tensor.offset;
    }
    return nullptr;
  }
};

// An execution with an observer runs on the caller's thread alone.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  // Step `step` has ended, and none of the later ones has begun.
  virtual void AfterStep(size_t step, const Memory& memory) = 0;
};

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_OBSERVER_H_
