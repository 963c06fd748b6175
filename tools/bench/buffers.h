// Inputs and outputs of one model, filled with made numbers. Floor 5.
#ifndef OMKIT_TOOLS_BENCH_BUFFERS_H_
#define OMKIT_TOOLS_BENCH_BUFFERS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/arena.h"
#include "runtime/model.h"

namespace omkit::bench {

class Buffers {
 public:
  // float32: uniform in [-1, 1), the same on every machine; int8 and uint8: all values. Other types are zeros: they may be indices or sizes.
  static absl::StatusOr<Buffers> Make(const runtime::Model& model);

  absl::Span<const void* const> inputs() const { return inputs_; }
  absl::Span<void* const> outputs() const { return outputs_; }

 private:
  std::vector<runtime::Arena> memory_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
};

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_BUFFERS_H_
