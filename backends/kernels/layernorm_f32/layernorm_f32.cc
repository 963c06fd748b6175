#include "backends/kernels/layernorm_f32/layernorm_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)         \
  namespace plain {                          \
  void LayerNormF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr int64_t kMaxSize = int64_t{1} << 40;

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(LayerNormF32Params), 4, 4));
  const LayerNormF32Params p = runtime::ParamsOf<LayerNormF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyRange("rows", p.rows, 0, kMaxSize));
  OMKIT_RETURN_IF_ERROR(VerifyRange("row length", p.inner, 1, kMaxSize));
  OMKIT_RETURN_IF_ERROR(VerifyRange("channels", p.channels, 1, kMaxSize));
  OMKIT_RETURN_IF_ERROR(VerifyRange("form", static_cast<int32_t>(p.form), 0, 2));
  const CheckedSize data = CheckedSize(p.rows) * p.inner * sizeof(float);
  const int64_t bytes = data.ok() ? data.value() : -1;
  const int64_t table = (p.form == NormForm::kInstance ? p.channels : p.inner) * static_cast<int64_t>(sizeof(float));
  // Blocks of the arena are rounded up behind their last element.
  OMKIT_RETURN_IF_ERROR(VerifyRange("bytes of input", bytes, 0, static_cast<int64_t>(step.operands[0].size)));
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("gamma", step.operands[1], table));
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("beta", step.operands[2], table));
  OMKIT_RETURN_IF_ERROR(VerifyRange("form of the output", p.quantized, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point", p.zero_point, 0, 255));
  return VerifyRange("bytes of output", p.quantized ? bytes / 4 : bytes, 0, static_cast<int64_t>(step.operands[3].size));
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"layernorm_f32." #tier, Verify, nullptr, nullptr, RunTier<plain::LayerNormF32>, 1u << 3},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string LayerNormF32Kernel(Isa isa) { return absl::StrCat("layernorm_f32.", IsaName(isa)); }
void RegisterLayerNormF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
