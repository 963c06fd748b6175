// How the AVX512-VNNI tier cuts output channels into blocks: as many blocks of 32 as needed, the last one of 16 where 16 suffice.
// Floor 4; plain arithmetic shared by the packer and the kernel. Internal linkage only.
//
// Packed weights: int8 [group][block][tap][step of 4 input channels][slot][4]. Slots of a 32-block are ordered so that packing two
// accumulators of 16 slots to bytes restores channel order inside each 8-byte piece; slots of a 16-block are in channel order.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_BLOCKS_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_BLOCKS_H_

#include <cstdint>

namespace omkit::kernels {
namespace {

struct Blocks {
  int64_t count;     // blocks of one group
  bool last_is_half; // the last block has 16 slots
  int64_t slots() const { return count * 32 - (last_is_half ? 16 : 0); }
  int width(int64_t block) const { return last_is_half && block == count - 1 ? 16 : 32; }
};

[[maybe_unused]] inline Blocks BlocksOf(int64_t channels) {
  const int64_t rest = channels % 32;
  return {(channels + 31) / 32, rest != 0 && rest <= 16};
}

// Output channel of slot `slot` of a block of `width` slots.
[[maybe_unused]] inline int ChannelOfSlot(int width, int slot) {
  if (width == 16) return slot;
  const int half = slot / 16, lane = slot % 16 / 4;
  return 8 * lane + 4 * half + slot % 4;
}

// Groups whose input channels are no multiple of 4 cannot be read in dwords without touching the next group.
[[maybe_unused]] inline bool UsesBlocks(int64_t ic_per_group, int64_t groups) { return groups == 1 || ic_per_group % 4 == 0; }

// Per-slot constants that prepare lays out for run: [group][block][slot].
struct BlockConstants {
  const int32_t* bias;
  const float* multiplier;
};

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_BLOCKS_H_
