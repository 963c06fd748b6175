#include "backends/kernels/conv_u8/pack.h"

#include <cstring>
#include <vector>

#include "backends/kernels/conv_u8/blocks.h"
#include "backends/kernels/conv_u8/conv_u8.h"

namespace omkit::kernels {
namespace {

// Null: [block of 16 output channels][tap][input channel][16], generic.h.
const BlockLayout* LayoutOf(Isa isa, int64_t ic_per_group, int64_t groups) { return UsesBlocks(ic_per_group, groups) ? LayoutOf(isa) : nullptr; }

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

// One tier's weights of one group, blocks.h.
class BlockWriter {
 public:
  BlockWriter(Isa isa, const Group& group, const Blocks& blocks) : group_(group), blocks_(blocks) {
    if (isa == Isa::kAvx2) first_[1] = 1, stride_ = 2, parts_ = 2;
    else if (isa == Isa::kNeon) first_[1] = 2, parts_ = 2;
    words_ = isa == Isa::kAvx2;
  }

  uint8_t* Write(uint8_t* to) const {
    for (int64_t block = 0; block < blocks_.count; ++block) {
      if (blocks_.layout.term_bytes != 0) to = Terms(block, to);
      for (int64_t t = 0; t < group_.taps; ++t) {
        for (int64_t c = 0; c < group_.ic; c += blocks_.layout.step_channels) to = Step(block, t, c, to);
      }
    }
    return to;
  }

 private:
  uint8_t* Terms(int64_t block, uint8_t* to) const {
    for (int slot = 0; slot < blocks_.width(block); ++slot, to += 4) {
      int64_t sum = 0;
      for (int64_t t = 0; t < group_.taps; ++t) {
        for (int64_t c = 0; c < group_.ic; ++c) sum += group_.at(block * blocks_.layout.slots + blocks_.ChannelOf(block, slot), c, t);
      }
      const auto term = static_cast<uint32_t>(128 * sum);
      std::memcpy(to, &term, sizeof term);
    }
    return to;
  }

  uint8_t* Step(int64_t block, int64_t t, int64_t c, uint8_t* to) const {
    for (int part = 0; part < parts_; ++part) {
      for (int slot = 0; slot < blocks_.width(block); ++slot) {
        const int64_t o = block * blocks_.layout.slots + blocks_.ChannelOf(block, slot);
        for (int i = 0; i < blocks_.layout.step_channels / parts_; ++i) {
          const int8_t value = group_.at(o, c + first_[part] + i * stride_, t);
          *to++ = static_cast<uint8_t>(value);
          if (words_) *to++ = value < 0 ? 0xff : 0;
        }
      }
    }
    return to;
  }

  const Group& group_;
  const Blocks& blocks_;
  int parts_ = 1, first_[2] = {0, 0}, stride_ = 1;  // a part holds channels first, first + stride, ...
  bool words_;                                      // int16
};

}  // namespace

CheckedSize PackedConvU8Size(Isa isa, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups) {
  const BlockLayout* layout = LayoutOf(isa, ic_per_group, groups);
  const int64_t per_group = oc / groups;
  if (layout == nullptr) return CheckedSize(groups) * RoundUp(per_group, 16) * kernel_h * kernel_w * ic_per_group;
  const CheckedSize taps = CheckedSize(kernel_h) * kernel_w * CeilDiv(ic_per_group, layout->step_channels);
  return CheckedSize(groups) * BlocksOf(per_group, *layout).slots() * (taps * layout->step_bytes + layout->term_bytes);
}

std::vector<uint8_t> PackConvU8Weights(Isa isa, const int8_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                       int64_t groups) {
  const BlockLayout* layout = LayoutOf(isa, ic_per_group, groups);
  const int64_t taps = kernel_h * kernel_w, oc_per_group = oc / groups;
  std::vector<uint8_t> packed(PackedConvU8Size(isa, oc, ic_per_group, kernel_h, kernel_w, groups).value());
  uint8_t* to = packed.data();
  for (int64_t i = 0; i < groups; ++i) {
    const Group group = {w + i * oc_per_group * ic_per_group * taps, oc_per_group, ic_per_group, taps};
    to = layout == nullptr ? PackLanes(group, to) : BlockWriter(isa, group, BlocksOf(oc_per_group, *layout)).Write(to);
  }
  return packed;
}

}  // namespace omkit::kernels
