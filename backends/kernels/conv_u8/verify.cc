#include "backends/kernels/conv_u8/verify.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kMaxImageDim = int64_t{1} << 24;
constexpr int64_t kMaxTaps = 1 << 10;
constexpr int64_t kMaxRemainders = int64_t{1} << 24;

absl::Status VerifyImageDims(absl::string_view what, const View& view) {
  OMKIT_RETURN_IF_ERROR(VerifyRange(absl::StrCat("rank of ", what), view.rank, 4, 4));
  for (int i = 0; i < 4; ++i) OMKIT_RETURN_IF_ERROR(VerifyRange(absl::StrCat("dimension ", i, " of ", what), view.dims[i], 1, kMaxImageDim));
  return absl::OkStatus();
}

absl::Status VerifyChannelStride(absl::string_view what, const View& view) {
  return VerifyRange(absl::StrCat("channel stride of ", what), view.strides[3], 1, 1);
}

absl::Status VerifyNumbers(const ConvU8Params& p) {
  const struct {
    const char* what;
    int64_t value, min, max;
  } ranges[] = {
      {"kernel height", p.kernel_h, 1, kMaxTaps},
      {"kernel width", p.kernel_w, 1, kMaxTaps},
      {"stride height", p.stride_h, 1, kMaxImageDim},
      {"stride width", p.stride_w, 1, kMaxImageDim},
      {"dilation height", p.dilation_h, 1, kMaxImageDim},
      {"dilation width", p.dilation_w, 1, kMaxImageDim},
      {"top padding", p.pad_top, 0, kMaxImageDim},
      {"left padding", p.pad_left, 0, kMaxImageDim},
      {"groups", p.groups, 1, kMaxImageDim},
      {"float_output", p.float_output, 0, 1},
      {"has_residual", p.has_residual, 0, 1},
      {"has_table", p.has_table, 0, p.float_output ? 0 : 1},
      {"pixels of a chunk", p.chunk_pixels, 0, kMostChunkPixels},
      {"gathers_tails", p.gathers_tails, 0, 1},
      {"remainders", p.remainders, 0, kMaxRemainders},
      {"output zero point", p.out_zero, 0, 255},
      {"lower clamp", p.clamp_min, 0, 255},
      {"upper clamp", p.clamp_max, p.clamp_min, 255},
      {"residual zero point", p.residual_zero, 0, 255},
  };
  for (const auto& range : ranges) OMKIT_RETURN_IF_ERROR(VerifyRange(range.what, range.value, range.min, range.max));
  return absl::OkStatus();
}

// How far the taps of one axis reach outside [0, dim).
struct Reach {
  int64_t before, after;
};
Reach ReachOf(int64_t out_dim, int64_t stride, int64_t taps, int64_t dilation, int64_t pad, int64_t dim) {
  const int64_t last = (out_dim - 1) * stride + (taps - 1) * dilation - pad;
  return {pad, std::max<int64_t>(0, last - (dim - 1))};
}

}  // namespace

absl::Status VerifyConvU8Step(const runtime::Step& step, const ConvU8Params& p, int64_t readable_channels, bool may_write_planes) {
  OMKIT_RETURN_IF_ERROR(VerifyNumbers(p));
  const size_t remainders = ConvU8RemainderOperand(p), operands = remainders + (p.remainders > 0 ? 1 : 0);
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(ConvU8Params), operands, operands));
  OMKIT_RETURN_IF_ERROR(VerifyImageDims("convolution input", p.in));
  OMKIT_RETURN_IF_ERROR(VerifyImageDims("convolution output", p.out));
  OMKIT_RETURN_IF_ERROR(VerifyChannelStride("convolution input", p.in));
  const bool planes = may_write_planes && p.float_output && !p.has_residual && p.out.strides[2] == 1;
  if (!planes) OMKIT_RETURN_IF_ERROR(VerifyChannelStride("convolution output", p.out));
  OMKIT_RETURN_IF_ERROR(VerifyRange("batch of the output", p.out.dims[0], p.in.dims[0], p.in.dims[0]));
  const Reach rows = ReachOf(p.out.dims[1], p.stride_h, p.kernel_h, p.dilation_h, p.pad_top, p.in.dims[1]);
  const Reach columns = ReachOf(p.out.dims[2], p.stride_w, p.kernel_w, p.dilation_w, p.pad_left, p.in.dims[2]);
  const int64_t before[4] = {0, rows.before, columns.before, 0};
  const int64_t after[4] = {0, rows.after, columns.after, std::max<int64_t>(0, readable_channels - p.in.dims[3])};
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("convolution input", p.in, 1, step.operands[0], before, after));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("convolution output", p.out, p.float_output ? 4 : 1, step.operands[4]));
  if (p.has_residual) {
    OMKIT_RETURN_IF_ERROR(VerifyOperandView("convolution residual", p.residual, 1, step.operands[5]));
    OMKIT_RETURN_IF_ERROR(VerifySameDims("convolution residual and output", p.residual, p.out));
    OMKIT_RETURN_IF_ERROR(VerifyChannelStride("convolution residual", p.residual));
  }
  if (p.has_table) OMKIT_RETURN_IF_ERROR(VerifyOperandSize("table behind the convolution", step.operands[5 + p.has_residual], 256));
  const int64_t table_bytes = p.out.dims[3] * 4;
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("convolution bias", step.operands[2], table_bytes));
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("convolution multiplier", step.operands[3], table_bytes));
  for (size_t i = 1; i < operands; ++i) {
    if ((i <= 3 || i == remainders) && step.operands[i].space != runtime::Space::kWeights) {
      return absl::InvalidArgumentError(absl::StrCat("operand ", i, " of a convolution must be a constant of the model"));
    }
  }
  return absl::OkStatus();
}

}  // namespace omkit::kernels
