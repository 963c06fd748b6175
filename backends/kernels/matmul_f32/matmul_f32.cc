#include "backends/kernels/matmul_f32/matmul_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)      \
  namespace plain {                       \
  void MatMulF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

// The widest tile reads two panels of 16 columns.
constexpr int64_t kPackedColumns = 32;

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(MatMulF32Params), 3, 3));
  const MatMulF32Params p = runtime::ParamsOf<MatMulF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("first operand", p.a, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("second operand", p.b, 4, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 4, step.operands[2]));
  const int rank = p.out.rank;
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the output", rank, 2, kMaxViewRank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the first operand", p.a.rank, rank, rank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the second operand", p.b.rank, rank, rank));
  for (int i = 0; i < rank - 2; ++i) {
    OMKIT_RETURN_IF_ERROR(VerifyRange("batch of the first operand", p.a.dims[i], p.out.dims[i], p.out.dims[i]));
    OMKIT_RETURN_IF_ERROR(VerifyRange("batch of the second operand", p.b.dims[i], p.out.dims[i], p.out.dims[i]));
  }
  const int64_t m = p.out.dims[rank - 2], n = p.out.dims[rank - 1], k = p.a.dims[rank - 1];
  OMKIT_RETURN_IF_ERROR(VerifyRange("rows of the first operand", p.a.dims[rank - 2], m, m));
  OMKIT_RETURN_IF_ERROR(VerifyRange("columns of the second operand", p.b.dims[rank - 1], n, n));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rows of the second operand", p.b.dims[rank - 2], k, k));
  OMKIT_RETURN_IF_ERROR(VerifyRange("last stride of the first operand", p.a.strides[rank - 1], 1, 1));
  return VerifyRange("last stride of the output", p.out.strides[rank - 1], 1, 1);
}

// A verified K is bounded by the first operand's bytes whenever there is an output.
int64_t ScratchBytes(const runtime::Step& step) {
  const MatMulF32Params p = runtime::ParamsOf<MatMulF32Params>(step);
  return p.out.elements() == 0 ? 0 : p.a.dims[p.a.rank - 1] * kPackedColumns * static_cast<int64_t>(sizeof(float));
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"matmul_f32." #tier, Verify, ScratchBytes, nullptr, RunTier<plain::MatMulF32>, 1u << 2},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string MatMulF32Kernel(Isa isa) { return absl::StrCat("matmul_f32.", IsaName(isa)); }
void RegisterMatMulF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
