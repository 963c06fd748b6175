#include "backends/kernels/dwconv_u8/pack.h"

#include <cstring>
#include <vector>

#include "backends/kernels/dwconv_u8/blocks.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"

namespace omkit::kernels {
namespace {

// Channels are padded to this number with zero weights.
constexpr int64_t kLaneBlock = 16;

// Weight of one tap of one channel; zero outside.
struct Stored {
  const uint8_t* bytes;
  int64_t channels, kernel_h, kernel_w;

  int8_t At(int64_t channel, int64_t y, int64_t x) const {
    if (channel >= channels || y >= kernel_h) return 0;
    return static_cast<int8_t>(bytes[(y * kernel_w + x) * RoundUp(channels, kLaneBlock) + channel]);
  }
};

// blocks.h.
void LayOutBlocks(const Stored& w, uint8_t* laid) {
  for (int64_t first = 0; first < w.channels; first += kDwBlock) {
    const int joined = JoinedRows(w.channels, first);
    for (int64_t x = 0; x < w.kernel_w; ++x) {
      for (int64_t y0 = 0; y0 < w.kernel_h; y0 += 4) {
        for (int slot = 0; slot < kDwBlock; ++slot) {
          for (int64_t y = y0; y < y0 + 4; ++y) *laid++ = static_cast<uint8_t>(w.At(first + DwChannelOfSlot(slot, joined), y, x));
        }
      }
    }
  }
}

// blocks.h, pairs of rows.
void LayOutPairs(const Stored& w, uint8_t* laid) {
  for (int64_t first = 0; first < w.channels; first += kDwPairBlock) {
    for (int64_t x = 0; x < w.kernel_w; ++x) {
      for (int64_t y0 = 0; y0 < w.kernel_h; y0 += 2) {
        for (int slot = 0; slot < kDwPairBlock; ++slot) {
          for (int64_t y = y0; y < y0 + 2; ++y, laid += 2) {
            const int16_t value = w.At(first + DwChannelOfPairSlot(slot), y, x);
            std::memcpy(laid, &value, sizeof value);
          }
        }
      }
    }
  }
}

}  // namespace

CheckedSize PackedDwConvU8Size(int64_t channels, int64_t kernel_h, int64_t kernel_w) {
  return CheckedSize(RoundUp(channels, kLaneBlock)) * kernel_h * kernel_w;
}

std::vector<uint8_t> PackDwConvU8Weights(const int8_t* w, int64_t channels, int64_t kernel_h, int64_t kernel_w) {
  std::vector<uint8_t> packed(PackedDwConvU8Size(channels, kernel_h, kernel_w).value());
  const int64_t taps = kernel_h * kernel_w, padded = RoundUp(channels, kLaneBlock);
  for (int64_t t = 0; t < taps; ++t) {
    for (int64_t c = 0; c < channels; ++c) packed[t * padded + c] = static_cast<uint8_t>(w[c * taps + t]);
  }
  return packed;
}

std::vector<uint8_t> LayOutDwConvU8Weights(Isa isa, const uint8_t* packed, int64_t channels, int64_t kernel_h, int64_t kernel_w) {
  const Stored stored = {packed, channels, kernel_h, kernel_w};
  std::vector<uint8_t> laid;
  if (isa == Isa::kAvx512Vnni) {
    laid.resize(RoundUp(channels, kDwBlock) * RoundUp(kernel_h, 4) * kernel_w);
    LayOutBlocks(stored, laid.data());
  } else {
    laid.resize(RoundUp(channels, kDwPairBlock) * RoundUp(kernel_h, 2) * kernel_w * 2);
    LayOutPairs(stored, laid.data());
  }
  return laid;
}

}  // namespace omkit::kernels
