#include "backends/kernels/attention_u8/attention_u8.h"

#include "absl/strings/str_cat.h"
#include "backends/kernels/attention_u8/scratch.h"
#include "backends/kernels/attention_u8/strip.h"
#include "backends/kernels/attention_u8/walk.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/matmul_u8/products.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain) \
  namespace plain {                  \
  void ScoreU8(const Strip& strip);  \
  void ShareU8(const Strip& strip);  \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status VerifyHeads(absl::string_view what, const View& view, int64_t batch, int64_t heads, int64_t rows, int64_t columns) {
  OMKIT_RETURN_IF_ERROR(VerifyRange(absl::StrCat("rank of the ", what), view.rank, 4, 4));
  const int64_t dims[] = {batch, heads, rows, columns};
  for (int i = 0; i < 4; ++i) OMKIT_RETURN_IF_ERROR(VerifyRange(absl::StrCat("dimension ", i, " of the ", what), view.dims[i], dims[i], dims[i]));
  return absl::OkStatus();
}

absl::Status VerifyMask(const AttentionU8Params& p, const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyRange("kind of mask", static_cast<int32_t>(p.masking), 0, 3));
  const bool masked = p.masking != ScoreMask::kNone;
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(AttentionU8Params), masked ? 5 : 4, masked ? 5 : 4));
  if (!masked) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("mask", p.mask, p.masking == ScoreMask::kAdded ? 4 : 1, step.operands[4]));
  return VerifyHeads("mask", p.mask, p.q.dims[0], p.q.dims[1], p.q.dims[2], p.k.dims[2]);
}

absl::Status VerifyNumbers(const AttentionU8Params& p) {
  for (const int32_t zero : {p.q_zero, p.k_zero, p.v_zero, p.score_zero, p.share_zero, p.out_zero})
    OMKIT_RETURN_IF_ERROR(VerifyRange("zero point", zero, 0, 255));
  OMKIT_RETURN_IF_ERROR(VerifyRange("form of the scores", p.rounds_scores, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("form of the output", p.float_output, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("lower clamp", p.clamp_min, 0, 255));
  return VerifyRange("upper clamp", p.clamp_max, p.clamp_min, 255);
}

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(AttentionU8Params), 4, 5));
  const AttentionU8Params p = runtime::ParamsOf<AttentionU8Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyNumbers(p));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("queries", p.q, 1, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("keys", p.k, 1, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("values", p.v, 1, step.operands[2]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, p.float_output ? 4 : 1, step.operands[3]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the queries", p.q.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the keys", p.k.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the values", p.v.rank, 4, 4));
  const int64_t batch = p.q.dims[0], heads = p.q.dims[1], rows = p.q.dims[2], size = p.q.dims[3], keys = p.k.dims[2], values = p.v.dims[3];
  OMKIT_RETURN_IF_ERROR(VerifyHeads("keys", p.k, batch, heads, keys, size));
  OMKIT_RETURN_IF_ERROR(VerifyHeads("values", p.v, batch, heads, keys, values));
  OMKIT_RETURN_IF_ERROR(VerifyHeads("output", p.out, batch, heads, rows, values));
  for (const int64_t dim : {batch, heads, rows, values}) OMKIT_RETURN_IF_ERROR(VerifyRange("dimension", dim, 1, int64_t{1} << 40));
  OMKIT_RETURN_IF_ERROR(VerifyRange("head size", size, 1, kLongestMatMulU8));
  OMKIT_RETURN_IF_ERROR(VerifyRange("number of keys", keys, 1, kLongestMatMulU8));
  OMKIT_RETURN_IF_ERROR(VerifyRange("last stride of the queries", p.q.strides[3], 1, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("last stride of the output", p.out.strides[3], 1, 1));
  OMKIT_RETURN_IF_ERROR(VerifyMask(p, step));
  // Keys and values whose elements share memory would take more when packed.
  for (int i = 1; i <= 2; ++i) {
    const View& view = i == 1 ? p.k : p.v;
    if (!(CheckedSize(keys) * view.dims[3]).FitsIn(static_cast<int64_t>(step.operands[i].size))) {
      return absl::InvalidArgumentError(
          absl::StrCat("a head of ", keys, "x", view.dims[3], " elements in operand ", i, " of ", step.operands[i].size, " bytes"));
    }
  }
  return absl::OkStatus();
}

int64_t ScratchBytes(const runtime::Step& step) { return ScratchOf(runtime::ParamsOf<AttentionU8Params>(step)).bytes; }

// Softmax is shared by tiers that differ in dot products; the products are each tier's own.
template <auto Pack, auto Terms, auto Multiply, auto Score, auto Share>
void Run(const runtime::Step& step, const runtime::KernelContext& context) {
  WalkAttentionU8({step.params.data(), context.operands, context.scratch, context.state, context.thread, context.threads}, {Pack, Terms, Multiply},
                  {Score, Share});
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain)                                                                        \
  {"attention_u8." #tier,                                                                                   \
   Verify,                                                                                                  \
   ScratchBytes,                                                                                            \
   nullptr,                                                                                                 \
   Run<tier::PackMatMulU8, tier::RowTermsMatMulU8, tier::MultiplyMatMulU8, plain::ScoreU8, plain::ShareU8>, \
   1u << 3},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string AttentionU8Kernel(Isa isa) { return absl::StrCat("attention_u8.", IsaName(isa)); }
void RegisterAttentionU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
