// Zeroed, 64-byte aligned memory that fails with a status instead of ending the process. Floor 2: workspaces and weights.
#ifndef OMKIT_RUNTIME_ARENA_H_
#define OMKIT_RUNTIME_ARENA_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace omkit::runtime {

class Arena {
 public:
  // Bytes behind the asked size that may be read: vector loads at the end of a buffer.
  static constexpr size_t kSlack = 64;

  // RESOURCE_EXHAUSTED names `what` and the size. Large sizes get pages of their own, huge ones where the system offers them.
  static absl::StatusOr<Arena> Allocate(uint64_t size, absl::string_view what);
  // Memory of the caller, 64-byte aligned, which must outlive the arena and stays the caller's.
  static Arena Borrow(void* data, uint64_t size);
  Arena() = default;
  ~Arena();
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;

  uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
  size_t mapped_ = 0;  // bytes of the mapping; 0: from the heap
  bool borrowed_ = false;
};

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_ARENA_H_
