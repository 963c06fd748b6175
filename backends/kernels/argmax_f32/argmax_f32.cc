#include "backends/kernels/argmax_f32/argmax_f32.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

namespace {

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ArgMaxF32Params), 2, 2));
  const ArgMaxF32Params p = runtime::ParamsOf<ArgMaxF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, 4, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 8, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank", p.in.rank, 1, kMaxViewRank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the output", p.out.rank, p.in.rank, p.in.rank));
  OMKIT_RETURN_IF_ERROR(VerifyRange("axis", p.axis, 0, p.in.rank - 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("minimum flag", p.minimum, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("last index flag", p.select_last, 0, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("reduced dimension", p.in.dims[p.axis], 1, int64_t{1} << 40));
  for (int i = 0; i < p.in.rank; ++i) {
    const int64_t kept = i == p.axis ? 1 : p.in.dims[i];
    OMKIT_RETURN_IF_ERROR(VerifyRange("output dimension", p.out.dims[i], kept, kept));
  }
  return absl::OkStatus();
}

int64_t BestIndex(const float* in, int64_t count, int64_t stride, float sign, bool last) {
  int64_t best = 0;
  float top = in[0] * sign;
  for (int64_t i = 1; i < count; ++i) {
    const float v = in[i * stride] * sign;
    if (v > top || (last && v == top) || (top != top && v == v)) {
      top = v;
      best = i;
    }
  }
  return best;
}

void Run(const KernelArgs& args) {
  ArgMaxF32Params p;
  LoadParams(args, &p);
  const Part part = SplitWork(p.out.elements(), 1, args.thread, args.threads);
  for (int64_t at = part.begin; at < part.end; ++at) {
    const float* in = static_cast<const float*>(args.operands[0]) + p.in.offset;
    char* out = static_cast<char*>(args.operands[1]) + p.out.offset * 8;
    int64_t rest = at;
    for (int i = p.out.rank - 1; i >= 0; --i) {
      in += rest % p.out.dims[i] * p.in.strides[i];
      out += rest % p.out.dims[i] * p.out.strides[i] * 8;
      rest /= p.out.dims[i];
    }
    const int64_t index = BestIndex(in, p.in.dims[p.axis], p.in.strides[p.axis], p.minimum ? -1.0f : 1.0f, p.select_last);
    std::memcpy(out, &index, sizeof index);
  }
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa) {"argmax_f32." #tier, Verify, nullptr, nullptr, RunTier<Run>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string ArgMaxF32Kernel(Isa isa) { return absl::StrCat("argmax_f32.", IsaName(isa)); }
void RegisterArgMaxF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
