#include "backends/kernels/dwconv_u8/dwconv_u8.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_u8/verify.h"
#include "backends/kernels/dwconv_u8/constants.h"
#include "backends/kernels/dwconv_u8/pack.h"
#include "backends/kernels/dwconv_u8/rows.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)     \
  namespace tier {                       \
  void DwConvU8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

struct alignas(64) CacheLine {
  uint8_t bytes[64];
};

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(DwConvU8Params), 5, 7));
  const DwConvU8Params p = runtime::ParamsOf<DwConvU8Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyConvU8Step(step, p, p.in.dims[3]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("has_table", p.has_table, 0, 0));
  if (p.in.dims[3] != p.groups || p.out.dims[3] != p.groups) {
    return absl::InvalidArgumentError(absl::StrCat("depthwise convolution has ", p.in.dims[3], " input and ", p.out.dims[3], " output channels in ",
                                                   p.groups, " groups, expected equal numbers"));
  }
  const CheckedSize bytes = PackedDwConvU8Size(p.groups, p.kernel_h, p.kernel_w);
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("packed depthwise weights", step.operands[1], bytes.ok() ? bytes.value() : -1));
  if (p.remainders == 0) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(VerifyRange("remainders of depthwise weights", p.remainders, 1, kDwMaxRemainders));
  return VerifyOperandSize("remainders of depthwise weights", step.operands[ConvU8RemainderOperand(p)], bytes.value() * p.remainders);
}

template <Isa kIsa>
absl::StatusOr<std::shared_ptr<const void>> Prepare(const runtime::Step& step, void* const* operands) {
  const DwConvU8Params p = runtime::ParamsOf<DwConvU8Params>(step);
  const int64_t bytes = DwConvU8ConstantsBytes(kIsa, p);
  if (bytes == 0) return std::shared_ptr<const void>();
  const auto memory = std::make_shared<std::vector<CacheLine>>(CeilDiv(bytes, sizeof(CacheLine)));
  return std::shared_ptr<const void>(memory, LayOutDwConvU8Constants(kIsa, p, operands, memory->data()));
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"dwconv_u8." #tier, Verify, nullptr, Prepare<isa>, RunTier<tier::DwConvU8>, 1u << 4},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string DwConvU8Kernel(Isa isa) { return absl::StrCat("dwconv_u8.", IsaName(isa)); }
absl::Span<const runtime::KernelDef> DwConvU8Rows() { return kRows; }
void RegisterDwConvU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
