// Test support: one step over operands that end (or begin) at an inaccessible page, so that a kernel that leaves them crashes.
#ifndef OMKIT_BACKENDS_KERNELS_STEP_RUNNER_H_
#define OMKIT_BACKENDS_KERNELS_STEP_RUNNER_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backends/kernels/view.h"
#include "base/cpu.h"
#include "runtime/kernel.h"
#include "runtime/program.h"

namespace omkit::kernels {

class StepRunner {
 public:
  StepRunner(std::string kernel, std::string params);
  ~StepRunner();
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;

  // The next operand, `size` bytes copied from `bytes`.
  void Add(runtime::Space space, const void* bytes, size_t size);
  template <typename T>
  void Add(runtime::Space space, const std::vector<T>& values) {
    Add(space, values.data(), values.size() * sizeof(T));
  }

  runtime::Step& step() { return step_; }
  absl::Status Verify() const;
  // Verifies, prepares, and runs all threads of the step one after the other (kernels do not wait for each other).
  absl::Status Run(int threads);
  // For benchmarks: the first two parts of Run once, then the last as often as wanted.
  absl::Status Prepare();
  void RunPrepared(int thread, int threads);
  std::vector<uint8_t> Bytes(int operand) const;
  void Reset(int operand, const std::vector<uint8_t>& bytes);

 private:
  struct Region {
    uint8_t* pages;
    size_t mapped;
    uint8_t* data;
    size_t size;
  };
  runtime::Step step_;
  std::vector<Region> regions_;
  const runtime::KernelDef* kernel_ = nullptr;
  std::shared_ptr<const void> state_;
  std::vector<void*> addresses_;
  std::vector<uint8_t> scratch_;
};

// The tiers of this build that the machine can execute.
std::vector<Isa> RunnableTiers();

using Random = std::mt19937;
inline int64_t Pick(Random& random, int64_t min, int64_t max) { return std::uniform_int_distribution<int64_t>(min, max)(random); }
std::vector<uint8_t> RandomBytes(Random& random, size_t size);

// A rank 4 channels-last view of n, h, w, c elements with `halo` pixels around the image, `gap` unused channels per pixel and
// `offset` elements in front; `*elements` is the operand's size in elements.
View ImageView(int64_t n, int64_t h, int64_t w, int64_t c, int64_t gap, int64_t halo_before_h, int64_t halo_after_h, int64_t halo_before_w,
               int64_t halo_after_w, int64_t offset, int element_size, int64_t* elements);
inline int64_t At(const View& v, int64_t a, int64_t b, int64_t c, int64_t d) {
  return v.offset + a * v.strides[0] + b * v.strides[1] + c * v.strides[2] + d * v.strides[3];
}

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_STEP_RUNNER_H_
