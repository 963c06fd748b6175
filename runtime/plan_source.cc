#include "runtime/plan_source.h"

namespace omkit::runtime {
namespace {

PlanSourceFactory the_factory = nullptr;

}  // namespace

bool SetPlanSourceFactory(PlanSourceFactory factory) {
  the_factory = factory;
  return true;
}

absl::StatusOr<std::unique_ptr<PlanSource>> MakePlanSource(const ShapedProgram& program, const uint8_t* weights, uint64_t weights_size) {
  if (the_factory != nullptr) return the_factory(program, weights, weights_size);
  return absl::UnimplementedError("the model takes any shape within ranges, and this program is built without the compiler's last stage");
}

}  // namespace omkit::runtime
