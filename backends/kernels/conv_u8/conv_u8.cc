#include "backends/kernels/conv_u8/conv_u8.h"

#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_u8/blocks.h"
#include "backends/kernels/conv_u8/pack.h"
#include "backends/kernels/conv_u8/rows.h"
#include "backends/kernels/conv_u8/verify.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa)          \
  namespace tier {                     \
  void ConvU8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

template <Isa kIsa>
absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ConvU8Params), 5, 6));
  const ConvU8Params p = runtime::ParamsOf<ConvU8Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyConvU8Step(step, p, RoundUp(p.in.dims[3], 4)));
  if (p.in.dims[3] % p.groups != 0 || p.out.dims[3] % p.groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat("convolution has ", p.in.dims[3], " input and ", p.out.dims[3], " output channels in ", p.groups,
                                                   " groups, expected multiples"));
  }
  const CheckedSize bytes = PackedConvU8Size(kIsa, p.out.dims[3], p.in.dims[3] / p.groups, p.kernel_h, p.kernel_w, p.groups);
  return VerifyOperandSize("packed convolution weights", step.operands[1], bytes.ok() ? bytes.value() : -1);
}

// Owns what BlockConstants points to.
struct OwnedConstants {
  BlockConstants view;
  std::vector<int32_t> bias;
  std::vector<float> multiplier;
};

template <Isa kIsa>
absl::StatusOr<std::shared_ptr<const void>> Prepare(const runtime::Step& step, void* const* operands) {
  if (kIsa != Isa::kAvx512Vnni && kIsa != Isa::kAvxVnni && kIsa != Isa::kAvx2) return std::shared_ptr<const void>();
  const ConvU8Params p = runtime::ParamsOf<ConvU8Params>(step);
  const int64_t per_group = p.out.dims[3] / p.groups;
  const Blocks blocks = BlocksOf(per_group, kIsa == Isa::kAvx512Vnni ? kZmmSlots : kYmmSlots);
  const uint8_t* bias = static_cast<const uint8_t*>(operands[2]);
  const uint8_t* multiplier = static_cast<const uint8_t*>(operands[3]);
  auto owned = std::make_shared<OwnedConstants>();
  owned->bias.assign(p.groups * blocks.slots(), 0);
  owned->multiplier.assign(p.groups * blocks.slots(), 0.0f);
  for (int64_t i = 0; i < p.groups * blocks.slots(); ++i) {
    const int64_t group = i / blocks.slots(), slot = i % blocks.slots(), block = slot / blocks.slots_each;
    const int64_t channel = block * blocks.slots_each + blocks.ChannelOf(block, static_cast<int>(slot % blocks.slots_each));
    if (channel >= per_group) continue;
    std::memcpy(&owned->bias[i], bias + (group * per_group + channel) * 4, 4);
    std::memcpy(&owned->multiplier[i], multiplier + (group * per_group + channel) * 4, 4);
  }
  owned->view = {owned->bias.data(), owned->multiplier.data()};
  return std::shared_ptr<const void>(owned, &owned->view);
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa) {"conv_u8." #tier, Verify<isa>, nullptr, Prepare<isa>, RunTier<tier::ConvU8>, 1u << 4},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string ConvU8Kernel(Isa isa) { return absl::StrCat("conv_u8.", IsaName(isa)); }
absl::Span<const runtime::KernelDef> ConvU8Rows() { return kRows; }
void RegisterConvU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
