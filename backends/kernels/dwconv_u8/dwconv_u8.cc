#include "backends/kernels/dwconv_u8/dwconv_u8.h"

#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_u8/verify.h"
#include "backends/kernels/dwconv_u8/blocks.h"
#include "backends/kernels/dwconv_u8/pack.h"
#include "backends/kernels/dwconv_u8/rows.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa)            \
  namespace tier {                       \
  void DwConvU8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(DwConvU8Params), 5, 6));
  const DwConvU8Params p = runtime::ParamsOf<DwConvU8Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyConvU8Step(step, p, p.in.dims[3]));
  if (p.in.dims[3] != p.groups || p.out.dims[3] != p.groups) {
    return absl::InvalidArgumentError(absl::StrCat("depthwise convolution has ", p.in.dims[3], " input and ", p.out.dims[3], " output channels in ",
                                                   p.groups, " groups, expected equal numbers"));
  }
  const CheckedSize bytes = PackedDwConvU8Size(p.groups, p.kernel_h, p.kernel_w);
  return VerifyOperandSize("packed depthwise weights", step.operands[1], bytes.ok() ? bytes.value() : -1);
}

// Owns what DwBlockConstants points to.
struct OwnedConstants {
  DwBlockConstants view;
  std::vector<uint8_t> weights;
  std::vector<int32_t> bias;
  std::vector<float> multiplier;
};

template <Isa kIsa>
absl::StatusOr<std::shared_ptr<const void>> Prepare(const runtime::Step& step, void* const* operands) {
  constexpr bool kPairs = kIsa == Isa::kAvx2 || kIsa == Isa::kAvxVnni;
  if (kIsa != Isa::kAvx512Vnni && !kPairs) return std::shared_ptr<const void>();
  const DwConvU8Params p = runtime::ParamsOf<DwConvU8Params>(step);
  const int64_t slots = RoundUp(p.groups, kDwBlock);
  auto owned = std::make_shared<OwnedConstants>();
  owned->bias.assign(slots, 0);
  owned->multiplier.assign(slots, 0.0f);
  for (int64_t i = 0; i < slots; ++i) {
    const int64_t block = kPairs ? kDwPairBlock : kDwBlock, first = i / block * block;
    const int slot = static_cast<int>(i - first);
    const int64_t channel = first + (kPairs ? DwChannelOfPairSlot(slot) : DwChannelOfSlot(slot, JoinedRows(p.groups, first)));
    if (channel >= p.groups) continue;
    std::memcpy(&owned->bias[i], static_cast<const uint8_t*>(operands[2]) + channel * 4, 4);
    std::memcpy(&owned->multiplier[i], static_cast<const uint8_t*>(operands[3]) + channel * 4, 4);
  }
  owned->weights = LayOutDwConvU8Weights(kIsa, static_cast<const uint8_t*>(operands[1]), p.groups, p.kernel_h, p.kernel_w);
  owned->view = {owned->weights.data(), owned->bias.data(), owned->multiplier.data()};
  return std::shared_ptr<const void>(owned, &owned->view);
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa) {"dwconv_u8." #tier, Verify, nullptr, Prepare<isa>, RunTier<tier::DwConvU8>, 1u << 4},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string DwConvU8Kernel(Isa isa) { return absl::StrCat("dwconv_u8.", IsaName(isa)); }
absl::Span<const runtime::KernelDef> DwConvU8Rows() { return kRows; }
void RegisterDwConvU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
