#include "backends/kernels/recurrent_f32/recurrent_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)         \
  namespace plain {                          \
  void RecurrentF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr int64_t kMostSteps = int64_t{1} << 24, kMostColumns = int64_t{1} << 20;

int64_t RowOf(const RecurrentF32Params& p) { return RecurrentGates(p.cell) * RoundUp(p.hidden, int64_t{16}); }

absl::Status Fits(const char* what, const runtime::Step& step, int operand, CheckedSize floats) {
  const CheckedSize bytes = floats * sizeof(float);
  return VerifyRange(what, bytes.ok() ? bytes.value() : -1, 0, static_cast<int64_t>(step.operands[operand].size));
}

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(RecurrentF32Params), 10, 10));
  const auto p = runtime::ParamsOf<RecurrentF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyRange("time", p.time, 0, kMostSteps));
  OMKIT_RETURN_IF_ERROR(VerifyRange("batch", p.batch, 0, kMostSteps));
  OMKIT_RETURN_IF_ERROR(VerifyRange("input", p.input, 1, kMostColumns));
  OMKIT_RETURN_IF_ERROR(VerifyRange("hidden", p.hidden, 1, kMostColumns));
  OMKIT_RETURN_IF_ERROR(VerifyRange("directions", p.directions, 1, 2));
  OMKIT_RETURN_IF_ERROR(VerifyRange("cell", static_cast<int64_t>(p.cell), 0, 2));
  OMKIT_RETURN_IF_ERROR(VerifyRange("outputs", p.outputs, 0, 7));
  const CheckedSize row = CheckedSize(p.directions) * RowOf(p), state = CheckedSize(p.directions) * p.batch * p.hidden;
  OMKIT_RETURN_IF_ERROR(Fits("bytes of x", step, 0, CheckedSize(p.time) * p.batch * p.input));
  OMKIT_RETURN_IF_ERROR(Fits("bytes of W", step, 1, row * p.input));
  OMKIT_RETURN_IF_ERROR(Fits("bytes of R", step, 2, row * p.hidden));
  OMKIT_RETURN_IF_ERROR(Fits("bytes of the bias", step, 3, row));
  OMKIT_RETURN_IF_ERROR(Fits("bytes of the second bias", step, 4, row));
  OMKIT_RETURN_IF_ERROR(Fits("bytes of h", step, 5, state));
  if (p.cell == RecurrentCell::kLstm) OMKIT_RETURN_IF_ERROR(Fits("bytes of c", step, 6, state));
  if (p.outputs & 1) OMKIT_RETURN_IF_ERROR(Fits("bytes of Y", step, 7, state * p.time));
  if (p.outputs & 2) OMKIT_RETURN_IF_ERROR(Fits("bytes of the last h", step, 8, state));
  if (p.outputs & 4) OMKIT_RETURN_IF_ERROR(Fits("bytes of the last c", step, 9, state));
  return absl::OkStatus();
}

// Products of x for one direction, of h for one step, the states, and h weighted by the reset gate.
int64_t ScratchBytes(const runtime::Step& step) {
  const auto p = runtime::ParamsOf<RecurrentF32Params>(step);
  const int64_t padded = RoundUp(p.hidden, int64_t{16});
  const CheckedSize floats = (CheckedSize(p.time) * p.batch + p.batch) * RowOf(p) + CheckedSize(p.batch) * padded * 3;
  const CheckedSize bytes = floats * sizeof(float);
  return bytes.ok() ? bytes.value() : INT64_MAX;
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"recurrent_f32." #tier, Verify, ScratchBytes, nullptr, RunTier<plain::RecurrentF32>, 7u << 7},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string RecurrentF32Kernel(Isa isa) { return absl::StrCat("recurrent_f32.", IsaName(isa)); }
void RegisterRecurrentF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
