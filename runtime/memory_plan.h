// Where the blocks of working memory lie in the arena. Floor 2: backends call it when they build a program.
//
// Blocks whose step intervals intersect never share a byte; others may. This is dynamic storage allocation (NP-hard): greedy
// placement in several orders, then a bounded local search around the blocks that reach the top.
#ifndef OMKIT_RUNTIME_MEMORY_PLAN_H_
#define OMKIT_RUNTIME_MEMORY_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace omkit::runtime {

struct MemoryBlock {
  uint64_t size = 0;   // bytes; 0 is placed at offset 0 and shares with everyone
  int first_step = 0;  // the block is live from first_step to last_step, both included
  int last_step = 0;
  uint64_t alignment = 64;  // a power of two
};

struct MemoryPlan {
  std::vector<uint64_t> offsets;  // one per block, in bytes
  uint64_t total = 0;             // end of the highest block
  uint64_t lower_bound = 0;       // the most bytes that are live at one step, each size rounded up to its alignment
};

// Deterministic: equal blocks give an equal plan on every machine. INVALID_ARGUMENT for a reversed interval or a bad alignment,
// RESOURCE_EXHAUSTED when the sizes do not fit in 2^62 bytes; both name the block's index.
absl::StatusOr<MemoryPlan> PlanMemory(absl::Span<const MemoryBlock> blocks);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_MEMORY_PLAN_H_
