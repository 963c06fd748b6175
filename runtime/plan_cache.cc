#include "runtime/plan_cache.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "runtime/shapes.h"

namespace omkit::runtime {
namespace {

// An executor with all it points to.
struct OwnPlan {
  BoundPlan bound;
  std::unique_ptr<Executor> executor;
};

}  // namespace

std::shared_ptr<const Executor> PlanCache::Look(const std::vector<std::vector<int64_t>>& dims) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.dims == dims; });
  if (it == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it);
  return it->executor;
}

absl::StatusOr<std::shared_ptr<const Executor>> PlanCache::Make(const std::vector<std::vector<int64_t>>& dims) {
  auto own = std::make_shared<OwnPlan>();
  OMKIT_ASSIGN_OR_RETURN(own->bound, source_->Make(dims));
  OMKIT_RETURN_IF_ERROR(VerifyPlan(own->bound.plan, own->bound.weights_size, options_.limits));
  OMKIT_ASSIGN_OR_RETURN(own->executor, Executor::Create(own->bound.plan, own->bound.weights, options_.threads, options_.scratch_limit));
  const Executor* executor = own->executor.get();
  return std::shared_ptr<const Executor>(std::move(own), executor);
}

absl::StatusOr<std::shared_ptr<const Executor>> PlanCache::Find(const std::vector<std::vector<int64_t>>& dims) {
  if (std::shared_ptr<const Executor> known = Look(dims)) return known;
  OMKIT_RETURN_IF_ERROR(CheckRanges(program_.shapes, program_.inputs, dims));
  const std::lock_guard<std::mutex> making(making_);
  if (std::shared_ptr<const Executor> known = Look(dims)) return known;
  OMKIT_ASSIGN_OR_RETURN(std::shared_ptr<const Executor> made, Make(dims));
  Entry last;  // destroyed without the lock
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.push_front({dims, made});
  if (entries_.size() > options_.capacity) {
    last = std::move(entries_.back());
    entries_.pop_back();
  }
  return made;
}

}  // namespace omkit::runtime
