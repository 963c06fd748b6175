#include "backends/kernels/registration.h"

#include "absl/strings/str_format.h"
#include "backends/kernels/verify_view.h"
#include "base/cpu.h"
#include "base/status.h"

namespace omkit::kernels {

void RegisterRows(absl::Span<const runtime::KernelDef> rows) {
  for (const runtime::KernelDef& row : rows) {
    // A step may name any kernel: a row that this machine cannot execute must not be found.
    const absl::string_view name = row.name;
    Isa isa = Isa::kGeneric;
    if (FindIsa(name.substr(name.rfind('.') + 1), &isa) && !CpuSupports(isa)) continue;
    runtime::RegisterKernel(&row).IgnoreError();
  }
}

absl::Status VerifyStepShape(const runtime::Step& step, size_t params_size, size_t min_operands, size_t max_operands) {
  if (step.params.size() != params_size) {
    return absl::InvalidArgumentError(
        absl::StrFormat("kernel '%s' expects %d parameter bytes, the step has %d", step.kernel, params_size, step.params.size()));
  }
  if (step.operands.size() < min_operands || step.operands.size() > max_operands) {
    return absl::InvalidArgumentError(
        absl::StrFormat("kernel '%s' expects %d to %d operands, the step has %d", step.kernel, min_operands, max_operands, step.operands.size()));
  }
  return absl::OkStatus();
}

absl::Status VerifyRange(absl::string_view what, int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("%s is %d, expected %d to %d", what, value, min, max));
}

absl::Status VerifySameDims(absl::string_view what, const View& a, const View& b) {
  bool same = a.rank == b.rank;
  for (int i = 0; same && i < a.rank && i < kMaxViewRank; ++i) same = a.dims[i] == b.dims[i];
  if (same) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("%s have different shapes", what));
}

absl::Status VerifyOperandView(absl::string_view what, const View& view, int32_t element_size, const runtime::Operand& operand, const int64_t* before,
                               const int64_t* after) {
  if (view.element_size != element_size) {
    return absl::InvalidArgumentError(absl::StrFormat("%s has elements of %d bytes, expected %d", what, view.element_size, element_size));
  }
  return Annotate(VerifyView(view, operand.size, before, after), what);
}

absl::Status VerifyOperandSize(absl::string_view what, const runtime::Operand& operand, int64_t bytes) {
  if (bytes >= 0 && operand.size == static_cast<uint64_t>(bytes)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("%s has %d bytes, expected %d", what, operand.size, bytes));
}

}  // namespace omkit::kernels
