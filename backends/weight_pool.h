// The weights of a program while plans are lowered into it: equal bytes are stored once, however many plans use them. Floor 4, under
// ProgramBuilder.
#ifndef OMKIT_BACKENDS_WEIGHT_POOL_H_
#define OMKIT_BACKENDS_WEIGHT_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/arena.h"

namespace omkit {

// One thread at a time may add. What was added is never changed, so others may read it meanwhile.
class WeightPool {
 public:
  // Grows as needed; its bytes may move at each Add.
  WeightPool() = default;
  // `capacity` bytes at most, which never move: for plans that run while others are lowered. Memory is taken from the system as it is used.
  static absl::StatusOr<std::unique_ptr<WeightPool>> WithCapacity(uint64_t capacity);

  // Where the bytes lie, a multiple of 64. Adds them unless they are known.
  uint64_t Add(const void* data, size_t size);
  // True when something did not fit into the capacity; offsets given since then are of no use.
  bool full() const { return full_; }

  const uint8_t* data() const { return fixed_.data() != nullptr ? fixed_.data() : grown_.data(); }
  uint64_t size() const { return size_; }
  // The bytes of a pool without capacity, which is empty afterwards.
  std::vector<uint8_t> Take();

 private:
  struct Range {
    uint64_t offset;
    uint64_t size;
  };

  runtime::Arena fixed_;
  std::vector<uint8_t> grown_;
  uint64_t size_ = 0;
  bool full_ = false;
  std::unordered_multimap<size_t, Range> known_;  // by hash of the content
};

}  // namespace omkit

#endif  // OMKIT_BACKENDS_WEIGHT_POOL_H_
