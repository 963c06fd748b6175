#include "backends/kernels/aipp/aipp.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "backends/kernels/aipp/plan.h"
#include "backends/kernels/aipp/prepare.h"
#include "backends/kernels/registration.h"
#include "base/aipp.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

#define OMKIT_TIER(tier, isa, plain)                             \
  namespace plain {                                              \
  void AippRows(const AippPlan& plan, const AippRowsArgs& args); \
  }
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER

namespace {

constexpr int64_t kPlanBytes = RoundUp(sizeof(AippPlan), 64);

aipp::Stage StageOf(const AippParams& p) {
  aipp::Stage stage;
  stage.dynamic = p.dynamic != 0;
  stage.max_src_image_size = p.max_src_image_size;
  stage.batch = p.out.dims[0];
  stage.height = p.out.dims[1];
  stage.width = p.out.dims[2];
  stage.channels = p.out.dims[3];
  stage.spec = p.spec;
  return stage;
}

absl::Status VerifyOutput(const AippParams& p, const runtime::Operand& operand) {
  OMKIT_RETURN_IF_ERROR(VerifyRange("rank of the output", p.out.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyRange("kind of output", static_cast<int32_t>(p.output), 0, 2));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, p.output == AippOutput::kFloat ? 4 : 1, operand));
  if (p.spare_byte == 0) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(VerifyRange("channels in front of a spare byte", p.out.dims[3], 3, 3));
  View whole = p.out;
  whole.dims[3] = 4;
  return VerifyOperandView("output with its spare bytes", whole, 1, operand);
}

template <bool kDynamic>
absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(AippParams), 2 + kDynamic, 2 + kDynamic));
  const AippParams p = runtime::ParamsOf<AippParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyRange("dynamic", p.dynamic, kDynamic, kDynamic));
  OMKIT_RETURN_IF_ERROR(VerifyOutput(p, step.operands.back()));
  const aipp::Stage stage = StageOf(p);
  OMKIT_RETURN_IF_ERROR(aipp::Check(stage));
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("images", step.operands[0], aipp::SourceBytes(stage)));
  if (stage.dynamic) OMKIT_RETURN_IF_ERROR(VerifyOperandSize("parameters", step.operands[1], aipp::DynamicBytes(stage.batch)));
  if (p.output != AippOutput::kU8) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(VerifyRange("zero point", p.zero_point, 0, 255));
  if (p.scale > 0 && std::isfinite(p.scale)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("scale is ", p.scale, ", expected a positive finite number"));
}

int64_t ScratchBytes(const runtime::Step& step) {
  const AippParams p = runtime::ParamsOf<AippParams>(step);
  return p.dynamic != 0 ? kPlanBytes + AippRowScratch(p.out.dims[2]) : AippRowScratch(aipp::InnerSize(p.spec).w);
}

absl::StatusOr<std::shared_ptr<const void>> Prepare(const runtime::Step& step, void* const*) {
  const AippParams p = runtime::ParamsOf<AippParams>(step);
  if (p.dynamic != 0) return std::shared_ptr<const void>();
  return std::shared_ptr<const void>(MakeAippState(p).release(), [](const void* state) { delete static_cast<const AippState*>(state); });
}

// Each thread makes a run of rows; rows of all images are numbered through.
template <void (*Rows)(const AippPlan&, const AippRowsArgs&)>
void Run(const runtime::Step& step, const runtime::KernelContext& context) {
  const AippParams p = runtime::ParamsOf<AippParams>(step);
  auto* scratch = static_cast<uint8_t*>(context.scratch);
  const auto* images = static_cast<const uint8_t*>(context.operands[0]);
  const int64_t height = p.out.dims[1];
  const Part part = SplitWork(p.out.dims[0] * height, 1, context.thread, context.threads);
  const AippPlan* plan = p.dynamic != 0 ? nullptr : &static_cast<const AippState*>(context.state)->plan;
  for (int64_t n = part.begin / height; n * height < part.end; ++n) {
    if (p.dynamic != 0) {
      const absl::StatusOr<aipp::Spec> spec = aipp::DynamicImage(StageOf(p), static_cast<const uint8_t*>(context.operands[1]), n);
      if (!spec.ok()) return runtime::FailStep(context, spec.status().message());
      auto* own = reinterpret_cast<AippPlan*>(scratch);
      FillAippPlan(p, *spec, own);
      plan = own;
    }
    AippRowsArgs args = {};
    args.image = images + n * plan->image_bytes;
    args.out = static_cast<uint8_t*>(context.operands[step.operands.size() - 1]) + (p.out.offset + n * p.out.strides[0]) * p.out.element_size;
    args.row_stride = p.out.strides[1];
    args.pixel_stride = p.out.strides[2];
    args.channel_stride = p.out.strides[3];
    args.spare_byte = p.spare_byte;
    args.row_begin = n * height > part.begin ? 0 : part.begin - n * height;
    args.row_end = (n + 1) * height < part.end ? height : part.end - n * height;
    args.scratch = scratch + (p.dynamic != 0 ? kPlanBytes : 0);
    Rows(*plan, args);
  }
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain)                                                    \
  {"aipp." #tier, Verify<false>, ScratchBytes, Prepare, Run<plain::AippRows>, 1u << 1}, \
      {"aipp_dynamic." #tier, Verify<true>, ScratchBytes, Prepare, Run<plain::AippRows>, 1u << 2},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string AippKernel(Isa isa, bool dynamic) { return absl::StrCat(dynamic ? "aipp_dynamic." : "aipp.", IsaName(isa)); }
void RegisterAippKernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
