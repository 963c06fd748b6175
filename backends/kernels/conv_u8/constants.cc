#include "backends/kernels/conv_u8/constants.h"

#include <cmath>
#include <cstring>

#include "backends/kernels/conv_u8/blocks.h"
#include "base/checked.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kHeader = 64;  // BlockConstants
static_assert(sizeof(BlockConstants) <= kHeader);

int64_t ChannelsOf(const ConvU8Params& p) { return p.in.dims[3] / p.groups; }
Blocks BlocksFor(Isa isa, const ConvU8Params& p) { return BlocksOf(p.out.dims[3] / p.groups, *LayoutOf(isa)); }
Steps StepsFor(Isa isa, const ConvU8Params& p) { return StepsOf(isa, p.out.dims[3], ChannelsOf(p), p.groups); }
int64_t PartBytes(int64_t slots) { return RoundUp(slots * 4, 64); }
// Bias and multiplier.
int64_t SlotBytes(Isa isa, const ConvU8Params& p) { return LayoutOf(isa) ? 2 * PartBytes(p.groups * BlocksFor(isa, p).slots()) : 0; }
int64_t FirstBytes(const Steps& steps) { return PartBytes(steps.blocks + 1); }

// What a slot's bias takes up beside the model's own: the term in front of its block.
int32_t TermOf(const Blocks& blocks, const ConvU8Params& p, const uint8_t* packed, int64_t slot) {
  const int64_t channels = ChannelsOf(p);
  if (blocks.layout.term_bytes == 0 || !UsesBlocks(channels, p.groups)) return 0;
  const int64_t within = slot % blocks.slots() % blocks.layout.slots;
  int32_t term;
  std::memcpy(&term, packed + (slot - within) * blocks.SlotBytes(int64_t{p.kernel_h} * p.kernel_w, channels) + within * 4, 4);
  return term;
}

ConvU8RemainderHead HeadAt(const uint8_t* packed, int64_t i) {
  ConvU8RemainderHead head;
  std::memcpy(&head, packed + i * static_cast<int64_t>(sizeof head), sizeof head);
  return head;
}

// Writes first_remainder and the steps. Returns the most steps that a block has.
int64_t LayOutRemainders(const ConvU8Params& p, const Steps& steps, const uint8_t* packed, int32_t* first, RemainderStep* to) {
  const int64_t tap_step = int64_t{p.in.strides[2]} * p.dilation_w, row_step = int64_t{p.in.strides[1]} * p.dilation_h;
  const int64_t tap_bytes = steps.channels == 1 ? ChannelsOf(p) : RoundUp(ChannelsOf(p), 4);
  int64_t i = 0, most = 0;
  for (int64_t block = 0; block < steps.blocks; ++block) {
    first[block] = static_cast<int32_t>(i);
    for (; i < p.remainders && HeadAt(packed, i).block == block; ++i) {
      const int64_t tap = HeadAt(packed, i).step / steps.of_tap, channel = HeadAt(packed, i).step % steps.of_tap * steps.channels;
      const int64_t begin = tap / p.kernel_w * row_step + tap % p.kernel_w * tap_step + channel, left = tap_bytes - channel;
      const uint8_t* weights = packed + RoundUp(p.remainders * static_cast<int64_t>(sizeof(ConvU8RemainderHead)), 64) + i * steps.bytes;
      to[i] = {reinterpret_cast<const int8_t*>(weights), begin, begin + (left < steps.channels ? left : steps.channels)};
    }
    if (i - first[block] > most) most = i - first[block];
  }
  first[steps.blocks] = static_cast<int32_t>(i);
  return most;
}

