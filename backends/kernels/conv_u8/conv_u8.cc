#include "backends/kernels/conv_u8/conv_u8.h"

#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_u8/blocks.h"
#include "backends/kernels/conv_u8/constants.h"
#include "backends/kernels/conv_u8/pack.h"
#include "backends/kernels/conv_u8/rows.h"
#include "backends/kernels/conv_u8/verify.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)   \
  namespace tier {                     \
  void ConvU8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

struct alignas(64) CacheLine {
  uint8_t bytes[64];
};

template <Isa kIsa>
absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ConvU8Params), 5, 8));
  const ConvU8Params p = runtime::ParamsOf<ConvU8Params>(step);
  const bool may_write_planes = p.groups > 0 && ConvU8WritesPlanes(kIsa, p.in.dims[3] / p.groups, p.groups);
  OMKIT_RETURN_IF_ERROR(VerifyConvU8Step(step, p, RoundUp(p.in.dims[3], 4), may_write_planes));
  if (p.in.dims[3] % p.groups != 0 || p.out.dims[3] % p.groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat("convolution has ", p.in.dims[3], " input and ", p.out.dims[3], " output channels in ", p.groups,
                                                   " groups, expected multiples"));
  }
  if (p.has_table && !ConvU8ReadsTable(kIsa, p.in.dims[3] / p.groups, p.groups)) {
    return absl::InvalidArgumentError("this chip's convolution has no table behind it");
  }
  const int64_t ic = p.in.dims[3] / p.groups;
  if (p.gathers_tails && !(ConvU8GathersTails(kIsa, ic, p.kernel_h, p.kernel_w, p.groups) && p.remainders == 0)) {
    return absl::InvalidArgumentError("this chip's convolution gathers no tails of such kernel rows");
  }
  const CheckedSize bytes = p.gathers_tails ? PackedConvU8Size(kIsa, p.out.dims[3], ConvU8TailedChannels(ic, p.kernel_h), 1, 1, 1)
                                            : PackedConvU8Size(kIsa, p.out.dims[3], ic, p.kernel_h, p.kernel_w, p.groups);
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("packed convolution weights", step.operands[1], bytes.ok() ? bytes.value() : -1));
  if (p.remainders == 0) return absl::OkStatus();
  return VerifyOperandSize("remainders of convolution weights", step.operands[ConvU8RemainderOperand(p)],
                           ConvU8RemaindersSize(kIsa, p.remainders, p.out.dims[3], p.in.dims[3] / p.groups, p.groups));
}

// Numbers of blocks and steps are data of the model: they are looked at once, when it is loaded.
absl::Status VerifyRemainderHeads(Isa isa, const ConvU8Params& p, const uint8_t* packed) {
  const Steps steps = StepsOf(isa, p.out.dims[3], p.in.dims[3] / p.groups, p.groups);
  ConvU8RemainderHead head = {};
  for (int32_t i = 0; i < p.remainders; ++i) {
    const int32_t before = head.block;
    std::memcpy(&head, packed + i * sizeof head, sizeof head);
    OMKIT_RETURN_IF_ERROR(VerifyRange("block of remainders", head.block, before, steps.blocks - 1));
    OMKIT_RETURN_IF_ERROR(VerifyRange("step of remainders", head.step, 0, int64_t{p.kernel_h} * p.kernel_w * steps.of_tap - 1));
  }
  return absl::OkStatus();
}

template <Isa kIsa>
absl::StatusOr<std::shared_ptr<const void>> Prepare(const runtime::Step& step, void* const* operands) {
  const ConvU8Params p = runtime::ParamsOf<ConvU8Params>(step);
  const int64_t bytes = ConvU8ConstantsBytes(kIsa, p);
  if (bytes == 0) return std::shared_ptr<const void>();
  if (p.remainders > 0) {
    OMKIT_RETURN_IF_ERROR(VerifyRemainderHeads(kIsa, p, static_cast<const uint8_t*>(operands[ConvU8RemainderOperand(p)])));
  }
  const auto memory = std::make_shared<std::vector<CacheLine>>(CeilDiv(bytes, sizeof(CacheLine)));
  return std::shared_ptr<const void>(memory, LayOutConvU8Constants(kIsa, p, operands, memory->data()));
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"conv_u8." #tier, Verify<isa>, nullptr, Prepare<isa>, RunTier<tier::ConvU8>, 1u << 4},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

bool ConvU8ReadsTable(Isa isa, int64_t ic_per_group, int64_t groups) { return isa == Isa::kAvx512Vnni && UsesBlocks(ic_per_group, groups); }
bool ConvU8GathersTails(Isa isa, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups) {
  return isa == Isa::kAvx512Vnni && groups == 1 && kernel_w == 1 && ic_per_group > 4 && ic_per_group % 4 == 1 && kernel_h >= 2 &&
         kernel_h <= kMostTailRows;
}
bool ConvU8WritesPlanes(Isa isa, int64_t ic_per_group, int64_t groups) { return isa == Isa::kAvx512Vnni && UsesBlocks(ic_per_group, groups); }

std::string ConvU8Kernel(Isa isa) { return absl::StrCat("conv_u8.", IsaName(isa)); }
absl::Span<const runtime::KernelDef> ConvU8Rows() { return kRows; }
void RegisterConvU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
