#include "backends/kernels/conv_u8/constants.h"

#include <cstring>

#include "backends/kernels/conv_u8/blocks.h"
#include "base/checked.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kHeader = 64;  // BlockConstants
static_assert(sizeof(BlockConstants) <= kHeader);

bool HasConstants(Isa isa) { return isa == Isa::kAvx512Vnni || isa == Isa::kAvxVnni || isa == Isa::kAvx2; }
Blocks BlocksFor(Isa isa, const ConvU8Params& p) { return BlocksOf(p.out.dims[3] / p.groups, isa == Isa::kAvx512Vnni ? kZmmSlots : kYmmSlots); }
int64_t PartBytes(int64_t slots) { return RoundUp(slots * 4, 64); }

}  // namespace

int64_t ConvU8ConstantsBytes(Isa isa, const ConvU8Params& p) {
  return HasConstants(isa) ? kHeader + 2 * PartBytes(p.groups * BlocksFor(isa, p).slots()) : 0;
}

const void* LayOutConvU8Constants(Isa isa, const ConvU8Params& p, void* const* operands, void* memory) {
  const Blocks blocks = BlocksFor(isa, p);
  const int64_t per_group = p.out.dims[3] / p.groups, slots = p.groups * blocks.slots();
  const uint8_t* bias = static_cast<const uint8_t*>(operands[2]);
  const uint8_t* multiplier = static_cast<const uint8_t*>(operands[3]);
  uint8_t* laid_bias = static_cast<uint8_t*>(memory) + kHeader;
  uint8_t* laid_multiplier = laid_bias + PartBytes(slots);
  std::memset(laid_bias, 0, 2 * PartBytes(slots));
  for (int64_t i = 0; i < slots; ++i) {
    const int64_t group = i / blocks.slots(), slot = i % blocks.slots(), block = slot / blocks.slots_each;
    const int64_t channel = block * blocks.slots_each + blocks.ChannelOf(block, static_cast<int>(slot % blocks.slots_each));
    if (channel >= per_group) continue;
    std::memcpy(laid_bias + i * 4, bias + (group * per_group + channel) * 4, 4);
    std::memcpy(laid_multiplier + i * 4, multiplier + (group * per_group + channel) * 4, 4);
  }
  const BlockConstants constants = {reinterpret_cast<const int32_t*>(laid_bias), reinterpret_cast<const float*>(laid_multiplier)};
  std::memcpy(memory, &constants, sizeof constants);
  return memory;
}

}  // namespace omkit::kernels
