#include "backends/kernels/elementwise_f32/elementwise_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)      \
  namespace plain {                       \
  void UnaryF32(const KernelArgs& args);  \
  void BinaryF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

bool Known(UnaryF32 kind) {
  switch (kind) {
#define OMKIT_UNARY_F32(name, number) case UnaryF32::k##name:
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
    return true;
  }
  return false;
}

bool Known(BinaryF32 kind) {
  switch (kind) {
#define OMKIT_BINARY_F32(name, number) case BinaryF32::k##name:
#include "backends/kernels/elementwise_f32/elementwise_f32.inc"
    return true;
  }
  return false;
}

template <typename Kind>
absl::Status VerifyKind(Kind kind) {
  if (Known(kind)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("function number ", static_cast<int32_t>(kind), " is unknown; the model is newer than this runtime"));
}

absl::Status VerifyUnary(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(UnaryF32Params), 2, 2));
  const UnaryF32Params p = runtime::ParamsOf<UnaryF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyKind(p.kind));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 4, step.operands[1]));
  return VerifySameDims("input and output", p.in, p.out);
}

absl::Status VerifyBinary(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(BinaryF32Params), 3, 3));
  const BinaryF32Params p = runtime::ParamsOf<BinaryF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyKind(p.kind));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("first operand", p.a, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("second operand", p.b, 4, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 4, step.operands[2]));
  OMKIT_RETURN_IF_ERROR(VerifySameDims("first operand and output", p.a, p.out));
  return VerifySameDims("second operand and output", p.b, p.out);
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain)                                                      \
  {"unary_f32." #tier, VerifyUnary, nullptr, nullptr, RunTier<plain::UnaryF32>, 1u << 1}, \
      {"binary_f32." #tier, VerifyBinary, nullptr, nullptr, RunTier<plain::BinaryF32>, 1u << 2},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string UnaryF32Kernel(Isa isa) { return absl::StrCat("unary_f32.", IsaName(isa)); }
std::string BinaryF32Kernel(Isa isa) { return absl::StrCat("binary_f32.", IsaName(isa)); }
void RegisterElementwiseF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
