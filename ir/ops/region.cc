// Operators that read an image between its pixels along learned places: RoiAlign of ONNX 22 and DeformConv of ONNX 22 (two spatial
// dimensions); computed in double.
//
// RoiAlign: attribute coordinate_transformation_mode as in opset 16 (the importer sets output_half_pixel for older ones). In mode max a
// sample counts with its largest weighted corner.
// DeformConv: inputs x, w, offset, optional bias, optional mask.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"
#include "ir/ops/window.h"

namespace omkit::ir {
namespace {

// The four pixels around a point of a plane with their weights.
struct Corners {
  int64_t at[4];
  double weight[4];
};

Corners CornersAt(double y, double x, int64_t height, int64_t width) {
  y = std::max(y, 0.0), x = std::max(x, 0.0);
  auto top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
  int64_t bottom = top + 1, right = left + 1;
  if (top >= height - 1) bottom = top = height - 1, y = static_cast<double>(top);
  if (left >= width - 1) right = left = width - 1, x = static_cast<double>(left);
  const double ly = y - static_cast<double>(top), lx = x - static_cast<double>(left);
  return {{top * width + left, top * width + right, bottom * width + left, bottom * width + right},
          {(1 - ly) * (1 - lx), (1 - ly) * lx, ly * (1 - lx), ly * lx}};
}

struct RoiForm {
  int64_t height, width, sampling;
  double scale;
  bool half_pixel, max;
};

absl::StatusOr<RoiForm> ReadRoiForm(const Attrs& attrs) {
  RoiForm f;
  f.height = attrs.Int("output_height", 1);
  f.width = attrs.Int("output_width", 1);
  f.sampling = attrs.Int("sampling_ratio", 0);
  f.scale = attrs.Float("spatial_scale", 1);
  const std::string mode = attrs.String("mode", "avg"), coordinates = attrs.String("coordinate_transformation_mode", "half_pixel");
  f.max = mode == "max";
  f.half_pixel = coordinates == "half_pixel";
  constexpr int64_t kMost = 1 << 16, kMostRatio = 256;  // detectors have 0 to 4; the samples of a bin are its square
  if (f.height < 1 || f.width < 1 || f.height > kMost || f.width > kMost || f.sampling < 0 || f.sampling > kMostRatio || !std::isfinite(f.scale)) {
    return absl::InvalidArgumentError(
        absl::StrCat("an output of ", f.height, "x", f.width, " with sampling_ratio ", f.sampling, "; limits are ", kMost, " and ", kMostRatio));
  }
  if (mode != "avg" && mode != "max") return absl::InvalidArgumentError(absl::StrCat("attribute mode is '", mode, "', allowed are avg and max"));
  if (!f.half_pixel && coordinates != "output_half_pixel") {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute coordinate_transformation_mode is '", coordinates, "', allowed are half_pixel and output_half_pixel"));
  }
  return f;
}

// Samples of one bin of one region, on every channel.
void RoiBin(const RoiForm& f, const double* image, int64_t channels, int64_t height, int64_t width, double y0, double x0, double step_y,
            double step_x, int64_t rows, int64_t columns, double* out, int64_t out_step) {
  const double fresh = f.max ? -std::numeric_limits<double>::infinity() : 0;
  for (int64_t c = 0; c < channels; ++c) out[c * out_step] = fresh;
  for (int64_t iy = 0; iy < rows; ++iy) {
    for (int64_t ix = 0; ix < columns; ++ix) {
      const double y = y0 + (static_cast<double>(iy) + 0.5) * step_y, x = x0 + (static_cast<double>(ix) + 0.5) * step_x;
      const bool outside = !(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width));
      const Corners corners = outside ? Corners{{0, 0, 0, 0}, {0, 0, 0, 0}} : CornersAt(y, x, height, width);
      for (int64_t c = 0; c < channels; ++c) {
        const double* plane = image + c * height * width;
        double& v = out[c * out_step];
        for (int k = 0; k < 4; ++k) v = f.max ? std::max(v, corners.weight[k] * plane[corners.at[k]]) : v + corners.weight[k] * plane[corners.at[k]];
      }
    }
  }
  const double count = static_cast<double>(std::max<int64_t>(rows * columns, 1));
  for (int64_t c = 0; c < channels; ++c) {
    double& v = out[c * out_step];
    if (f.max && v == fresh) v = 0;
    if (!f.max) v /= count;
  }
}

struct DeformForm {
  Window window;
  int64_t group, offset_group;
};

absl::StatusOr<DeformForm> ReadDeformForm(const Attrs& attrs, const Shape& x, const Shape& w) {
  DeformForm f;
  f.group = attrs.Int("group", 1);
  f.offset_group = attrs.Int("offset_group", 1);
  OMKIT_ASSIGN_OR_RETURN(f.window, ResolveWindow(attrs, w.dims().subspan(2), x.dims().subspan(2), false));
  if (f.group < 1 || f.offset_group < 1 || w.dim(0) % f.group != 0 || Conflict(x.dim(1), w.dim(1) * f.group) ||
      (x.dim(1) != kUnknownDim && x.dim(1) % f.offset_group != 0)) {
    return absl::InvalidArgumentError(absl::StrCat("x ", x.ToString(), ", w ", w.ToString(), ", group ", f.group, ", offset_group ", f.offset_group));
  }
  return f;
}

}  // namespace

