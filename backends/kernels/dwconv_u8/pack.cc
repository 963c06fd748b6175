#include "backends/kernels/dwconv_u8/pack.h"

#include <cstring>
#include <vector>

#include "backends/kernels/dwconv_u8/blocks.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"

namespace omkit::kernels {
namespace {

// Channels of the portable order are padded to this number with zero weights.
constexpr int64_t kLaneBlock = 16;

// generic.h: [tap][channel].
void PackLanes(const int8_t* w, int64_t channels, int64_t taps, uint8_t* packed) {
  const int64_t padded = RoundUp(channels, kLaneBlock);
  for (int64_t t = 0; t < taps; ++t) {
    for (int64_t c = 0; c < channels; ++c) packed[t * padded + c] = static_cast<uint8_t>(w[c * taps + t]);
  }
}

// blocks.h.
void PackBlocks(const int8_t* w, int64_t channels, int64_t kernel_h, int64_t kernel_w, uint8_t* packed) {
  for (int64_t first = 0; first < channels; first += kDwBlock) {
    const int joined = JoinedRows(channels, first);
    for (int64_t x = 0; x < kernel_w; ++x) {
      for (int64_t y0 = 0; y0 < kernel_h; y0 += 4) {
        for (int slot = 0; slot < kDwBlock; ++slot) {
          const int64_t c = first + DwChannelOfSlot(slot, joined);
          for (int64_t y = y0; y < y0 + 4; ++y, ++packed) {
            if (c < channels && y < kernel_h) *packed = static_cast<uint8_t>(w[(c * kernel_h + y) * kernel_w + x]);
          }
        }
      }
    }
  }
}

// blocks.h, pairs of rows.
void PackPairs(const int8_t* w, int64_t channels, int64_t kernel_h, int64_t kernel_w, uint8_t* packed) {
  for (int64_t first = 0; first < channels; first += kDwPairBlock) {
    for (int64_t x = 0; x < kernel_w; ++x) {
      for (int64_t y0 = 0; y0 < kernel_h; y0 += 2) {
        for (int slot = 0; slot < kDwPairBlock; ++slot) {
          const int64_t c = first + DwChannelOfPairSlot(slot);
          for (int64_t y = y0; y < y0 + 2; ++y, packed += 2) {
            const int16_t value = c < channels && y < kernel_h ? w[(c * kernel_h + y) * kernel_w + x] : 0;
            std::memcpy(packed, &value, sizeof value);
          }
        }
      }
    }
  }
}

bool UsesPairs(Isa isa) { return isa == Isa::kAvx2 || isa == Isa::kAvxVnni; }

}  // namespace

CheckedSize PackedDwConvU8Size(Isa isa, int64_t channels, int64_t kernel_h, int64_t kernel_w) {
  if (isa == Isa::kAvx512Vnni) return CheckedSize(RoundUp(channels, kDwBlock)) * RoundUp(kernel_h, 4) * kernel_w;
  if (UsesPairs(isa)) return CheckedSize(RoundUp(channels, kDwPairBlock)) * RoundUp(kernel_h, 2) * kernel_w * 2;
  return CheckedSize(RoundUp(channels, kLaneBlock)) * kernel_h * kernel_w;
}

std::vector<uint8_t> PackDwConvU8Weights(Isa isa, const int8_t* w, int64_t channels, int64_t kernel_h, int64_t kernel_w) {
  std::vector<uint8_t> packed(PackedDwConvU8Size(isa, channels, kernel_h, kernel_w).value());
  if (isa == Isa::kAvx512Vnni) PackBlocks(w, channels, kernel_h, kernel_w, packed.data());
  else if (UsesPairs(isa)) PackPairs(w, channels, kernel_h, kernel_w, packed.data());
  else PackLanes(w, channels, kernel_h * kernel_w, packed.data());
  return packed;
}

}  // namespace omkit::kernels
