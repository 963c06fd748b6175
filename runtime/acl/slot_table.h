// Handles of the C API: a handle is not an address but an index, a generation and a type tag packed into a pointer. A null, freed, foreign or
// wrongly typed handle is found out in constant time without following it, and an object in use outlives its destruction.
#ifndef OMKIT_RUNTIME_ACL_SLOT_TABLE_H_
#define OMKIT_RUNTIME_ACL_SLOT_TABLE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace omkit::acl {

enum class HandleType : uint8_t {
  kDataBuffer = 1,
  kTensorDesc = 2,
  kDataset = 3,
  kModelDesc = 4,
  kContext = 5,
  kStream = 6,
  kEvent = 7,
  kException = 8,
  kLoadConfig = 9,
  kExecConfig = 10,
  kOpHandle = 11,
  kProfConfig = 12,
  kSubscribeConfig = 13,
  kStepInfo = 14,
  kStamp = 15,
  kAipp = 20,
};

// All objects of one type; thread-safe. 64 bits: generation 31, index 24, tag 8, and a last bit of 1 that no aligned address has.
template <typename T, HandleType kType>
class SlotTable {
 public:
  // Never destroyed: handles may be used while the process exits.
  static SlotTable& Get() {
    static SlotTable* const table = new SlotTable;
    return *table;
  }

  // nullptr when 2^24 objects exist.
  void* Add(std::shared_ptr<T> object) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) {
      if (slots_.size() >= kMaxSlots) return nullptr;
      slots_.emplace_back();
      free_.reserve(slots_.capacity());
      free_.push_back(static_cast<uint32_t>(slots_.size() - 1));
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    slot.object = std::move(object);
    ++live_;
    return reinterpret_cast<void*>(uintptr_t{slot.generation} << 33 | uintptr_t{index} << 9 | uintptr_t{static_cast<uint8_t>(kType)} << 1 | 1);
  }

  // nullptr for anything but a live handle of this table.
  std::shared_ptr<T> Find(const void* handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Slot* slot = Locate(handle);
    return slot != nullptr ? slot->object : nullptr;
  }

  // Ends the handle and gives the object; nullptr as in Find.
  std::shared_ptr<T> Remove(const void* handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Slot* slot = Locate(handle);
    if (slot == nullptr) return nullptr;
    slot->generation = slot->generation == kMaxGeneration ? 1 : slot->generation + 1;
    free_.push_back(static_cast<uint32_t>(slot - slots_.data()));
    --live_;
    return std::move(slot->object);
  }

  // Ends all handles.
  std::vector<std::shared_ptr<T>> RemoveAll() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::shared_ptr<T>> objects;
    objects.reserve(live_);
    for (Slot& slot : slots_) {
      if (slot.object == nullptr) continue;
      objects.push_back(std::move(slot.object));
      slot.generation = slot.generation == kMaxGeneration ? 1 : slot.generation + 1;
      free_.push_back(static_cast<uint32_t>(&slot - slots_.data()));
      --live_;
    }
    return objects;
  }

  size_t live() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return live_;
  }

 private:
  static constexpr uint32_t kMaxSlots = 1u << 24;
  static constexpr uint32_t kMaxGeneration = (1u << 30) - 1;  // handles stay positive as signed numbers
  struct Slot {
    uint32_t generation = 1;
    std::shared_ptr<T> object;
  };

  Slot* Locate(const void* handle) {
    const uintptr_t bits = reinterpret_cast<uintptr_t>(handle);
    if ((bits & 0x1FF) != (uintptr_t{static_cast<uint8_t>(kType)} << 1 | 1)) return nullptr;
    const uintptr_t index = bits >> 9 & (kMaxSlots - 1);
    if (index >= slots_.size()) return nullptr;
    Slot& slot = slots_[index];
    return slot.object != nullptr && slot.generation == bits >> 33 ? &slot : nullptr;
  }

  std::mutex mutex_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;  // capacity for every slot, so that Remove cannot fail
  size_t live_ = 0;
};

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_SLOT_TABLE_H_