absl::Status InferRoiAlign(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 2));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 4, 4));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 2, 2));
  OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 2, ctx.shape(1).dim(0)));
  if (Conflict(ctx.shape(1).dim(1), 4)) return absl::InvalidArgumentError(absl::StrCat("rois has shape ", ctx.shape(1).ToString(), ", expected Rx4"));
  OMKIT_ASSIGN_OR_RETURN(const RoiForm f, ReadRoiForm(ctx.attrs()));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape{ctx.shape(1).dim(0), ctx.shape(0).dim(1), f.height, f.width});
}

absl::Status EvalRoiAlign(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const RoiForm f, ReadRoiForm(ctx.attrs));
  const Shape& shape = ctx.input(0).shape();
  const int64_t channels = shape.dim(1), height = shape.dim(2), width = shape.dim(3), bins = f.height * f.width;
  const std::vector<double> x = ReadReals(ctx.input(0)), rois = ReadReals(ctx.input(1));
  std::vector<double> y(ctx.output(0).elements());
  const double offset = f.half_pixel ? 0.5 : 0;
  for (int64_t r = 0; r < ctx.input(2).elements(); ++r) {
    const int64_t image = IntegerAt(ctx.input(2), r);
    if (image < 0 || image >= shape.dim(0))
      return absl::InvalidArgumentError(absl::StrCat("batch_indices holds ", image, " for ", shape.dim(0), " images"));
    const double x1 = rois[r * 4] * f.scale - offset, y1 = rois[r * 4 + 1] * f.scale - offset;
    double roi_width = rois[r * 4 + 2] * f.scale - offset - x1, roi_height = rois[r * 4 + 3] * f.scale - offset - y1;
    if (!f.half_pixel) roi_width = std::max(roi_width, 1.0), roi_height = std::max(roi_height, 1.0);
    const double bin_h = roi_height / static_cast<double>(f.height), bin_w = roi_width / static_cast<double>(f.width);
    constexpr double kMostSamples = 1024;
    if (!(bin_h < kMostSamples && bin_w < kMostSamples))
      return absl::InvalidArgumentError(absl::StrCat("region ", r, " is ", roi_height, "x", roi_width, " pixels"));
    const int64_t rows = f.sampling > 0 ? f.sampling : std::max<int64_t>(static_cast<int64_t>(std::ceil(bin_h)), 0);
    const int64_t columns = f.sampling > 0 ? f.sampling : std::max<int64_t>(static_cast<int64_t>(std::ceil(bin_w)), 0);
    for (int64_t b = 0; b < bins && height > 0 && width > 0; ++b) {
      const double y0 = y1 + static_cast<double>(b / f.width) * bin_h, x0 = x1 + static_cast<double>(b % f.width) * bin_w;
      RoiBin(f, x.data() + image * channels * height * width, channels, height, width, y0, x0, rows > 0 ? bin_h / static_cast<double>(rows) : 0,
             columns > 0 ? bin_w / static_cast<double>(columns) : 0, rows, columns, y.data() + r * channels * bins + b, bins);
    }
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferDeformConv(InferContext& ctx) {
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    if (ctx.has_input(i)) OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
  }
  if (ctx.shape(0).rank() != 4)
    return absl::UnimplementedError(absl::StrCat("input 0 has shape ", ctx.shape(0).ToString(), "; only images are supported"));
  for (int i : {1, 2, 4}) {
    if (ctx.has_input(i)) OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, i, 4, 4));
  }
  if (!ctx.shape(1).IsStatic()) return absl::InvalidArgumentError(absl::StrCat("the weight has unknown dimensions: ", ctx.shape(1).ToString()));
  OMKIT_ASSIGN_OR_RETURN(const DeformForm f, ReadDeformForm(ctx.attrs(), ctx.shape(0), ctx.shape(1)));
  const Window& w = f.window;
  const Shape places{ctx.shape(0).dim(0), f.offset_group * w.taps() * 2, w.out[1], w.out[2]};
  const Shape masks{ctx.shape(0).dim(0), f.offset_group * w.taps(), w.out[1], w.out[2]};
  for (int i : {2, 4}) {
    if (!ctx.has_input(i)) continue;
    const Shape& wanted = i == 2 ? places : masks;
    for (int d = 0; d < 4; ++d) {
      if (Conflict(ctx.shape(i).dim(d), wanted.dim(d))) {
        return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", ctx.shape(i).ToString(), ", expected ", wanted.ToString()));
      }
    }
  }
  if (ctx.has_input(3)) OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 3, ctx.shape(1).dim(0)));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape{ctx.shape(0).dim(0), ctx.shape(1).dim(0), w.out[1], w.out[2]});
}

