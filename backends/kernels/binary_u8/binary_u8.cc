#include "backends/kernels/binary_u8/binary_u8.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)     \
  namespace plain {                      \
  void BinaryU8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(BinaryU8Params), 3, 3));
  const BinaryU8Params p = runtime::ParamsOf<BinaryU8Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("first operand", p.a, 1, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("second operand", p.b, 1, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 1, step.operands[2]));
  OMKIT_RETURN_IF_ERROR(VerifySameDims("first operand and output", p.a, p.out));
  OMKIT_RETURN_IF_ERROR(VerifySameDims("second operand and output", p.b, p.out));
  OMKIT_RETURN_IF_ERROR(VerifyRange("operation", static_cast<int32_t>(p.op), 0, 2));
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point of the first operand", p.a_zero, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point of the second operand", p.b_zero, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point of the output", p.out_zero, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("lower clamp", p.clamp_min, 0, 255));
  return VerifyRange("upper clamp", p.clamp_max, p.clamp_min, 255);
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"binary_u8." #tier, Verify, nullptr, nullptr, RunTier<plain::BinaryU8>, 1u << 2},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string BinaryU8Kernel(Isa isa) { return absl::StrCat("binary_u8.", IsaName(isa)); }
void RegisterBinaryU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
