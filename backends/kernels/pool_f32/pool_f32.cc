#include "backends/kernels/pool_f32/pool_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)    \
  namespace plain {                     \
  void PoolF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr int64_t kMaxWindow = 1 << 20;

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(PoolF32Params), 2, 2));
  const PoolF32Params p = runtime::ParamsOf<PoolF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyRange("kernel height", p.kernel_h, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("kernel width", p.kernel_w, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("vertical stride", p.stride_h, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("horizontal stride", p.stride_w, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("vertical dilation", p.dilation_h, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("horizontal dilation", p.dilation_w, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("top padding", p.pad_top, 0, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("left padding", p.pad_left, 0, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("bottom padding", p.pad_bottom, 0, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("right padding", p.pad_right, 0, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("average flag", p.average, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("padding count flag", p.count_include_pad, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("input rank", p.in.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyRange("output rank", p.out.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 4, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("input height", p.in.dims[1], 1, int64_t{1} << 31));
  OMKIT_RETURN_IF_ERROR(VerifyRange("input width", p.in.dims[2], 1, int64_t{1} << 31));
  OMKIT_RETURN_IF_ERROR(VerifyRange("batch of the input", p.in.dims[0], p.out.dims[0], p.out.dims[0]));
  return VerifyRange("channels of the input", p.in.dims[3], p.out.dims[3], p.out.dims[3]);
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"pool_f32." #tier, Verify, nullptr, nullptr, RunTier<plain::PoolF32>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string PoolF32Kernel(Isa isa) { return absl::StrCat("pool_f32.", IsaName(isa)); }
void RegisterPoolF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
