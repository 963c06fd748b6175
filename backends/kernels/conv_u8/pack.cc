#include "backends/kernels/conv_u8/pack.h"

#include <algorithm>
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

// Sixteen output channels.
uint8_t* PackLanes(const Group& g, int64_t block, int64_t t, int64_t c, uint8_t* to) {
  for (int64_t o = block * 16; o < (block + 1) * 16; ++o) *to++ = static_cast<uint8_t>(g.at(o, c, t));
  return to;
}

uint8_t* PackLanes(const Group& g, uint8_t* to) {
  for (int64_t block = 0; block * 16 < g.oc; ++block) {
    for (int64_t t = 0; t < g.taps; ++t) {
      for (int64_t c = 0; c < g.ic; ++c) to = PackLanes(g, block, t, c, to);
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

  // Input channels from c on of tap t.
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

  const Group& group_;
  const Blocks blocks_;
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

int64_t ConvU8TailedChannels(int64_t ic, int64_t kernel_h) { return ic / 4 * 4 * kernel_h + RoundUp(kernel_h, 4); }

std::vector<int8_t> GatherConvU8Tails(const int8_t* w, int64_t oc, int64_t ic, int64_t kernel_h) {
  const int64_t whole = ic / 4 * 4, channels = ConvU8TailedChannels(ic, kernel_h);
  std::vector<int8_t> gathered(oc * channels);
  for (int64_t o = 0; o < oc; ++o) {
    int8_t* to = gathered.data() + o * channels;
    for (int64_t y = 0; y < kernel_h; ++y) {
      for (int64_t c = 0; c < whole; ++c) to[y * whole + c] = w[(o * ic + c) * kernel_h + y];
      to[kernel_h * whole + y] = w[(o * ic + whole) * kernel_h + y];
    }
  }
  return gathered;
}

int64_t ConvU8RemaindersSize(Isa isa, int64_t steps, int64_t oc, int64_t ic_per_group, int64_t groups) {
  return RoundUp(steps * static_cast<int64_t>(sizeof(ConvU8RemainderHead)), 64) + steps * StepsOf(isa, oc, ic_per_group, groups).bytes;
}

int LeastWeight(Isa isa) { return isa == Isa::kNeon ? -127 : -128; }

std::vector<std::vector<int8_t>> SplitWeights(const int16_t* w, int64_t count, int least) {
  std::vector<int32_t> left(w, w + count);
  std::vector<std::vector<int8_t>> arrays;
  do {
    arrays.emplace_back(count);
    for (int64_t i = 0; i < count; ++i) {
      arrays.back()[i] = static_cast<int8_t>(std::clamp(left[i], least, 127));
      left[i] -= arrays.back()[i];
    }
  } while (std::any_of(left.begin(), left.end(), [](int32_t v) { return v != 0; }));
  return arrays;
}

ConvU8Remainders PackConvU8Remainders(Isa isa, const std::vector<std::vector<int8_t>>& arrays, int64_t oc, int64_t ic_per_group, int64_t kernel_h,
                                      int64_t kernel_w, int64_t groups) {
  const BlockLayout* layout = LayoutOf(isa, ic_per_group, groups);
  const int64_t taps = kernel_h * kernel_w, oc_per_group = oc / groups;
  const Steps steps = StepsOf(isa, oc, ic_per_group, groups);
  const int64_t of_group = steps.blocks / groups;
  std::vector<ConvU8RemainderHead> heads;
  std::vector<uint8_t> weights, step(steps.bytes);
  for (int64_t block = 0; block < steps.blocks; ++block) {
    for (int64_t s = 0; s < taps * steps.of_tap; ++s) {
      const int64_t tap = s / steps.of_tap, channel = s % steps.of_tap * steps.channels;
      for (size_t a = 1; a < arrays.size(); ++a) {
        const Group group = {arrays[a].data() + block / of_group * oc_per_group * ic_per_group * taps, oc_per_group, ic_per_group, taps};
        std::fill(step.begin(), step.end(), uint8_t{0});
        if (layout == nullptr) PackLanes(group, block % of_group, tap, channel, step.data());
        else BlockWriter(isa, group, BlocksOf(oc_per_group, *layout)).Step(block % of_group, tap, channel, step.data());
        if (std::all_of(step.begin(), step.end(), [](uint8_t w) { return w == 0; })) continue;
        heads.push_back({static_cast<int32_t>(block), static_cast<int32_t>(s)});
        weights.insert(weights.end(), step.begin(), step.end());
      }
    }
  }
  ConvU8Remainders made = {{}, static_cast<int32_t>(heads.size())};
  made.packed.resize(ConvU8RemaindersSize(isa, made.steps, oc, ic_per_group, groups));
  if (made.steps == 0) return made;
  std::memcpy(made.packed.data(), heads.data(), heads.size() * sizeof heads[0]);
  std::copy(weights.begin(), weights.end(), made.packed.end() - static_cast<int64_t>(weights.size()));
  return made;
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
