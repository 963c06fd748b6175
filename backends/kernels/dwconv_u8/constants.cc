#include "backends/kernels/dwconv_u8/constants.h"

#include <cstring>

#include "backends/kernels/dwconv_u8/blocks.h"
#include "backends/kernels/dwconv_u8/pack.h"
#include "base/checked.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kHeader = 64;  // DwBlockConstants
static_assert(sizeof(DwBlockConstants) <= kHeader);

bool HasPairs(Isa isa) { return isa == Isa::kAvx2 || isa == Isa::kAvxVnni; }
bool HasQuads(Isa isa) { return isa == Isa::kNeon || isa == Isa::kDotprod || isa == Isa::kI8mm; }
bool HasTerms(Isa isa) { return isa == Isa::kNeon || isa == Isa::kDotprod; }
bool HasConstants(Isa isa) { return isa == Isa::kAvx512Vnni || HasPairs(isa) || HasQuads(isa); }

int64_t PartBytes(const DwConvU8Params& p) { return RoundUp(p.groups, kDwBlock) * 4; }
int64_t WeightBytes(Isa isa, const DwConvU8Params& p) {
  if (isa == Isa::kAvx512Vnni) return RoundUp(RoundUp(p.groups, kDwBlock) * RoundUp(p.kernel_h, 4) * p.kernel_w, 64);
  return CeilDiv(p.groups, kDwNarrowBlock) * p.kernel_w * CeilDiv(p.kernel_h, HasPairs(isa) ? 2 : 4) * kDwGroupBytes;
}

// Arrays of remainders that a tier lays out: pairs hold whole weights.
int32_t LaidRemainders(Isa isa, const DwConvU8Params& p) { return HasPairs(isa) ? 0 : p.remainders; }
int64_t BeyondBytes(const DwConvU8Params& p) { return p.remainders > 0 ? RoundUp(CeilDiv(p.groups, kDwNarrowBlock), 64) : 0; }

// Weights of one tap of one channel; zero outside.
struct Stored {
  const uint8_t* bytes;
  const uint8_t* more;  // arrays of remainders
  int64_t channels, kernel_h, kernel_w, remainders;

  bool Has(int64_t channel, int64_t y) const { return channel < channels && y < kernel_h; }
  int64_t Place(int64_t channel, int64_t y, int64_t x) const { return (y * kernel_w + x) * RoundUp(channels, kDwPackedChannels) + channel; }
  // Array 0 or, from 1 on, one of the remainders.
  int8_t At(int64_t array, int64_t channel, int64_t y, int64_t x) const {
    if (!Has(channel, y)) return 0;
    const int64_t size = RoundUp(channels, kDwPackedChannels) * kernel_h * kernel_w;
    return static_cast<int8_t>(array == 0 ? bytes[Place(channel, y, x)] : more[(array - 1) * size + Place(channel, y, x)]);
  }
  int16_t Whole(int64_t channel, int64_t y, int64_t x) const {
    int32_t sum = 0;
    for (int64_t array = 0; array <= remainders; ++array) sum += At(array, channel, y, x);
    return static_cast<int16_t>(sum);
  }
};

// blocks.h.
void LayOutBlocks(const Stored& w, int64_t array, uint8_t* laid) {
  for (int64_t first = 0; first < w.channels; first += kDwBlock) {
    const int joined = JoinedRows(w.channels, first);
    for (int64_t x = 0; x < w.kernel_w; ++x) {
      for (int64_t y0 = 0; y0 < w.kernel_h; y0 += 4) {
        for (int slot = 0; slot < kDwBlock; ++slot) {
          for (int64_t y = y0; y < y0 + 4; ++y) *laid++ = static_cast<uint8_t>(w.At(array, first + DwChannelOfSlot(slot, joined), y, x));
        }
      }
    }
  }
}

// blocks.h, pairs of rows.
void LayOutPairs(const Stored& w, uint8_t* laid) {
  for (int64_t first = 0; first < w.channels; first += kDwNarrowBlock) {
    for (int64_t x = 0; x < w.kernel_w; ++x) {
      for (int64_t y0 = 0; y0 < w.kernel_h; y0 += 2) {
        for (int slot = 0; slot < kDwNarrowBlock; ++slot) {
          for (int64_t y = y0; y < y0 + 2; ++y, laid += 2) {
            const int16_t value = w.Whole(first + DwChannelOfPairSlot(slot), y, x);
            std::memcpy(laid, &value, sizeof value);
          }
        }
      }
    }
  }
}

