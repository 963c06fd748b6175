// How a tier cuts output channels into blocks and orders their weights. Floor 4; plain arithmetic shared by the packer and the kernels.
// Internal linkage only.
//
// Packed weights: [group][block]{terms, [tap][step of input channels][slot]}, one slot's share of a step being
//   avx512vnni, avxvnni: int8 w0 w1 w2 w3;
//   avx2: the same as int16 in two parts, (w0, w2) of all slots and then (w1, w3) of all slots;
//   neon: int8 in two parts, (w0, w1) of all slots and then (w2, w3) of all slots;
//   dotprod: int8 w0 w1 w2 w3;
//   i8mm: int8 w0 ... w7.
// On x86 the slots of a whole block are ordered so that packing two accumulators (the first and the second half of the slots) to bytes
// restores channel order inside each 8-byte piece; elsewhere they lie in channel order. The terms, int32 [slot], are what neon and
// dotprod add to the bias because they multiply x - 128 in place of x: 128 * sum(w).
//
// Packed remainders: ConvU8RemainderHead[steps], ascending by block, zeros up to a multiple of 64 bytes, and
// [steps] times the step's weights, as they stand in a block. In a half block the rest of a step's bytes is zero.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_BLOCKS_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_BLOCKS_H_

#include <cstdint>

#include "base/cpu.h"

namespace omkit::kernels {
namespace {

struct BlockLayout {
  int slots;          // of a block
  bool halves;        // the last block may have half as many slots, then in channel order
  bool two_halves;    // slots of a whole block in the order of two packed accumulators
  int step_channels;  // input channels of a step
  int step_bytes;     // of one slot
  int term_bytes;     // of one slot
};
constexpr BlockLayout kZmmLayout = {32, true, true, 4, 4, 0}, kYmmLayout = {16, false, true, 4, 4, 0}, kPairLayout = {16, false, true, 4, 8, 0};
constexpr BlockLayout kDotLayout = {16, true, false, 4, 4, 4}, kMatrixLayout = {16, true, false, 8, 8, 0};

// The layout of a tier that has one; the portable tier has none.
[[maybe_unused]] inline const BlockLayout* LayoutOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512Vnni: return &kZmmLayout;
    case Isa::kAvxVnni: return &kYmmLayout;
    case Isa::kAvx2: return &kPairLayout;
    case Isa::kNeon:
    case Isa::kDotprod: return &kDotLayout;
    case Isa::kI8mm: return &kMatrixLayout;
    default: return nullptr;
  }
}

struct Blocks {
  BlockLayout layout;
  int64_t count;      // blocks of one group
  bool last_is_half;  // the last block has half as many slots
  int64_t slots() const { return count * layout.slots - (last_is_half ? layout.slots / 2 : 0); }
  int width(int64_t block) const { return last_is_half && block == count - 1 ? layout.slots / 2 : layout.slots; }
  // Output channel, from the block's first, of one of its slots.
  int ChannelOf(int64_t block, int slot) const {
    if (!layout.two_halves || width(block) != layout.slots) return slot;
    const int half = layout.slots / 2;
    return slot % half / 4 * 8 + slot / half * 4 + slot % 4;
  }
  // Packed bytes of one slot of a group with this many input channels.
  int64_t SlotBytes(int64_t taps, int64_t channels) const {
    return layout.term_bytes + taps * ((channels + layout.step_channels - 1) / layout.step_channels) * layout.step_bytes;
  }
};

[[maybe_unused]] inline Blocks BlocksOf(int64_t channels, const BlockLayout& layout) {
  const int64_t rest = channels % layout.slots;
  return {layout, (channels + layout.slots - 1) / layout.slots, layout.halves && rest != 0 && rest <= layout.slots / 2};
}

// Groups whose input channels are no multiple of 4 cannot be read in dwords without touching the next group.
[[maybe_unused]] inline bool UsesBlocks(int64_t ic_per_group, int64_t groups) { return groups == 1 || ic_per_group % 4 == 0; }

// How a tier cuts a convolution's sums into steps: by blocks, or as generic.h says.
struct Steps {
  int64_t blocks;    // of all groups
  int64_t of_tap;    // steps of one tap
  int64_t channels;  // input channels of a step
  int64_t bytes;     // weights of a step of a whole block
};
[[maybe_unused]] inline Steps StepsOf(Isa isa, int64_t oc, int64_t ic_per_group, int64_t groups) {
  const BlockLayout* layout = UsesBlocks(ic_per_group, groups) ? LayoutOf(isa) : nullptr;
  if (layout == nullptr) return {(oc / groups + 15) / 16 * groups, ic_per_group, 1, 16};
  return {BlocksOf(oc / groups, *layout).count * groups, (ic_per_group + layout->step_channels - 1) / layout->step_channels, layout->step_channels,
          int64_t{layout->slots} * layout->step_bytes};
}

// Kernel rows whose last bytes are gathered: they fill at most two steps.
constexpr int64_t kMostTailRows = 8;

// Which step of which block packed remainders belong to.
struct ConvU8RemainderHead {
  int32_t block;  // of all groups
  int32_t step;   // of the block, in the order of packed weights
};

// A step that a block adds once more with the remainders of its weights.
struct RemainderStep {
  const int8_t* weights;
  int64_t begin, end;  // input bytes from the pixel's first tap in the group's first channel
};

// What prepare lays out for run.
struct BlockConstants {
  const int32_t* bias;             // [group][block][slot]; null where the layer has no blocks
  const float* multiplier;         // [group][block][slot]
  const int32_t* first_remainder;  // [blocks of all groups + 1]; null without remainders
  const RemainderStep* remainders;
  int32_t may_leave_int32;  // 1: a scaled sum may be 2^31 or more
};

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_BLOCKS_H_
