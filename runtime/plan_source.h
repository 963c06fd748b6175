// Where plans come from when shapes are known only at run time. Floor 2: this is all that the runtime knows of lowering; the program that
// links the compiler's last stages (backends/bind) hands in the function.
#ifndef OMKIT_RUNTIME_PLAN_SOURCE_H_
#define OMKIT_RUNTIME_PLAN_SOURCE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/shapes.h"

namespace omkit::runtime {

// A plan and the weights its operands point into.
struct BoundPlan {
  Plan plan;
  const uint8_t* weights = nullptr;  // 64-byte aligned
  uint64_t weights_size = 0;
  std::shared_ptr<const void> owner;  // keeps `weights` alive
};

// Thread-safe. Plans of one source share weights of equal content.
class PlanSource {
 public:
  virtual ~PlanSource() = default;
  // The plan for these shapes, one for each input, within the model's ranges. Errors name the node that cannot take the shape.
  virtual absl::StatusOr<BoundPlan> Make(const std::vector<std::vector<int64_t>>& dims) = 0;
};

// Reads RuntimeShapes::graph of a program, which may be hostile; constants of the graph lie in `weights`, which must outlive the source.
using PlanSourceFactory = absl::StatusOr<std::unique_ptr<PlanSource>> (*)(const ShapedProgram& program, const uint8_t* weights,
                                                                          uint64_t weights_size);

// May be called during static initialisation; the last function wins. Returns true.
bool SetPlanSourceFactory(PlanSourceFactory factory);
// UNIMPLEMENTED when this program links no factory.
absl::StatusOr<std::unique_ptr<PlanSource>> MakePlanSource(const ShapedProgram& program, const uint8_t* weights, uint64_t weights_size);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_PLAN_SOURCE_H_
