#include "backends/kernels/conv_u8/pack.h"

#include <vector>

#include "backends/kernels/conv_u8/blocks.h"
#include "backends/kernels/conv_u8/conv_u8.h"

namespace omkit::kernels {
namespace {

// How a tier orders the weights of one group: [block of output channels][tap][step of input channels][slot][input channel].
enum class Order {
  kLanes,   // blocks of 16, steps of 1: generic.h
  kBlocks,  // blocks.h
};

Order OrderOf(Isa isa, int64_t ic_per_group, int64_t groups) {
  return isa == Isa::kAvx512Vnni && UsesBlocks(ic_per_group, groups) ? Order::kBlocks : Order::kLanes;
}

// Output channels of one group with padding, and input channels per step.
struct Padding {
  int64_t slots;
  int64_t step;
};
Padding PaddingOf(Order order, int64_t oc_per_group) {
  if (order == Order::kLanes) return {RoundUp(oc_per_group, 16), 1};
  return {BlocksOf(oc_per_group).slots(), 4};
}

int WidthAt(Order order, int64_t oc_per_group, int64_t first) {
  return order == Order::kLanes ? 16 : BlocksOf(oc_per_group).width(first / 32);
}

}  // namespace

CheckedSize PackedConvU8Size(Isa isa, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups) {
  const Padding padding = PaddingOf(OrderOf(isa, ic_per_group, groups), oc / groups);
  return CheckedSize(groups) * padding.slots * kernel_h * kernel_w * RoundUp(ic_per_group, padding.step);
}

std::vector<uint8_t> PackConvU8Weights(Isa isa, const int8_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                       int64_t groups) {
  const Order order = OrderOf(isa, ic_per_group, groups);
  const int64_t taps = kernel_h * kernel_w, oc_per_group = oc / groups;
  const Padding padding = PaddingOf(order, oc_per_group);
  std::vector<uint8_t> packed(PackedConvU8Size(isa, oc, ic_per_group, kernel_h, kernel_w, groups).value());
  uint8_t* to = packed.data();
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t first = 0; first < padding.slots;) {
      const int width = WidthAt(order, oc_per_group, first);
      for (int64_t t = 0; t < taps; ++t) {
        for (int64_t c0 = 0; c0 < ic_per_group; c0 += padding.step) {
          for (int slot = 0; slot < width; ++slot) {
            const int64_t o = first + ChannelOfSlot(width, slot);
            for (int64_t c = c0; c < c0 + padding.step; ++c, ++to) {
              if (o < oc_per_group && c < ic_per_group) *to = static_cast<uint8_t>(w[((g * oc_per_group + o) * ic_per_group + c) * taps + t]);
            }
          }
        }
      }
      first += width;
    }
  }
  return packed;
}

}  // namespace omkit::kernels
