// How a kernel family puts its rows into the registry, and the checks every verify function shares. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_REGISTRATION_H_
#define OMKIT_BACKENDS_KERNELS_REGISTRATION_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/view.h"
#include "runtime/kernel.h"

namespace omkit::kernels {

// A KernelDef::run that hands the step to a function compiled for one tier.
template <void (*Function)(const KernelArgs&)>
void RunTier(const runtime::Step& step, const runtime::KernelContext& context) {
  Function({step.params.data(), context.operands, context.scratch, context.state, context.thread, context.threads});
}

// Adds the rows; rows that are already there stay.
void RegisterRows(absl::Span<const runtime::KernelDef> rows);

// OK when the step carries exactly `params_size` parameter bytes and between `min_operands` and `max_operands` operands.
absl::Status VerifyStepShape(const runtime::Step& step, size_t params_size, size_t min_operands, size_t max_operands);
// OK when min <= value <= max; the error names `what`.
absl::Status VerifyRange(absl::string_view what, int64_t value, int64_t min, int64_t max);
// OK when both views have the same rank and dims.
absl::Status VerifySameDims(absl::string_view what, const View& a, const View& b);
// VerifyView plus the element size the kernel expects; the error names `what`.
absl::Status VerifyOperandView(absl::string_view what, const View& view, int32_t element_size, const runtime::Operand& operand,
                               const int64_t* before = nullptr, const int64_t* after = nullptr);
// OK when the operand has exactly `bytes` bytes.
absl::Status VerifyOperandSize(absl::string_view what, const runtime::Operand& operand, int64_t bytes);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_REGISTRATION_H_
