// Memory of the device and pinned memory of the host: page ranges of one reserved address range, so that any address tells whether it is
// live, dead or not ours. The room below aclrtMalloc and below every check of an address a client passes.
#ifndef OMKIT_RUNTIME_ACL_MEMORY_H_
#define OMKIT_RUNTIME_ACL_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>

namespace omkit::acl {

enum class MemoryKind : uint8_t { kDevice, kHost };

// Live memory; whoever holds a pointer to it keeps the pages mapped after Free.
struct Allocation {
  uintptr_t address = 0;
  size_t size = 0;  // as asked for
  MemoryKind kind = MemoryKind::kDevice;
  uintptr_t pages = 0;  // mapped range
  size_t pages_size = 0;
  size_t reserved_size = 0;  // pages_size and the unmapped page behind
  ~Allocation();
};

struct AddressInfo {
  enum State { kForeign, kLive, kDead } state = kForeign;
  std::shared_ptr<const Allocation> allocation;  // kLive
  size_t available = 0;                          // bytes from the address to the end of the allocation; kLive
};

class Memory {
 public:
  static Memory& Get();

  // Size > 0; `alignment` a power of two up to 4096. `slack` more bytes can be read behind. nullptr when memory is short.
  void* Allocate(size_t size, size_t alignment, size_t slack, MemoryKind kind, bool huge_pages);
  enum class FreeResult { kOk, kUnknown, kDead, kInterior, kOtherKind };
  FreeResult Free(const void* address, MemoryKind kind);
  AddressInfo Find(const void* address);

  // Bytes of physical memory of the machine, and bytes available now.
  static size_t TotalBytes();
  static size_t FreeBytes();

 private:
  friend struct Allocation;
  Memory();
  uintptr_t Reserve(size_t size);  // 0 when the range is full
  void Release(uintptr_t address, size_t size);

  uintptr_t begin_ = 0;
  uintptr_t end_ = 0;
  bool guard_ = false;
  std::mutex free_mutex_;
  std::map<uintptr_t, size_t> free_;  // reserved and unused: address -> size, coalesced
  uintptr_t next_ = 0;                // search starts here: addresses come back as late as possible
  std::shared_mutex live_mutex_;
  std::map<uintptr_t, std::shared_ptr<const Allocation>> live_;
};

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_MEMORY_H_
