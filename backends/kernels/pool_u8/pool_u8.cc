#include "backends/kernels/pool_u8/pool_u8.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)   \
  namespace plain {                    \
  void PoolU8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr int64_t kMaxImageDim = int64_t{1} << 24;
constexpr int64_t kMaxWindow = 1 << 12;

absl::Status VerifyImage(absl::string_view what, const View& view, const runtime::Operand& operand) {
  OMKIT_RETURN_IF_ERROR(VerifyOperandView(what, view, 1, operand));
  OMKIT_RETURN_IF_ERROR(VerifyRange(absl::StrCat("rank of ", what), view.rank, 4, 4));
  for (int i = 0; i < 4; ++i) OMKIT_RETURN_IF_ERROR(VerifyRange(absl::StrCat("dimension ", i, " of ", what), view.dims[i], 1, kMaxImageDim));
  return VerifyRange(absl::StrCat("channel stride of ", what), view.strides[3], 1, 1);
}

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(PoolU8Params), 2, 2));
  const PoolU8Params p = runtime::ParamsOf<PoolU8Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyImage("pool input", p.in, step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyImage("pool output", p.out, step.operands[1]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("batch of the output", p.out.dims[0], p.in.dims[0], p.in.dims[0]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("channels of the output", p.out.dims[3], p.in.dims[3], p.in.dims[3]));
  const struct {
    const char* what;
    int32_t value;
    int64_t min, max;
  } ranges[] = {
      {"kernel height", p.kernel_h, 1, kMaxImageDim},
      {"kernel width", p.kernel_w, 1, kMaxImageDim},
      {"stride height", p.stride_h, 1, kMaxImageDim},
      {"stride width", p.stride_w, 1, kMaxImageDim},
      {"dilation height", p.dilation_h, 1, kMaxImageDim},
      {"dilation width", p.dilation_w, 1, kMaxImageDim},
      {"top padding", p.pad_top, 0, kMaxImageDim},
      {"left padding", p.pad_left, 0, kMaxImageDim},
      {"bottom padding", p.pad_bottom, 0, kMaxImageDim},
      {"right padding", p.pad_right, 0, kMaxImageDim},
      {"input zero point", p.in_zero, 0, 255},
      {"output zero point", p.out_zero, 0, 255},
  };
  for (const auto& range : ranges) OMKIT_RETURN_IF_ERROR(VerifyRange(range.what, range.value, range.min, range.max));
  // Sums of 2^23 bytes and more could leave int32 or the exact range of float; longer windows also take unreasonable time.
  OMKIT_RETURN_IF_ERROR(VerifyRange("kernel area", static_cast<int64_t>(p.kernel_h) * p.kernel_w, 1, kMaxWindow * kMaxWindow / 2));
  if (p.average && (!(p.in_scale > 0) || !(p.out_scale > 0) || !std::isfinite(p.in_scale) || !std::isfinite(p.out_scale))) {
    return absl::InvalidArgumentError(
        absl::StrCat("scales of an average pool are ", p.in_scale, " and ", p.out_scale, ", expected positive numbers"));
  }
  return absl::OkStatus();
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"pool_u8." #tier, Verify, nullptr, nullptr, RunTier<plain::PoolU8>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string PoolU8Kernel(Isa isa) { return absl::StrCat("pool_u8.", IsaName(isa)); }
void RegisterPoolU8Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
