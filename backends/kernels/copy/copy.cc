#include "backends/kernels/copy/copy.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain) \
  namespace plain {                  \
  void Copy(const KernelArgs& args); \
  void Fill(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status VerifyCopy(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(CopyParams), 2, 2));
  const CopyParams p = runtime::ParamsOf<CopyParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("copy input", p.in, p.out.element_size, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("copy output", p.out, p.out.element_size, step.operands[1]));
  return VerifySameDims("copy input and output", p.in, p.out);
}

absl::Status VerifyFill(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(FillParams), 1, 1));
  const FillParams p = runtime::ParamsOf<FillParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("fill output", p.out, p.out.element_size, step.operands[0]));
  if (p.skip_end[0] == 0) return absl::OkStatus();
  for (int i = 0; i < 3; ++i) {
    const int64_t dim = i < p.out.rank ? p.out.dims[i] : 1;
    OMKIT_RETURN_IF_ERROR(VerifyRange("begin of the box to skip", p.skip_begin[i], 0, dim));
    OMKIT_RETURN_IF_ERROR(VerifyRange("end of the box to skip", p.skip_end[i], p.skip_begin[i], dim));
  }
  return absl::OkStatus();
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain)                                            \
  {"copy." #tier, VerifyCopy, nullptr, nullptr, RunTier<plain::Copy>, 1u << 1}, \
      {"fill." #tier, VerifyFill, nullptr, nullptr, RunTier<plain::Fill>, 1u << 0},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string CopyKernel(Isa isa) { return absl::StrCat("copy.", IsaName(isa)); }
std::string FillKernel(Isa isa) { return absl::StrCat("fill.", IsaName(isa)); }
void RegisterCopyKernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
