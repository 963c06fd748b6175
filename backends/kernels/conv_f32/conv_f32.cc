#include "backends/kernels/conv_f32/conv_f32.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_f32/verify.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)      \
  namespace plain {                       \
  void ConvF32(const KernelArgs& args);   \
  void ConvF32W8(const KernelArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr int64_t kPanel = 16;

absl::Status Verify(const runtime::Step& step) { return VerifyConvF32(step, ConvF32Form::kFloat); }
absl::Status VerifyW8(const runtime::Step& step) { return VerifyConvF32(step, ConvF32Form::kInt8Weights); }

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain)                                               \
  {"conv_f32." #tier, Verify, nullptr, nullptr, RunTier<plain::ConvF32>, 1u << 3}, \
      {"conv_f32w8." #tier, VerifyW8, nullptr, nullptr, RunTier<plain::ConvF32W8>, 1u << 3},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

template <typename Weight>
std::vector<uint8_t> PackPanels(const Weight* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups) {
  const int64_t oc_per_group = oc / groups, panels = CeilDiv(oc_per_group, kPanel), taps = kernel_h * kernel_w;
  std::vector<uint8_t> packed(groups * panels * taps * ic_per_group * kPanel * sizeof(Weight));
  for (int64_t o = 0; o < oc; ++o) {
    const int64_t group = o / oc_per_group, within = o % oc_per_group;
    const int64_t panel = (group * panels + within / kPanel) * taps * ic_per_group;
    for (int64_t i = 0; i < ic_per_group; ++i) {
      for (int64_t t = 0; t < taps; ++t) {
        const int64_t to = (panel + t * ic_per_group + i) * kPanel + within % kPanel;
        std::memcpy(&packed[to * sizeof(Weight)], &w[(o * ic_per_group + i) * taps + t], sizeof(Weight));
      }
    }
  }
  return packed;
}

}  // namespace

std::string ConvF32Kernel(Isa isa) { return absl::StrCat("conv_f32.", IsaName(isa)); }
std::string ConvF32W8Kernel(Isa isa) { return absl::StrCat("conv_f32w8.", IsaName(isa)); }

std::vector<uint8_t> PackConvF32Weights(Isa /*isa*/, const float* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                        int64_t groups) {
  return PackPanels(w, oc, ic_per_group, kernel_h, kernel_w, groups);
}

std::vector<uint8_t> PackConvF32W8Weights(Isa /*isa*/, const int8_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w,
                                          int64_t groups) {
  return PackPanels(w, oc, ic_per_group, kernel_h, kernel_w, groups);
}

void RegisterConvF32Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
