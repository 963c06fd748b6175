#include "runtime/arena.h"

#include <stdlib.h>
#include <sys/mman.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace omkit::runtime {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// Under AddressSanitizer everything comes from the heap, where it sees a kernel that leaves its memory.
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kLargestOnHeap = uint64_t{1} << 40;
#else
constexpr uint64_t kLargestOnHeap = size_t{1} << 20;
#endif

}  // namespace

absl::StatusOr<Arena> Arena::Allocate(uint64_t size, absl::string_view what) {
  const absl::Status failed = absl::ResourceExhaustedError(absl::StrCat("cannot allocate ", size, " bytes for ", what));
  if (size > (uint64_t{1} << 46)) return failed;
  const size_t bytes = size + kSlack;
  Arena arena;
  if (bytes <= kLargestOnHeap) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 64, bytes) != 0) return failed;
    std::memset(memory, 0, bytes);
    arena.data_ = static_cast<uint8_t*>(memory);
  } else {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return failed;
#if defined(MADV_HUGEPAGE)
    if (bytes >= 2 * kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    arena.data_ = static_cast<uint8_t*>(memory);
    arena.mapped_ = bytes;
  }
  arena.size_ = size;
  return arena;
}

Arena Arena::Borrow(void* data, uint64_t size) {
  Arena arena;
  arena.data_ = static_cast<uint8_t*>(data);
  arena.size_ = size;
  arena.borrowed_ = true;
  return arena;
}

Arena::~Arena() {
  if (borrowed_) return;
  if (mapped_ > 0) munmap(data_, mapped_);
  else free(data_);
}

Arena::Arena(Arena&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)),
      borrowed_(std::exchange(other.borrowed_, false)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  std::swap(borrowed_, other.borrowed_);
  return *this;
}

}  // namespace omkit::runtime
