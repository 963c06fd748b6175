#include "backends/kernels/wide_conv_u8/wide_conv_u8.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_u8/verify.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)       \
  namespace plain {                        \
  void WideConvU8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr size_t kResidual = 6;

// The convolution that this step repeats in part: operands where conv_u8 has them, tables as long as its output has channels.
runtime::Step Whole(const runtime::Step& step, const WideConvU8Params& p) {
  runtime::Step whole = step;
  whole.params = runtime::ParamBytes(p.conv);
  whole.operands.resize(5);
  for (int i : {2, 3}) whole.operands[i].size = static_cast<uint64_t>(p.conv.out.dims[3]) * 4;
  if (step.operands.size() > kResidual) whole.operands.push_back(step.operands[kResidual]);
  return whole;
}

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(WideConvU8Params), kResidual, kResidual + 1));
  const WideConvU8Params p = runtime::ParamsOf<WideConvU8Params>(step);
  const ConvU8Params& c = p.conv;
  OMKIT_RETURN_IF_ERROR(VerifyRange("has_table", c.has_table, 0, 0));
  OMKIT_RETURN_IF_ERROR(VerifyRange("output channels", c.out.dims[3], 1, int64_t{1} << 24));
  OMKIT_RETURN_IF_ERROR(VerifyConvU8Step(Whole(step, p), c, c.in.dims[3]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("wide channels", p.count, 1, c.out.dims[3]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("groups", c.groups, 1, c.in.dims[3]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("input channels modulo groups", c.in.dims[3] % c.groups, 0, 0));
  OMKIT_RETURN_IF_ERROR(VerifyRange("output channels modulo groups", c.out.dims[3] % c.groups, 0, 0));
  const CheckedSize weights = CheckedSize(p.count) * c.kernel_h * c.kernel_w * (c.in.dims[3] / c.groups) * sizeof(int16_t);
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("wide weights", step.operands[1], weights.ok() ? weights.value() : -1));
  for (const auto& [what, i] : {std::make_pair("bias of wide channels", 2), {"multiplier of wide channels", 3}, {"wide channels", 5}}) {
    OMKIT_RETURN_IF_ERROR(VerifyOperandSize(what, step.operands[i], int64_t{p.count} * 4));
  }
  return VerifyRange("space of the wide channels", static_cast<int>(step.operands[5].space), static_cast<int>(runtime::Space::kWeights),
                     static_cast<int>(runtime::Space::kWeights));
}

// Channel numbers are data of the model: they are looked at once, when it is loaded.
absl::StatusOr<std::shared_ptr<const void>> Prepare(const runtime::Step& step, void* const* operands) {
  const WideConvU8Params p = runtime::ParamsOf<WideConvU8Params>(step);
  for (int32_t i = 0; i < p.count; ++i) {
    int32_t channel;
    std::memcpy(&channel, static_cast<const char*>(operands[5]) + i * sizeof channel, sizeof channel);
    OMKIT_RETURN_IF_ERROR(VerifyRange("number of a wide channel", channel, 0, p.conv.out.dims[3] - 1));
  }
  return std::shared_ptr<const void>();
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"wide_conv_u8." #tier, Verify, nullptr, Prepare, RunTier<plain::WideConvU8>, 1u << 4},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string WideConvU8Kernel(Isa isa) { return absl::StrCat("wide_conv_u8.", IsaName(isa)); }
void RegisterWideConvU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
