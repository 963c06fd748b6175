#include "backends/kernels/reduce_f32/reduce_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)      \
  namespace plain {                       \
  void ReduceF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ReduceF32Params), 2, 2));
  const ReduceF32Params p = runtime::ParamsOf<ReduceF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 4, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the output", p.out.rank, p.in.rank, p.in.rank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("reduction", static_cast<int32_t>(p.kind), 0, static_cast<int32_t>(ReduceF32::kLogSumExp)));
  OMKIT_RETURN_IF_ERROR(VerifyRange("set of axes", p.axes, 1, (int64_t{1} << p.in.rank) - 1));
  for (int i = 0; i < p.in.rank; ++i) {
    const bool reduced = p.axes >> i & 1;
    if (reduced) OMKIT_RETURN_IF_ERROR(VerifyRange("reduced dimension", p.in.dims[i], 1, int64_t{1} << 40));
    const int64_t kept = reduced ? 1 : p.in.dims[i];
    OMKIT_RETURN_IF_ERROR(VerifyRange("output dimension", p.out.dims[i], kept, kept));
  }
  return absl::OkStatus();
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"reduce_f32." #tier, Verify, nullptr, nullptr, RunTier<plain::ReduceF32>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string ReduceF32Kernel(Isa isa) { return absl::StrCat("reduce_f32.", IsaName(isa)); }
void RegisterReduceF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
