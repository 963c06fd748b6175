#include "backends/kernels/attention_f32/attention_f32.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/attention_f32/scratch.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)         \
  namespace plain {                          \
  void AttentionF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status VerifyDims(absl::string_view what, const View& view, int64_t batch, int64_t heads, int64_t rows, int64_t columns) {
  OMKIT_RETURN_IF_ERROR(VerifyRange(absl::StrCat("rank of the ", what), view.rank, 4, 4));
  const int64_t dims[] = {batch, heads, rows, columns};
  for (int i = 0; i < 4; ++i) OMKIT_RETURN_IF_ERROR(VerifyRange(absl::StrCat("dimension ", i, " of the ", what), view.dims[i], dims[i], dims[i]));
  return absl::OkStatus();
}

absl::Status VerifyMask(const AttentionF32Params& p, const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyRange("kind of mask", static_cast<int32_t>(p.masking), 0, 2));
  const bool masked = p.masking != AttentionMask::kNone;
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(AttentionF32Params), masked ? 5 : 4, masked ? 5 : 4));
  if (!masked) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("mask", p.mask, p.masking == AttentionMask::kAdded ? 4 : 1, step.operands[4]));
  return VerifyDims("mask", p.mask, p.q.dims[0], p.q.dims[1], p.q.dims[2], p.k.dims[2]);
}

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(AttentionF32Params), 4, 5));
  const AttentionF32Params p = runtime::ParamsOf<AttentionF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("queries", p.q, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("keys", p.k, 4, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("values", p.v, 4, step.operands[2]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 4, step.operands[3]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the queries", p.q.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the keys", p.k.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the values", p.v.rank, 4, 4));
  const int64_t batch = p.q.dims[0], heads = p.q.dims[1], rows = p.q.dims[2], size = p.q.dims[3], keys = p.k.dims[2];
  OMKIT_RETURN_IF_ERROR(VerifyDims("keys", p.k, batch, p.k.dims[1], keys, size));
  OMKIT_RETURN_IF_ERROR(VerifyDims("values", p.v, batch, p.k.dims[1], keys, p.v.dims[3]));
  OMKIT_RETURN_IF_ERROR(VerifyDims("output", p.out, batch, heads, rows, p.v.dims[3]));
  for (const int64_t dim : {batch, heads, rows, size, keys, p.k.dims[1], p.v.dims[3]})
    OMKIT_RETURN_IF_ERROR(VerifyRange("dimension", dim, 1, int64_t{1} << 40));
  OMKIT_RETURN_IF_ERROR(VerifyRange("query heads beyond a multiple of the key heads", heads % p.k.dims[1], 0, 0));
  OMKIT_RETURN_IF_ERROR(VerifyRange("causal flag", p.causal, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("last stride of the queries", p.q.strides[3], 1, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("last stride of the output", p.out.strides[3], 1, 1));
  OMKIT_RETURN_IF_ERROR(VerifyMask(p, step));
  // Keys and values whose elements share memory would take more as panels.
  for (int i = 1; i <= 2; ++i) {
    const View& view = i == 1 ? p.k : p.v;
    if (!(CheckedSize(keys) * view.dims[3]).FitsIn(static_cast<int64_t>(step.operands[i].size / sizeof(float)))) {
      return absl::InvalidArgumentError(
          absl::StrCat("a head of ", keys, "x", view.dims[3], " elements in operand ", i, " of ", step.operands[i].size, " bytes"));
    }
  }
  return absl::OkStatus();
}

int64_t ScratchBytes(const runtime::Step& step) {
  return AttentionScratch(runtime::ParamsOf<AttentionF32Params>(step)).floats() * static_cast<int64_t>(sizeof(float));
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"attention_f32." #tier, Verify, ScratchBytes, nullptr, RunTier<plain::AttentionF32>, 1u << 3},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string AttentionF32Kernel(Isa isa) { return absl::StrCat("attention_f32.", IsaName(isa)); }
void RegisterAttentionF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
