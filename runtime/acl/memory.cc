#include "runtime/acl/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/checked.h"

namespace omkit::acl {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t PageSize() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace

Allocation::~Allocation() {
  if (pages == 0) return;
  void* const start = reinterpret_cast<void*>(pages);
  // A fresh mapping gives the pages back and makes later accesses fault.
  mmap(start, pages_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  try {
    Memory::Get().Release(pages, reserved_size);
  } catch (const std::bad_alloc&) {
    // The addresses stay reserved; no memory is lost.
  }
}

Memory& Memory::Get() {
  static Memory* const memory = new Memory;
  return *memory;
}

Memory::Memory() {
  const char* guard = std::getenv("OMKIT_GUARD");
  guard_ = guard != nullptr && std::strcmp(guard, "1") == 0;
  for (size_t size = RoundUp(2 * TotalBytes() + (size_t{1} << 30), kHugePage); size >= size_t{64} << 20; size = size / 2 / kHugePage * kHugePage) {
    void* const range = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) continue;
    begin_ = next_ = reinterpret_cast<uintptr_t>(range);
    end_ = begin_ + size;
    free_[begin_] = size;
    return;
  }
}

uintptr_t Memory::Reserve(size_t size) {
  const std::lock_guard<std::mutex> lock(free_mutex_);
  const auto take = [&](std::map<uintptr_t, size_t>::iterator it) {
    const uintptr_t address = it->first;
    const size_t rest = it->second - size;
    if (rest > 0) free_.emplace(address + size, rest);
    free_.erase(it);
    next_ = address + size;
    return address;
  };
  const auto middle = free_.lower_bound(next_);
  for (auto it = middle; it != free_.end(); ++it) {
    if (it->second >= size) return take(it);
  }
  for (auto it = free_.begin(); it != middle; ++it) {
    if (it->second >= size) return take(it);
  }
  return 0;
}

void Memory::Release(uintptr_t address, size_t size) {
  const std::lock_guard<std::mutex> lock(free_mutex_);
  auto it = free_.emplace(address, size).first;
  if (it != free_.begin()) {
    auto before = std::prev(it);
    if (before->first + before->second == it->first) {
      before->second += it->second;
      free_.erase(it);
      it = before;
    }
  }
  auto after = std::next(it);
  if (after != free_.end() && it->first + it->second == after->first) {
    it->second += after->second;
    free_.erase(after);
  }
}

void* Memory::Allocate(size_t size, size_t alignment, size_t slack, MemoryKind kind, bool huge_pages) {
  const size_t page = PageSize();
  if (size > TotalBytes()) return nullptr;
  const size_t needed = guard_ ? RoundUp(size, alignment) : size + slack;
  auto allocation = std::make_shared<Allocation>();
  const size_t pages_size = RoundUp(needed, page);
  const size_t reserved_size = pages_size + page;
  const uintptr_t pages = Reserve(reserved_size);
  if (pages == 0) return nullptr;
  allocation->pages = pages;
  allocation->pages_size = pages_size;
  allocation->reserved_size = reserved_size;
  if (mprotect(reinterpret_cast<void*>(pages), pages_size, PROT_READ | PROT_WRITE) != 0) return nullptr;
  if (huge_pages && pages_size >= kHugePage) madvise(reinterpret_cast<void*>(pages), pages_size, MADV_HUGEPAGE);
  allocation->address = guard_ ? pages + pages_size - needed : pages;
  allocation->size = size;
  allocation->kind = kind;
  const std::unique_lock<std::shared_mutex> lock(live_mutex_);
  live_.emplace(allocation->address, allocation);
  return reinterpret_cast<void*>(allocation->address);
}

AddressInfo Memory::Find(const void* pointer) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  AddressInfo info;
  if (address < begin_ || address >= end_) return info;
  info.state = AddressInfo::kDead;
  const std::shared_lock<std::shared_mutex> lock(live_mutex_);
  auto it = live_.upper_bound(address);
  if (it == live_.begin()) return info;
  --it;
  if (address - it->first >= it->second->size) return info;
  info.state = AddressInfo::kLive;
  info.allocation = it->second;
  info.available = it->second->size - (address - it->first);
  return info;
}

Memory::FreeResult Memory::Free(const void* pointer, MemoryKind kind) {
  const AddressInfo info = Find(pointer);
  if (info.state == AddressInfo::kForeign) return FreeResult::kUnknown;
  if (info.state == AddressInfo::kDead) return FreeResult::kDead;
  if (info.allocation->address != reinterpret_cast<uintptr_t>(pointer)) return FreeResult::kInterior;
  if (info.allocation->kind != kind) return FreeResult::kOtherKind;
  const std::unique_lock<std::shared_mutex> lock(live_mutex_);
  return live_.erase(info.allocation->address) == 1 ? FreeResult::kOk : FreeResult::kDead;
}

size_t Memory::TotalBytes() {
  static const size_t total = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * PageSize();
  return total;
}

size_t Memory::FreeBytes() {
  size_t kib = 0;
  if (FILE* file = std::fopen("/proc/meminfo", "re")) {
    char line[256];
    while (std::fgets(line, sizeof line, file) != nullptr) {
      if (std::sscanf(line, "MemAvailable: %zu kB", &kib) == 1) break;
    }
    std::fclose(file);
  }
  const size_t bytes = kib != 0 ? kib * 1024 : static_cast<size_t>(sysconf(_SC_AVPHYS_PAGES)) * PageSize();
  return bytes < TotalBytes() ? bytes : TotalBytes();
}

}  // namespace omkit::acl