// blocks.h, groups of four rows; `parts`: how many pieces a group is cut into.
void LayOutQuads(const Stored& w, int64_t array, int parts, uint8_t* laid) {
  for (int64_t first = 0; first < w.channels; first += kDwNarrowBlock) {
    for (int64_t x = 0; x < w.kernel_w; ++x) {
      for (int64_t y0 = 0; y0 < RoundUp(w.kernel_h, 4); y0 += 4 / parts) {
        for (int slot = 0; slot < kDwNarrowBlock; ++slot) {
          for (int64_t y = y0; y < y0 + 4 / parts; ++y) *laid++ = static_cast<uint8_t>(w.At(array, first + slot, y, x));
        }
      }
    }
  }
}

// Channel whose constants slot `i` of all blocks holds.
int64_t ChannelOfSlot(Isa isa, int64_t channels, int64_t i) {
  if (HasQuads(isa)) return i;
  const int64_t block = HasPairs(isa) ? kDwNarrowBlock : kDwBlock, first = i / block * block;
  const int slot = static_cast<int>(i - first);
  return first + (HasPairs(isa) ? DwChannelOfPairSlot(slot) : DwChannelOfSlot(slot, JoinedRows(channels, first)));
}

// 128 * sum(w) of a channel.
uint32_t TermOf(const Stored& w, int64_t channel) {
  int32_t sum = 0;
  for (int64_t y = 0; y < w.kernel_h; ++y) {
    for (int64_t x = 0; x < w.kernel_w; ++x) sum += w.Whole(channel, y, x);
  }
  return static_cast<uint32_t>(sum) * 128;
}

// DwBlockConstants::beyond.
void MarkRemainders(const Stored& w, int64_t block_channels, uint8_t* beyond) {
  for (int64_t channel = 0; channel < w.channels; ++channel) {
    for (int64_t i = 0; i < w.kernel_h * w.kernel_w; ++i) {
      const int64_t y = i / w.kernel_w, x = i % w.kernel_w;
      if (w.Whole(channel, y, x) != w.At(0, channel, y, x)) beyond[channel / block_channels] |= static_cast<uint8_t>(1 << channel / 4 % 4);
    }
  }
}

}  // namespace

int64_t DwConvU8ConstantsBytes(Isa isa, const DwConvU8Params& p) {
  return HasConstants(isa) ? kHeader + 2 * PartBytes(p) + BeyondBytes(p) + (1 + int64_t{LaidRemainders(isa, p)}) * WeightBytes(isa, p) : 0;
}

const void* LayOutDwConvU8Constants(Isa isa, const DwConvU8Params& p, void* const* operands, void* memory) {
  uint8_t* bias = static_cast<uint8_t*>(memory) + kHeader;
  uint8_t* multiplier = bias + PartBytes(p);
  uint8_t* beyond = multiplier + PartBytes(p);
  uint8_t* weights = beyond + BeyondBytes(p);
  std::memset(bias, 0, static_cast<size_t>(DwConvU8ConstantsBytes(isa, p) - kHeader));
  const uint8_t* more = p.remainders > 0 ? static_cast<const uint8_t*>(operands[ConvU8RemainderOperand(p)]) : nullptr;
  const Stored stored = {static_cast<const uint8_t*>(operands[1]), more, p.groups, p.kernel_h, p.kernel_w, p.remainders};
  for (int64_t i = 0; i < RoundUp(p.groups, kDwBlock); ++i) {
    const int64_t channel = ChannelOfSlot(isa, p.groups, i);
    if (channel >= p.groups) continue;
    uint32_t value;  // sums of the kernels wrap around as well
    std::memcpy(&value, static_cast<const uint8_t*>(operands[2]) + channel * 4, 4);
    if (HasTerms(isa)) value += TermOf(stored, channel);
    std::memcpy(bias + i * 4, &value, 4);
    std::memcpy(multiplier + i * 4, static_cast<const uint8_t*>(operands[3]) + channel * 4, 4);
  }
  const int32_t remainders = LaidRemainders(isa, p);
  for (int64_t array = 0; array <= remainders; ++array) {
    uint8_t* laid = weights + array * WeightBytes(isa, p);
    if (HasQuads(isa)) LayOutQuads(stored, array, isa == Isa::kNeon ? 2 : 1, laid);
    else if (HasPairs(isa)) LayOutPairs(stored, laid);
    else LayOutBlocks(stored, array, laid);
  }
  if (remainders > 0) MarkRemainders(stored, HasQuads(isa) ? kDwNarrowBlock : kDwBlock, beyond);
  const DwBlockConstants constants = {
      weights, reinterpret_cast<const int32_t*>(bias), reinterpret_cast<const float*>(multiplier), beyond, WeightBytes(isa, p), remainders};
  std::memcpy(memory, &constants, sizeof constants);
  return memory;
}

}  // namespace omkit::kernels
