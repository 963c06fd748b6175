#include "backends/kernels/softmax_f32/softmax_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa)              \
  namespace tier {                         \
  void SoftmaxF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(SoftmaxF32Params), 2, 2));
  const SoftmaxF32Params p = runtime::ParamsOf<SoftmaxF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 4, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifySameDims("input and output", p.in, p.out));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank", p.in.rank, 1, kMaxViewRank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("logarithm flag", p.log_softmax, 0, 1));
  return VerifyRange("axis", p.axis, 0, p.in.rank - 1);
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa) {"softmax_f32." #tier, Verify, nullptr, nullptr, RunTier<tier::SoftmaxF32>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string SoftmaxF32Kernel(Isa isa) { return absl::StrCat("softmax_f32.", IsaName(isa)); }
void RegisterSoftmaxF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
