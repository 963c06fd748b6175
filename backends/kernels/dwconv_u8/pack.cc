#include "backends/kernels/dwconv_u8/pack.h"

#include <vector>

#include "backends/kernels/dwconv_u8/dwconv_u8.h"

namespace omkit::kernels {

CheckedSize PackedDwConvU8Size(int64_t channels, int64_t kernel_h, int64_t kernel_w) {
  return CheckedSize(RoundUp(channels, kDwPackedChannels)) * kernel_h * kernel_w;
}

std::vector<uint8_t> PackDwConvU8Weights(const int8_t* w, int64_t channels, int64_t kernel_h, int64_t kernel_w) {
  std::vector<uint8_t> packed(PackedDwConvU8Size(channels, kernel_h, kernel_w).value());
  const int64_t taps = kernel_h * kernel_w, padded = RoundUp(channels, kDwPackedChannels);
  for (int64_t t = 0; t < taps; ++t) {
    for (int64_t c = 0; c < channels; ++c) packed[t * padded + c] = static_cast<uint8_t>(w[c * taps + t]);
  }
  return packed;
}

}  // namespace omkit::kernels
