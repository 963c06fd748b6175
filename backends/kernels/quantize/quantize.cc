#include "backends/kernels/quantize/quantize.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)       \
  namespace plain {                        \
  void Quantize(const KernelArgs& args);   \
  void Dequantize(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

template <int kInBytes, int kOutBytes>
absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(QuantizeParams), 2, 2));
  const QuantizeParams p = runtime::ParamsOf<QuantizeParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, kInBytes, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, kOutBytes, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifySameDims("input and output", p.in, p.out));
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point", p.zero_point, 0, 255));
  if (!(p.scale > 0) || !std::isfinite(p.scale)) {
    return absl::InvalidArgumentError(absl::StrCat("scale is ", p.scale, ", expected a positive finite number"));
  }
  return absl::OkStatus();
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain)                                                         \
  {"quantize_u8." #tier, Verify<4, 1>, nullptr, nullptr, RunTier<plain::Quantize>, 1u << 1}, \
      {"dequantize_u8." #tier, Verify<1, 4>, nullptr, nullptr, RunTier<plain::Dequantize>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string QuantizeKernel(Isa isa) { return absl::StrCat("quantize_u8.", IsaName(isa)); }
std::string DequantizeKernel(Isa isa) { return absl::StrCat("dequantize_u8.", IsaName(isa)); }
void RegisterQuantizeKernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
