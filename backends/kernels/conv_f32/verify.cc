#include "backends/kernels/conv_f32/verify.h"

#include <algorithm>

#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kMaxWindow = 1 << 20;
constexpr int64_t kMaxChannels = int64_t{1} << 31;

absl::Status VerifyWindow(const ConvF32Params& p) {
  OMKIT_RETURN_IF_ERROR(VerifyRange("kernel height", p.kernel_h, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("kernel width", p.kernel_w, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("vertical stride", p.stride_h, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("horizontal stride", p.stride_w, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("vertical dilation", p.dilation_h, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("horizontal dilation", p.dilation_w, 1, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("top padding", p.pad_top, 0, kMaxWindow));
  OMKIT_RETURN_IF_ERROR(VerifyRange("left padding", p.pad_left, 0, kMaxWindow));
  return VerifyRange("residual flag", p.has_residual, 0, 1);
}

absl::Status VerifyImages(const ConvF32Params& p, const runtime::Step& step, size_t residual) {
  OMKIT_RETURN_IF_ERROR(VerifyRange("input rank", p.in.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyRange("output rank", p.out.rank, 4, 4));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, 4, step.operands[3]));
  OMKIT_RETURN_IF_ERROR(VerifyRange("channel stride of the input", p.in.strides[3], 1, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("channel stride of the output", p.out.strides[3], 1, 1));
  OMKIT_RETURN_IF_ERROR(VerifyRange("batch of the input", p.in.dims[0], p.out.dims[0], p.out.dims[0]));
  for (int i = 1; i < 4; ++i) OMKIT_RETURN_IF_ERROR(VerifyRange("input dimension", p.in.dims[i], 1, kMaxChannels));
  int64_t before[kMaxViewRank] = {0, p.pad_top, p.pad_left, 0};
  int64_t after[kMaxViewRank] = {};
  const int64_t reach_h = (p.out.dims[1] - 1) * p.stride_h - p.pad_top + int64_t{p.kernel_h - 1} * p.dilation_h;
  const int64_t reach_w = (p.out.dims[2] - 1) * p.stride_w - p.pad_left + int64_t{p.kernel_w - 1} * p.dilation_w;
  after[1] = std::max<int64_t>(0, reach_h - (p.in.dims[1] - 1));
  after[2] = std::max<int64_t>(0, reach_w - (p.in.dims[2] - 1));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input with its halo", p.in, 4, step.operands[0], before, after));
  if (!p.has_residual) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(VerifySameDims("residual and output", p.residual, p.out));
  OMKIT_RETURN_IF_ERROR(VerifyRange("channel stride of the residual", p.residual.strides[3], 1, 1));
  return VerifyOperandView("residual", p.residual, 4, step.operands[residual]);
}

}  // namespace

absl::Status VerifyConvF32(const runtime::Step& step, ConvF32Form form) {
  const bool scaled = form == ConvF32Form::kInt8Weights;
  const size_t plain = scaled ? 5 : 4;  // operands without a residual
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ConvF32Params), plain, plain + 1));
  const ConvF32Params p = runtime::ParamsOf<ConvF32Params>(step);
  OMKIT_RETURN_IF_ERROR(VerifyWindow(p));
  OMKIT_RETURN_IF_ERROR(VerifyRange("number of operands", step.operands.size(), plain + p.has_residual, plain + p.has_residual));
  OMKIT_RETURN_IF_ERROR(VerifyImages(p, step, plain));
  const int64_t ic = p.in.dims[3], oc = p.out.dims[3];
  OMKIT_RETURN_IF_ERROR(VerifyRange("output channels", oc, 1, kMaxChannels));
  OMKIT_RETURN_IF_ERROR(VerifyRange("groups", p.groups, 1, ic));
  CheckedSize weights = CheckedSize(p.kernel_h) * p.kernel_w * (scaled ? 1 : sizeof(float));
  if (form == ConvF32Form::kDepthwise) {
    OMKIT_RETURN_IF_ERROR(VerifyRange("groups of a depthwise convolution", p.groups, ic, ic));
    OMKIT_RETURN_IF_ERROR(VerifyRange("output channels of a depthwise convolution", oc, ic, ic));
    weights = weights * ic;
  } else {
    OMKIT_RETURN_IF_ERROR(VerifyRange("input channels modulo groups", ic % p.groups, 0, 0));
    OMKIT_RETURN_IF_ERROR(VerifyRange("output channels modulo groups", oc % p.groups, 0, 0));
    weights = weights * (ic / p.groups) * p.groups * RoundUp(oc / p.groups, 16);
  }
  if (form != ConvF32Form::kBFloat16) {
    OMKIT_RETURN_IF_ERROR(VerifyOperandSize("packed weights", step.operands[1], weights.ok() ? weights.value() : -1));
  }
  if (scaled) OMKIT_RETURN_IF_ERROR(VerifyOperandSize("scales", step.operands[4], RoundUp(oc, 64) * sizeof(float)));
  return VerifyOperandSize("bias", step.operands[2], RoundUp(oc, 64) * sizeof(float));
}

}  // namespace omkit::kernels
