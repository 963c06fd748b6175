#include "backends/kernels/conv_u8/pack.h"

#include <vector>

#include "backends/kernels/conv_u8/blocks.h"
#include "backends/kernels/conv_u8/conv_u8.h"

namespace omkit::kernels {
namespace {

// How a tier orders the weights of one group: [block of output channels][tap][step of input channels][slot][input channel].
enum class Order {
  kLanes,  // blocks of 16, steps of 1: generic.h
  kZmm,    // blocks.h, blocks of 32
  kYmm,    // blocks.h, blocks of 16
  kPairs,  // blocks.h, blocks of 16, int16
};

Order OrderOf(Isa isa, int64_t ic_per_group, int64_t groups) {
  if (!UsesBlocks(ic_per_group, groups)) return Order::kLanes;
  switch (isa) {
    case Isa::kAvx512Vnni: return Order::kZmm;
    case Isa::kAvxVnni: return Order::kYmm;
    case Isa::kAvx2: return Order::kPairs;
    default: return Order::kLanes;
  }
}

CheckedSize SizeOf(Order order, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups) {
  const int64_t per_group = oc / groups;
  const int64_t slots = order == Order::kLanes ? RoundUp(per_group, 16) : BlocksOf(per_group, order == Order::kZmm ? kZmmSlots : kYmmSlots).slots();
  const int64_t channels = order == Order::kLanes ? ic_per_group : RoundUp(ic_per_group, 4);
  return CheckedSize(groups) * slots * kernel_h * kernel_w * channels * (order == Order::kPairs ? 2 : 1);
}

// The weights of one group by index.
struct Group {
  const int8_t* w;
  int64_t oc, ic, taps;
  int8_t at(int64_t o, int64_t c, int64_t t) const { return o < oc && c < ic ? w[(o * ic + c) * taps + t] : 0; }
};

uint8_t* PackLanes(const Group& g, uint8_t* to) {
  for (int64_t first = 0; first < g.oc; first += 16) {
    for (int64_t t = 0; t < g.taps; ++t) {
      for (int64_t c = 0; c < g.ic; ++c) {
        for (int64_t o = first; o < first + 16; ++o) *to++ = static_cast<uint8_t>(g.at(o, c, t));
      }
    }
  }
  return to;
}

// One step of one block: 4 input channels of every slot.
uint8_t* PackStep(const Group& g, const Blocks& blocks, int64_t block, int64_t t, int64_t c, bool pairs, uint8_t* to) {
  const int width = blocks.width(block);
  for (int part = 0; part < (pairs ? 2 : 1); ++part) {
    for (int slot = 0; slot < width; ++slot) {
      const int64_t o = block * blocks.slots_each + blocks.ChannelOf(block, slot);
      for (int i = 0; i < (pairs ? 2 : 4); ++i) {
        const int8_t value = g.at(o, c + (pairs ? part + 2 * i : i), t);
        *to++ = static_cast<uint8_t>(value);
        if (pairs) *to++ = value < 0 ? 0xff : 0;
      }
    }
  }
  return to;
}

uint8_t* PackBlocks(const Group& g, const Blocks& blocks, bool pairs, uint8_t* to) {
  for (int64_t block = 0; block < blocks.count; ++block) {
    for (int64_t t = 0; t < g.taps; ++t) {
      for (int64_t c = 0; c < g.ic; c += 4) to = PackStep(g, blocks, block, t, c, pairs, to);
    }
  }
  return to;
}

}  // namespace

CheckedSize PackedConvU8Size(Isa isa, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups) {
  return SizeOf(OrderOf(isa, ic_per_group, groups), oc, ic_per_group, kernel_h, kernel_w, groups);
}

std::vector<uint8_t> PackConvU8Weights(Isa isa, const int8_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                       int64_t groups) {
  const Order order = OrderOf(isa, ic_per_group, groups);
  const int64_t taps = kernel_h * kernel_w, oc_per_group = oc / groups;
  std::vector<uint8_t> packed(SizeOf(order, oc, ic_per_group, kernel_h, kernel_w, groups).value());
  const Blocks blocks = BlocksOf(oc_per_group, order == Order::kZmm ? kZmmSlots : kYmmSlots);
  uint8_t* to = packed.data();
  for (int64_t i = 0; i < groups; ++i) {
    const Group group = {w + i * oc_per_group * ic_per_group * taps, oc_per_group, ic_per_group, taps};
    to = order == Order::kLanes ? PackLanes(group, to) : PackBlocks(group, blocks, order == Order::kPairs, to);
  }
  return packed;
}

}  // namespace omkit::kernels
