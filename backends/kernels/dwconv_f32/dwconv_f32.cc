#include "backends/kernels/dwconv_f32/dwconv_f32.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_f32/verify.h"
#include "backends/kernels/registration.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)      \
  namespace plain {                       \
  void DwConvF32(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

absl::Status Verify(const runtime::Step& step) { return VerifyConvF32(step, ConvF32Form::kDepthwise); }

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"dwconv_f32." #tier, Verify, nullptr, nullptr, RunTier<plain::DwConvF32>, 1u << 3},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string DwConvF32Kernel(Isa isa) { return absl::StrCat("dwconv_f32.", IsaName(isa)); }

std::vector<uint8_t> PackDwConvF32Weights(Isa /*isa*/, const float* w, int64_t channels, int64_t kernel_h, int64_t kernel_w) {
  const int64_t taps = kernel_h * kernel_w;
  std::vector<uint8_t> packed(channels * taps * sizeof(float));
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < taps; ++t) std::memcpy(&packed[(t * channels + c) * sizeof(float)], &w[c * taps + t], sizeof(float));
  }
  return packed;
}

void RegisterDwConvF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
