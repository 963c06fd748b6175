#include "backends/kernels/conv_u8/pack.h"

#include <vector>

#include "backends/kernels/conv_u8/conv_u8.h"

namespace omkit::kernels {
namespace {

// How one tier orders its weights: [group][block of output channels][tap][step of input channels][slot], where a slot is one byte.
struct Order {
  int oc_block;
  int ic_step;
};

Order OrderOf(Isa) { return {16, 1}; }

// Output and input channel of slot `slot` inside one step.
struct Slot {
  int oc;
  int ic;
};
Slot SlotOf(const Order& order, int slot) { return {slot / order.ic_step, slot % order.ic_step}; }

}  // namespace

CheckedSize PackedConvU8Size(Isa isa, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups) {
  const Order order = OrderOf(isa);
  return CheckedSize(groups) * RoundUp(oc / groups, order.oc_block) * kernel_h * kernel_w * RoundUp(ic_per_group, order.ic_step);
}

std::vector<uint8_t> PackConvU8Weights(Isa isa, const int8_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                       int64_t groups) {
  const Order order = OrderOf(isa);
  const int64_t taps = kernel_h * kernel_w, oc_per_group = oc / groups;
  std::vector<uint8_t> packed(PackedConvU8Size(isa, oc, ic_per_group, kernel_h, kernel_w, groups).value());
  uint8_t* to = packed.data();
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t o = 0; o < oc_per_group; o += order.oc_block) {
      for (int64_t t = 0; t < taps; ++t) {
        for (int64_t c = 0; c < ic_per_group; c += order.ic_step) {
          for (int slot = 0; slot < order.oc_block * order.ic_step; ++slot, ++to) {
            const Slot s = SlotOf(order, slot);
            if (o + s.oc >= oc_per_group || c + s.ic >= ic_per_group) continue;
            *to = static_cast<uint8_t>(w[((g * oc_per_group + o + s.oc) * ic_per_group + c + s.ic) * taps + t]);
          }
        }
      }
    }
  }
  return packed;
}

}  // namespace omkit::kernels
