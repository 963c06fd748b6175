#include "backends/kernels/lut_u8/lut_u8.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)  \
  namespace plain {                   \
  void LutU8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(LutU8Params), 3, 3));
  const LutU8Params p = runtime::ParamsOf<LutU8Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("table lookup input", p.in, 1, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("lookup table", step.operands[1], 256));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("table lookup output", p.out, 1, step.operands[2]));
  return VerifySameDims("table lookup input and output", p.in, p.out);
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"lut_u8." #tier, Verify, nullptr, nullptr, RunTier<plain::LutU8>, 1u << 2},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string LutU8Kernel(Isa isa) { return absl::StrCat("lut_u8.", IsaName(isa)); }
void RegisterLutU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
