#include "backends/kernels/softmax_f32/softmax_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)       \
  namespace plain {                        \
  void SoftmaxF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(SoftmaxF32Params), 2, 2));
  const SoftmaxF32Params p = runtime::ParamsOf<SoftmaxF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("form of the output", p.quantized, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, p.quantized ? 1 : 4, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifySameDims("input and output", p.in, p.out));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank", p.in.rank, 1, kMaxViewRank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("logarithm flag", p.log_softmax, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("axis", p.axis, 0, p.in.rank - 1));
  if (!p.quantized) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(VerifyRange("logarithm flag of a rounded result", p.log_softmax, 0, 0));
  OMKIT_RETURN_IF_ERROR(VerifyRange("axis of a rounded result", p.axis, p.in.rank - 1, p.in.rank - 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("stride of the input", p.in.strides[p.axis], 1, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("stride of the output", p.out.strides[p.axis], 1, 1));
  return VerifyRange("zero point", p.zero_point, 0, 255);
}

// The lines that a thread computes together, in float.
int64_t ScratchBytes(const runtime::Step& step) {
  const SoftmaxF32Params p = runtime::ParamsOf<SoftmaxF32Params>(step);
  constexpr int64_t kTogether = 4;  // of generic.cc
  return p.quantized ? RoundUp(p.in.dims[p.axis], 16) * kTogether * static_cast<int64_t>(sizeof(float)) : 0;
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"softmax_f32." #tier, Verify, ScratchBytes, nullptr, RunTier<plain::SoftmaxF32>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string SoftmaxF32Kernel(Isa isa) { return absl::StrCat("softmax_f32.", IsaName(isa)); }
void RegisterSoftmaxF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
