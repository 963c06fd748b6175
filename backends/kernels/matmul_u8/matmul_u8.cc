#include "backends/kernels/matmul_u8/matmul_u8.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/matmul_u8/products.h"
#include "backends/kernels/matmul_u8/walk.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(MatMulU8Params), 3, 3));
  const MatMulU8Params p = runtime::ParamsOf<MatMulU8Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyRange("form of the output", p.float_output, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("first operand", p.a, 1, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("second operand", p.b, 1, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, p.float_output ? 4 : 1, step.operands[2]));
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
  OMKIT_RETURN_IF_ERROR(VerifyRange("inner dimension", k, 0, kLongestMatMulU8));
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point of the first operand", p.a_zero, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point of the second operand", p.b_zero, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point of the output", p.out_zero, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("lower clamp", p.clamp_min, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("upper clamp", p.clamp_max, p.clamp_min, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("last stride of the first operand", p.a.strides[rank - 1], 1, 1));
  return VerifyRange("last stride of the output", p.out.strides[rank - 1], 1, 1);
}

// Column terms, row terms, packed columns. A verified M is bounded by the output's bytes, K by kLongestMatMulU8.
int64_t ScratchBytes(const runtime::Step& step) {
  const MatMulU8Params p = runtime::ParamsOf<MatMulU8Params>(step);
  if (p.out.elements() == 0) return 0;
  return RoundUp(4 * kPackedColumns + 4 * p.out.dims[p.out.rank - 2], 64) + RoundUp(p.a.dims[p.a.rank - 1], 8) * kPackedColumns;
}

template <auto Pack, auto Terms, auto Multiply>
void Run(const runtime::Step& step, const runtime::KernelContext& context) {
  WalkMatMulU8({step.params.data(), context.operands, context.scratch, context.state, context.thread, context.threads}, {Pack, Terms, Multiply});
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) \
  {"matmul_u8." #tier, Verify, ScratchBytes, nullptr, Run<tier::PackMatMulU8, tier::RowTermsMatMulU8, tier::MultiplyMatMulU8>, 1u << 2},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string MatMulU8Kernel(Isa isa) { return absl::StrCat("matmul_u8.", IsaName(isa)); }
void RegisterMatMulU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
