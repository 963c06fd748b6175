#include "backends/kernels/conv_bf16/conv_bf16.h"

#include <cstring>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_bf16/plan.h"
#include "backends/kernels/conv_f32/verify.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/cpu_tiers.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)   \
  namespace plain {                    \
  extern const ConvBf16Code kConvBf16; \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr int64_t kPanel = 16;
constexpr double kMostValues = 1 << 28;  // what no real layer comes near

#if defined(__x86_64__)
// The operating system saves 512-bit registers where the avx512vnni row runs at all.
const bool kHasVdpbf16ps = Has(Cpuid(7, 1).eax, 5);
#endif

template <Isa isa>
const ConvBf16Code& CodeOr(const ConvBf16Code& own) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512Vnni && !kHasVdpbf16ps) return avx2::kConvBf16;
#endif
  return own;
}

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyConvF32(step, ConvF32Form::kBFloat16));
  const ConvF32Params p = runtime::ParamsOf<ConvF32Params>(step);
  const Unit unit = UnitOf(p.in.dims[3] / p.groups, p.kernel_w);
  const CheckedSize weights = CheckedSize(p.kernel_h) * (unit.joined ? 1 : p.kernel_w) * unit.pairs * 2 * sizeof(uint16_t) * p.groups *
                              RoundUp(p.out.dims[3] / p.groups, kPanel);
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("packed weights", step.operands[1], weights.ok() ? weights.value() : -1));
  if (p.out.elements() == 0 || PlanConvBf16(p).values <= kMostValues) return absl::OkStatus();
  return absl::InvalidArgumentError("the input of a few output pixels is too large to be packed as bfloat16");
}

// Four bytes for each value, as the avx2 code packs them, which may stand in for another.
int64_t ScratchBytes(const runtime::Step& step) {
  const ConvF32Params p = runtime::ParamsOf<ConvF32Params>(step);
  return p.out.elements() == 0 ? 0 : static_cast<int64_t>(PlanConvBf16(p).values) * static_cast<int64_t>(sizeof(Cell));
}

absl::StatusOr<std::shared_ptr<const void>> Prepare(const runtime::Step& step, void* const* /*operands*/) {
  const ConvF32Params p = runtime::ParamsOf<ConvF32Params>(step);
  return std::make_shared<const ConvBf16Plan>(p.out.elements() == 0 ? ConvBf16Plan() : PlanConvBf16(p));
}

template <Isa isa, const ConvBf16Code& code>
void Run(const runtime::Step& step, const runtime::KernelContext& context) {
  RunConvBf16(CodeOr<isa>(code), *static_cast<const ConvBf16Plan*>(context.state),
              {step.params.data(), context.operands, context.scratch, context.state, context.thread, context.threads});
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"conv_bf16." #tier, Verify, ScratchBytes, Prepare, Run<isa, plain::kConvBf16>, 1u << 3},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string ConvBf16Kernel(Isa isa) { return absl::StrCat("conv_bf16.", IsaName(isa)); }

std::vector<uint8_t> PackConvBf16Weights(const uint16_t* w, int64_t oc, int64_t ic_per_group, int64_t kernel_h, int64_t kernel_w, int64_t groups) {
  const Unit unit = UnitOf(ic_per_group, kernel_w);
  const int64_t oc_per_group = oc / groups, panels = CeilDiv(oc_per_group, kPanel), taps_x = unit.joined ? 1 : kernel_w;
  const int64_t length = unit.joined ? ic_per_group * kernel_w : ic_per_group;
  std::vector<uint16_t> packed(groups * panels * kernel_h * taps_x * unit.pairs * kPanel * 2, 0x8000);
  for (int64_t o = 0; o < oc; ++o) {
    const int64_t panel = o / oc_per_group * panels + o % oc_per_group / kPanel, lane = o % oc_per_group % kPanel;
    for (int64_t t = 0; t < kernel_h * taps_x; ++t) {
      for (int64_t i = 0; i < length; ++i) {
        const int64_t channel = i % ic_per_group, tap = unit.joined ? t * kernel_w + i / ic_per_group : t;
        uint16_t bits = w[(o * ic_per_group + channel) * kernel_h * kernel_w + tap];
        if ((bits & 0x7F80) == 0) bits &= 0x8000;  // denormal
        packed[(((panel * kernel_h * taps_x + t) * unit.pairs + i / 2) * kPanel + lane) * 2 + (i % 2 == 0 ? 1 : 0)] = bits;
      }
    }
  }
  std::vector<uint8_t> bytes(packed.size() * sizeof(uint16_t));
  std::memcpy(bytes.data(), packed.data(), bytes.size());
  return bytes;
}

void RegisterConvBf16Kernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
