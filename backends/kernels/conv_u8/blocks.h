// How the x86 tiers cut output channels into blocks and order their slots. Floor 4; plain arithmetic shared by the packer and the
// kernels. Internal linkage only.
//
// Packed weights: [group][block][tap][step of 4 input channels][slot], the slot's 4 weights being
//   avx512vnni, avxvnni: int8 w0 w1 w2 w3;
//   avx2: the same as int16 in two parts, (w0, w2) of all slots and then (w1, w3) of all slots.
// Slots are ordered so that packing two accumulators (the first and the second half of the slots) to bytes restores channel order
// inside each 8-byte piece.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_BLOCKS_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_BLOCKS_H_

#include <cstdint>

namespace omkit::kernels {
namespace {

// Slots of a block: two 512-bit or two 256-bit accumulators.
constexpr int kZmmSlots = 32, kYmmSlots = 16;

struct Blocks {
  int64_t count;      // blocks of one group
  int slots_each;     // kZmmSlots or kYmmSlots
  bool last_is_half;  // the last block has half as many slots, in channel order
  int64_t slots() const { return count * slots_each - (last_is_half ? slots_each / 2 : 0); }
  int width(int64_t block) const { return last_is_half && block == count - 1 ? slots_each / 2 : slots_each; }
  // Output channel, from the block's first, of one of its slots.
  int ChannelOf(int64_t block, int slot) const {
    if (width(block) != slots_each) return slot;
    const int half = slots_each / 2;
    return slot % half / 4 * 8 + slot / half * 4 + slot % 4;
  }
};

// `slots_each` is kZmmSlots or kYmmSlots; only the wide blocks have a half form.
[[maybe_unused]] inline Blocks BlocksOf(int64_t channels, int slots_each) {
  const int64_t rest = channels % slots_each;
  return {(channels + slots_each - 1) / slots_each, slots_each, slots_each == kZmmSlots && rest != 0 && rest <= slots_each / 2};
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
