#include "backends/kernels/conv_u8/constants.h"

#include <cmath>
#include <cstring>

#include "backends/kernels/conv_u8/blocks.h"
#include "base/checked.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kHeader = 64;  // BlockConstants
static_assert(sizeof(BlockConstants) <= kHeader);

Blocks BlocksFor(Isa isa, const ConvU8Params& p) { return BlocksOf(p.out.dims[3] / p.groups, *LayoutOf(isa)); }
int64_t PartBytes(int64_t slots) { return RoundUp(slots * 4, 64); }

// What a slot's bias takes up beside the model's own: the term in front of its block.
int32_t TermOf(const Blocks& blocks, const ConvU8Params& p, const uint8_t* packed, int64_t slot) {
  const int64_t channels = p.in.dims[3] / p.groups;
  if (blocks.layout.term_bytes == 0 || !UsesBlocks(channels, p.groups)) return 0;
  const int64_t within = slot % blocks.slots() % blocks.layout.slots;
  int32_t term;
  std::memcpy(&term, packed + (slot - within) * blocks.SlotBytes(int64_t{p.kernel_h} * p.kernel_w, channels) + within * 4, 4);
  return term;
}

// Whether a sum times its multiplier, and the residual, can leave int32 for some input. Weights are counted as the largest there are.
bool MayLeaveInt32(const ConvU8Params& p, const uint8_t* bias, const uint8_t* multiplier) {
  const double products = 255.0 * 128.0 * static_cast<double>(p.in.dims[3] / p.groups) * p.kernel_h * p.kernel_w;
  const double residual = p.has_residual ? 255.0 * std::fabs(static_cast<double>(p.residual_multiplier)) : 0.0;
  for (int64_t i = 0; i < p.out.dims[3]; ++i) {
    int32_t b;
    float m;
    std::memcpy(&b, bias + i * 4, 4);
    std::memcpy(&m, multiplier + i * 4, 4);
    if (!((products + std::fabs(static_cast<double>(b))) * std::fabs(static_cast<double>(m)) + residual < 2147483000.0)) return true;
  }
  return false;
}

}  // namespace

int64_t ConvU8ConstantsBytes(Isa isa, const ConvU8Params& p) {
  return LayoutOf(isa) ? kHeader + 2 * PartBytes(p.groups * BlocksFor(isa, p).slots()) : 0;
}

const void* LayOutConvU8Constants(Isa isa, const ConvU8Params& p, void* const* operands, void* memory) {
  const Blocks blocks = BlocksFor(isa, p);
  const int64_t per_group = p.out.dims[3] / p.groups, slots = p.groups * blocks.slots();
  const uint8_t* packed = static_cast<const uint8_t*>(operands[1]);
  const uint8_t* bias = static_cast<const uint8_t*>(operands[2]);
  const uint8_t* multiplier = static_cast<const uint8_t*>(operands[3]);
  uint8_t* laid_bias = static_cast<uint8_t*>(memory) + kHeader;
  uint8_t* laid_multiplier = laid_bias + PartBytes(slots);
  std::memset(laid_bias, 0, 2 * PartBytes(slots));
  for (int64_t i = 0; i < slots; ++i) {
    const int64_t group = i / blocks.slots(), slot = i % blocks.slots(), block = slot / blocks.layout.slots;
    const int64_t channel = block * blocks.layout.slots + blocks.ChannelOf(block, static_cast<int>(slot % blocks.layout.slots));
    if (channel >= per_group) continue;
    uint32_t value;  // sums of the kernels wrap around as well
    std::memcpy(&value, bias + (group * per_group + channel) * 4, 4);
    value += static_cast<uint32_t>(TermOf(blocks, p, packed, i));
    std::memcpy(laid_bias + i * 4, &value, 4);
    std::memcpy(laid_multiplier + i * 4, multiplier + (group * per_group + channel) * 4, 4);
  }
  const BlockConstants constants = {reinterpret_cast<const int32_t*>(laid_bias), reinterpret_cast<const float*>(laid_multiplier),
                                    MayLeaveInt32(p, bias, multiplier)};
  std::memcpy(memory, &constants, sizeof constants);
  return memory;
}

}  // namespace omkit::kernels