absl::Status EvalDeformConv(const EvalContext& ctx) {
  const Shape& in = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const DeformForm f, ReadDeformForm(ctx.attrs, in, ctx.input(1).shape()));
  const Window& w = f.window;
  const int64_t channels = in.dim(1), height = in.dim(2), width = in.dim(3), outputs = ctx.input(1).shape().dim(0), taps = w.taps();
  const int64_t pixels = w.out_size(), per_group = channels / f.group, outs_per_group = outputs / f.group, per_place = channels / f.offset_group;
  const std::vector<double> x = ReadReals(ctx.input(0)), weight = ReadReals(ctx.input(1)), offset = ReadReals(ctx.input(2));
  std::vector<double> mask, bias(outputs, 0.0), y(ctx.output(0).elements()), column(channels * taps);
  if (ctx.has_input(3)) bias = ReadReals(ctx.input(3));
  if (ctx.has_input(4)) mask = ReadReals(ctx.input(4));
  for (int64_t n = 0; n < in.dim(0); ++n) {
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        const double* plane = x.data() + (n * channels + c) * height * width;
        for (int64_t t = 0; t < taps; ++t) {
          const int64_t place = (n * f.offset_group + c / per_place) * taps + t;
          const double dy =
              static_cast<double>(p / w.out[2] * w.stride[1] - w.pad_begin[1] + t / w.kernel[2] * w.dilation[1]) + offset[place * 2 * pixels + p];
          const double dx = static_cast<double>(p % w.out[2] * w.stride[2] - w.pad_begin[2] + t % w.kernel[2] * w.dilation[2]) +
                            offset[(place * 2 + 1) * pixels + p];
          double v = 0;
          if (dy > -1 && dy < static_cast<double>(height) && dx > -1 && dx < static_cast<double>(width)) {
            // Outside the image lies zero.
            const double top = std::floor(dy), left = std::floor(dx);
            for (int k = 0; k < 4; ++k) {
              const double py = top + k / 2, px = left + k % 2;
              if (py < 0 || px < 0 || py >= static_cast<double>(height) || px >= static_cast<double>(width)) continue;
              v += (1 - std::fabs(dy - py)) * (1 - std::fabs(dx - px)) * plane[static_cast<int64_t>(py) * width + static_cast<int64_t>(px)];
            }
          }
          column[c * taps + t] = mask.empty() ? v : v * mask[place * pixels + p];
        }
      }
      for (int64_t o = 0; o < outputs; ++o) {
        const double* values = column.data() + o / outs_per_group * per_group * taps;
        const double* factors = weight.data() + o * per_group * taps;
        double sum = bias[o];
        for (int64_t k = 0; k < per_group * taps; ++k) sum += values[k] * factors[k];
        y[(n * outputs + o) * pixels + p] = sum;
      }
    }
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
