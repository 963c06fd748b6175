#include "backends/kernels/resize/resize.h"

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)          \
  namespace plain {                           \
  void ResizeNearest(const KernelArgs& args); \
  void ResizeLinear(const KernelArgs& args);  \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr int64_t kMaxDim = INT32_MAX;

absl::Status VerifyTable(const runtime::Operand& table, int64_t bytes) {
  if (table.space != runtime::Space::kWeights) return absl::InvalidArgumentError("index table is not in the weights");
  return VerifyOperandSize("index table", table, bytes);
}

absl::Status VerifyAxis(const View& in, const View& out, int axis, bool resized) {
  OMKIT_RETURN_IF_ERROR(VerifyRange("output dimension", out.dims[axis], 0, kMaxDim));
  if (resized) return VerifyRange("input dimension", in.dims[axis], 1, kMaxDim);
  return VerifyRange("input dimension that is not resized", in.dims[axis], out.dims[axis], out.dims[axis]);
}

absl::Status VerifyIndices(const void* table, int64_t count, int64_t size) {
  const char* at = static_cast<const char*>(table);
  for (int64_t i = 0; i < count; ++i) {
    int32_t index;
    std::memcpy(&index, at + i * sizeof index, sizeof index);
    OMKIT_RETURN_IF_ERROR(VerifyRange("entry of an index table", index, 0, size - 1));
  }
  return absl::OkStatus();
}

absl::Status VerifyNearest(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ResizeNearestParams), 2, 2 + kMaxViewRank));
  const ResizeNearestParams p = runtime::ParamsOf<ResizeNearestParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, p.out.element_size, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, p.in.element_size, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the output", p.out.rank, p.in.rank, p.in.rank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("set of axes", p.axes, 0, (int64_t{1} << p.in.rank) - 1));
  size_t next = 2;
  for (int i = 0; i < p.in.rank; ++i) {
    const bool resized = p.axes >> i & 1;
    OMKIT_RETURN_IF_ERROR(VerifyAxis(p.in, p.out, i, resized));
    if (!resized) continue;
    if (next >= step.operands.size()) return absl::InvalidArgumentError("an index table is missing");
    OMKIT_RETURN_IF_ERROR(VerifyTable(step.operands[next++], p.out.dims[i] * 4));
  }
  return VerifyRange("number of operands", step.operands.size(), next, next);
}

absl::StatusOr<std::shared_ptr<const void>> PrepareNearest(const runtime::Step& step, void* const* operands) {
  const ResizeNearestParams p = runtime::ParamsOf<ResizeNearestParams>(step);
  int next = 2;
  for (int i = 0; i < p.in.rank; ++i) {
    if (p.axes >> i & 1) OMKIT_RETURN_IF_ERROR(VerifyIndices(operands[next++], p.out.dims[i], p.in.dims[i]));
  }
  return std::shared_ptr<const void>();
}

absl::Status VerifyLinear(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ResizeLinearParams), 4, 4));
  const ResizeLinearParams p = runtime::ParamsOf<ResizeLinearParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, p.in.element_size == 1 ? 1 : 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, p.out.element_size == 1 ? 1 : 4, step.operands[1]));
  for (const ResizeQuant* q : {&p.in_quant, &p.out_quant}) OMKIT_RETURN_IF_ERROR(VerifyRange("zero point", q->zero_point, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the output", p.out.rank, p.in.rank, p.in.rank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("horizontal axis", p.axis_x, 0, p.in.rank - 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("vertical axis", p.axis_y, 0, p.axis_x - 1));
  for (int i = 0; i < p.in.rank; ++i) OMKIT_RETURN_IF_ERROR(VerifyAxis(p.in, p.out, i, i == p.axis_y || i == p.axis_x));
  OMKIT_RETURN_IF_ERROR(VerifyTable(step.operands[2], p.out.dims[p.axis_y] * 12));
  return VerifyTable(step.operands[3], p.out.dims[p.axis_x] * 12);
}

absl::StatusOr<std::shared_ptr<const void>> PrepareLinear(const runtime::Step& step, void* const* operands) {
  const ResizeLinearParams p = runtime::ParamsOf<ResizeLinearParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyIndices(operands[2], p.out.dims[p.axis_y] * 2, p.in.dims[p.axis_y]));
  OMKIT_RETURN_IF_ERROR(VerifyIndices(operands[3], p.out.dims[p.axis_x] * 2, p.in.dims[p.axis_x]));
  return std::shared_ptr<const void>();
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain)                                                                         \
  {"resize_nearest." #tier, VerifyNearest, nullptr, PrepareNearest, RunTier<plain::ResizeNearest>, 1u << 1}, \
      {"resize_linear." #tier, VerifyLinear, nullptr, PrepareLinear, RunTier<plain::ResizeLinear>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string ResizeNearestKernel(Isa isa) { return absl::StrCat("resize_nearest.", IsaName(isa)); }
std::string ResizeLinearKernel(Isa isa) { return absl::StrCat("resize_linear.", IsaName(isa)); }
void RegisterResizeKernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
