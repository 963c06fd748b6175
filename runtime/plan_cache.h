// The plans of a model that takes ranges of shapes: made when a shape is first asked for, kept while they are used. Floor 2, part of Model.
#ifndef OMKIT_RUNTIME_PLAN_CACHE_H_
#define OMKIT_RUNTIME_PLAN_CACHE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/executor.h"
#include "runtime/plan_source.h"
#include "runtime/shapes.h"
#include "runtime/verify_program.h"

namespace omkit::runtime {

struct PlanCacheOptions {
  size_t capacity = 16;  // plans; the one that was used longest ago goes first
  int threads = 1;
  uint64_t scratch_limit = 0;
  ProgramLimits limits;
};

// Thread-safe. A shape is planned once however many threads ask for it at the same time; others that are known are not held up meanwhile.
class PlanCache {
 public:
  // `program` must outlive the cache.
  PlanCache(const ShapedProgram& program, std::unique_ptr<PlanSource> source, const PlanCacheOptions& options)
      : program_(program), source_(std::move(source)), options_(options) {}

  // The executor for these shapes, one for each input. It stays valid when it has left the cache. A shape that is known allocates nothing.
  // INVALID_ARGUMENT: outside the ranges, or refused by a node; RESOURCE_EXHAUSTED: needs more memory than the limits allow.
  absl::StatusOr<std::shared_ptr<const Executor>> Find(const std::vector<std::vector<int64_t>>& dims);

 private:
  struct Entry {
    std::vector<std::vector<int64_t>> dims;
    std::shared_ptr<const Executor> executor;
  };
  std::shared_ptr<const Executor> Look(const std::vector<std::vector<int64_t>>& dims);
  absl::StatusOr<std::shared_ptr<const Executor>> Make(const std::vector<std::vector<int64_t>>& dims);

  const ShapedProgram& program_;
  std::unique_ptr<PlanSource> source_;
  PlanCacheOptions options_;
  std::mutex making_;         // held while a plan is made
  std::mutex mutex_;          // of entries_
  std::list<Entry> entries_;  // the last used first
};

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_PLAN_CACHE_H_