// What the remainders of blocks with terms add to these.
void AddRemainderTerms(Isa isa, const ConvU8Params& p, const Blocks& blocks, const BlockConstants& constants, uint8_t* bias) {
  const int parts = isa == Isa::kNeon ? 2 : 1, piece = blocks.layout.step_channels / parts;
  for (int64_t block = 0; block < p.groups * blocks.count; ++block) {
    const int width = blocks.width(block % blocks.count);
    uint8_t* slots = bias + (block / blocks.count * blocks.slots() + block % blocks.count * blocks.layout.slots) * 4;
    for (int32_t i = constants.first_remainder[block]; i < constants.first_remainder[block + 1]; ++i) {
      for (int byte = 0; byte < width * blocks.layout.step_bytes; ++byte) {
        uint8_t* slot = slots + byte / piece % width * 4;
        uint32_t value;
        std::memcpy(&value, slot, 4);
        value += static_cast<uint32_t>(128 * constants.remainders[i].weights[byte]);
        std::memcpy(slot, &value, 4);
      }
    }
  }
}

// Whether a sum times its multiplier, and the residual, can leave int32 for some input. Weights are counted as the largest there are, those of
// up to `more` input channels twice.
bool MayLeaveInt32(const ConvU8Params& p, int64_t more, const uint8_t* bias, const uint8_t* multiplier) {
  const double products = 255.0 * 128.0 * static_cast<double>(ChannelsOf(p) * p.kernel_h * p.kernel_w + more);
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

// Bias and multipliers by slot; channels that do not exist have zeros. `more`: input channels that a sum adds twice.
void LayOutSlots(Isa isa, const ConvU8Params& p, void* const* operands, int64_t more, uint8_t* laid_bias, BlockConstants* constants) {
  const Blocks blocks = BlocksFor(isa, p);
  const int64_t per_group = p.out.dims[3] / p.groups, slots = p.groups * blocks.slots();
  const uint8_t* packed = static_cast<const uint8_t*>(operands[1]);
  const uint8_t* bias = static_cast<const uint8_t*>(operands[2]);
  const uint8_t* multiplier = static_cast<const uint8_t*>(operands[3]);
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
  if (p.remainders > 0 && blocks.layout.term_bytes > 0 && UsesBlocks(ChannelsOf(p), p.groups))
    AddRemainderTerms(isa, p, blocks, *constants, laid_bias);
  constants->bias = reinterpret_cast<const int32_t*>(laid_bias);
  constants->multiplier = reinterpret_cast<const float*>(laid_multiplier);
  constants->may_leave_int32 = MayLeaveInt32(p, more, bias, multiplier);
}

}  // namespace

int64_t ConvU8ConstantsBytes(Isa isa, const ConvU8Params& p) {
  if (LayoutOf(isa) == nullptr && p.remainders == 0) return 0;
  const int64_t remainders =
      p.remainders == 0 ? 0 : FirstBytes(StepsFor(isa, p)) + int64_t{p.remainders} * static_cast<int64_t>(sizeof(RemainderStep));
  return kHeader + SlotBytes(isa, p) + remainders;
}

const void* LayOutConvU8Constants(Isa isa, const ConvU8Params& p, void* const* operands, void* memory) {
  uint8_t* laid_bias = static_cast<uint8_t*>(memory) + kHeader;
  BlockConstants constants = {};
  int64_t more = 0;
  if (p.remainders > 0) {
    const Steps steps = StepsFor(isa, p);
    auto* first = reinterpret_cast<int32_t*>(laid_bias + SlotBytes(isa, p));
    auto* laid = reinterpret_cast<RemainderStep*>(reinterpret_cast<uint8_t*>(first) + FirstBytes(steps));
    more = LayOutRemainders(p, steps, static_cast<const uint8_t*>(operands[ConvU8RemainderOperand(p)]), first, laid) * steps.channels;
    constants.first_remainder = first;
    constants.remainders = laid;
  }
  if (LayoutOf(isa) != nullptr) LayOutSlots(isa, p, operands, more, laid_bias, &constants);
  std::memcpy(memory, &constants, sizeof constants);
  return memory;
}

}  // namespace omkit::kernels
