#include "backends/weight_pool.h"

#include <cstring>
#include <functional>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit {
namespace {

constexpr int64_t kAlignment = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<WeightPool>> WeightPool::WithCapacity(uint64_t capacity) {
  auto pool = std::make_unique<WeightPool>();
  OMKIT_ASSIGN_OR_RETURN(pool->fixed_, runtime::Arena::Allocate(capacity, "the weights of plans"));
  return pool;
}

uint64_t WeightPool::Add(const void* data, size_t size) {
  const size_t hash = std::hash<absl::string_view>()(absl::string_view(static_cast<const char*>(data), size));
  for (auto [it, end] = known_.equal_range(hash); it != end; ++it) {
    const Range& range = it->second;
    if (range.size == size && (size == 0 || std::memcmp(this->data() + range.offset, data, size) == 0)) return range.offset;
  }
  const uint64_t offset = size_;
  const uint64_t end = offset + static_cast<uint64_t>(RoundUp(static_cast<int64_t>(size), kAlignment));
  if (fixed_.data() != nullptr) {
    if (end > fixed_.size()) {
      full_ = true;
      return 0;
    }
    if (size > 0) std::memcpy(fixed_.data() + offset, data, size);
  } else {
    const auto* bytes = static_cast<const uint8_t*>(data);
    grown_.insert(grown_.end(), bytes, bytes + size);
    grown_.resize(end);
  }
  size_ = end;
  known_.emplace(hash, Range{offset, size});
  return offset;
}

std::vector<uint8_t> WeightPool::Take() {
  known_.clear();
  size_ = 0;
  return std::exchange(grown_, {});
}

}  // namespace omkit
