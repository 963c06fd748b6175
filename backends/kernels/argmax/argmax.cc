#include "backends/kernels/argmax/argmax.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)   \
  namespace plain {                    \
  void ArgMax(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ArgMaxParams), 2, 2));
  const ArgMaxParams p = runtime::ParamsOf<ArgMaxParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, p.in.element_size == 1 ? 1 : 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 8, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank", p.in.rank, 1, kMaxViewRank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the output", p.out.rank, p.in.rank, p.in.rank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("axis", p.axis, 0, p.in.rank - 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("minimum flag", p.minimum, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("last index flag", p.select_last, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("reduced dimension", p.in.dims[p.axis], 1, int64_t{1} << 40));
  for (int i = 0; i < p.in.rank; ++i) {
    const int64_t kept = i == p.axis ? 1 : p.in.dims[i];
    OMKIT_RETURN_IF_ERROR(VerifyRange("output dimension", p.out.dims[i], kept, kept));
  }
  return absl::OkStatus();
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"argmax." #tier, Verify, nullptr, nullptr, RunTier<plain::ArgMax>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string ArgMaxKernel(Isa isa) { return absl::StrCat("argmax.", IsaName(isa)); }
void RegisterArgMaxKernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
