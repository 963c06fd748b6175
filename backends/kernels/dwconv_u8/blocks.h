// How the tiers with blocks lay out depthwise channels. Floor 4; plain arithmetic shared by the packer and the kernels. Internal linkage only.
//
// avx512vnni: channels are cut into blocks of 64. Four vertical taps of one channel form one 4-byte slot of VPDPBUSD: laid-out weights are
// int8 [block][kernel column][group of 4 kernel rows][slot][4]. Slots follow the order in which interleaving four rows of 64 bytes
// with 128-bit unpacks leaves the channels. A last block of at most 32 (16) channels repeats them two (four) times and works on as
// many output rows at once.
// The others: blocks of 16.
//   avx2, avxvnni: two vertical taps per slot: int16 [block][kernel column][pair of kernel rows][slot][2];
//   dotprod, i8mm: four: int8 [block][kernel column][group of 4 kernel rows][slot][4], slots in channel order;
//   neon: the same in two parts, rows 0 and 1 of all slots and then rows 2 and 3.
// neon and dotprod multiply x - 128: their bias has 128 * sum(w) in it.
//
// Weights beyond [-127, 127] fit 16 bits. In bytes, what is left of them lies behind all blocks, in as many such arrays as it takes.
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_U8_BLOCKS_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_U8_BLOCKS_H_

#include <cstdint>

namespace omkit::kernels {
namespace {

constexpr int kDwBlock = 64, kDwNarrowBlock = 16;
constexpr int kDwGroupBytes = 64;  // weights of a narrow block: one group of rows of one kernel column

// Output rows that the block starting at `channel` works on at once.
[[maybe_unused]] inline int JoinedRows(int64_t channels, int64_t channel) {
  const int64_t left = channels - channel;
  return left <= 16 ? 4 : left <= 32 ? 2 : 1;
}

// Channel inside a block of slot `slot` (0 to 63) when `joined` rows share the register.
[[maybe_unused]] inline int DwChannelOfSlot(int slot, int joined) {
  const int vector = slot / 16, lane = slot % 16 / 4;
  return (lane * 16 + vector * 4 + slot % 4) % (kDwBlock / joined);
}

// Channel inside a block of slot `slot` (0 to 15) of the pair order.
[[maybe_unused]] inline int DwChannelOfPairSlot(int slot) { return slot % 8 / 4 * 8 + slot / 8 * 4 + slot % 4; }

// Constants that prepare lays out for run: bias and multiplier [block][slot].
struct DwBlockConstants {
  const uint8_t* weights;
  const int32_t* bias;
  const float* multiplier;
  const uint8_t* beyond;  // [block]: bit v is set when channels 16 * i + 4 * v to 16 * i + 4 * v + 3 of some i have remainders
  int64_t array_bytes;    // from the weights to the first array of remainders, and so on
  int32_t remainders;     // arrays
};

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_U8_BLOCKS_H_
