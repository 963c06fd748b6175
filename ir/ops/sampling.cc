// Reading images at computed places, as in ONNX: AffineGrid, GridSample (1 to 3 spatial dimensions) and Col2Im. Computed in double.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/axis_split.h"
#include "ir/ops/operand.h"
#include "ir/ops/window.h"

namespace omkit::ir {
namespace {

enum class Padding { kZeros, kBorder, kReflection };

struct GridModes {
  int taps = 2;  // per axis: 1 nearest, 2 linear, 4 cubic
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};

absl::StatusOr<GridModes> ReadGridModes(const Attrs& attrs) {
  GridModes m;
  const std::string mode = attrs.String("mode", "linear"), padding = attrs.String("padding_mode", "zeros");
  if (mode == "nearest") m.taps = 1;
  else if (mode == "cubic" || mode == "bicubic") m.taps = 4;
  else if (mode != "linear" && mode != "bilinear") {
    return absl::InvalidArgumentError(absl::StrCat("attribute mode is '", mode, "', allowed are nearest, linear and cubic"));
  }
  if (padding == "border") m.padding = Padding::kBorder;
  else if (padding == "reflection") m.padding = Padding::kReflection;
  else if (padding != "zeros") {
    return absl::InvalidArgumentError(absl::StrCat("attribute padding_mode is '", padding, "', allowed are zeros, border and reflection"));
  }
  m.align_corners = attrs.Int("align_corners", 0) != 0;
  return m;
}

// `x` mirrored at the borders until it lies between them.
double Reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  double from = std::fmod(std::fabs(x - low), 2 * range);
  if (from > range) from = 2 * range - from;
  return low + from;
}

// Pixels and weights along one axis; an index of -1 reads zero.
struct AxisTaps {
  std::array<int64_t, 4> index;
  std::array<double, 4> weight;
};

void CubicWeights(double t, std::array<double, 4>& w) {
  constexpr double a = -0.75;
  w[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
  w[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
  w[2] = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1;
  w[3] = ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a;
}

AxisTaps TapsAt(const GridModes& m, double coordinate, int64_t size) {
  const double n = static_cast<double>(size);
  const double low = m.align_corners ? 0 : -0.5, high = m.align_corners ? n - 1 : n - 0.5;
  double x = m.align_corners ? (coordinate + 1) / 2 * (n - 1) : ((coordinate + 1) * n - 1) / 2;
  // A coordinate that is no number reads like the upper left corner; far ones are brought near before they become integers.
  if (!std::isfinite(x)) x = low;
  if (m.padding == Padding::kReflection && (x < low || x > high)) x = Reflect(x, low, high);
  if (m.padding == Padding::kBorder) x = std::min(std::max(x, 0.0), n - 1);
  x = std::min(std::max(x, -4.0), n + 4);
  AxisTaps taps{{-1, -1, -1, -1}, {1, 0, 0, 0}};
  const double base = m.taps == 1 ? std::nearbyint(x) : std::floor(x) - (m.taps == 4 ? 1 : 0);
  if (m.taps == 2) taps.weight = {1 - (x - base), x - base, 0, 0};
  if (m.taps == 4) CubicWeights(x - std::floor(x), taps.weight);
  for (int k = 0; k < m.taps; ++k) {
    double at = base + k;
    if (m.padding == Padding::kBorder) at = std::min(std::max(at, 0.0), n - 1);
    // The reflected place is cut off, not rounded, as in the standard's own implementation.
    if (m.padding == Padding::kReflection && (at < low || at > high)) at = std::trunc(Reflect(at, low, high));
    if (at >= 0 && at < n) taps.index[k] = static_cast<int64_t>(at);
  }
  return taps;
}

absl::Status ReadCol2ImWindow(const Attrs& attrs, const std::vector<int64_t>& image, const std::vector<int64_t>& block, Window* window) {
  if (image.empty() || image.size() > kMaxSpatialRank || block.size() != image.size()) {
    return absl::UnimplementedError(
        absl::StrCat("an image of ", image.size(), " dimensions with blocks of ", block.size(), "; supported are 1 to 3"));
  }
  CheckedSize pixels = 1;
  for (int64_t dim : image) pixels = pixels * dim;
  if (!pixels.FitsIn(int64_t{1} << 40)) return absl::InvalidArgumentError(absl::StrCat("image_shape is ", Shape(image).ToString()));
  OMKIT_ASSIGN_OR_RETURN(*window, ResolveWindow(attrs, block, image, false));
  CheckedSize blocks = 1;
  for (int64_t dim : window->out) blocks = blocks * dim;
  if (!blocks.FitsIn(int64_t{1} << 40)) return absl::InvalidArgumentError("there are more than 2^40 blocks");
  return absl::OkStatus();
}

}  // namespace

absl::Status InferAffineGrid(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 3));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
  const int64_t spatial = ctx.shape(0).dim(1);
  if ((spatial != 2 && spatial != 3) || Conflict(ctx.shape(0).dim(2), spatial + 1)) {
    return absl::InvalidArgumentError(absl::StrCat("theta has shape ", ctx.shape(0).ToString(), ", expected Nx2x3 or Nx3x4"));
  }
  OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 1, spatial + 2));
  std::vector<int64_t> dims(spatial + 2, kUnknownDim);
  dims.front() = ctx.shape(0).dim(0);
  dims.back() = spatial;
  if (ctx.constant(1) != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> size, ctx.ConstantInts(1));
    if (Conflict(dims[0], size[0])) return absl::InvalidArgumentError(absl::StrCat("size asks for a batch of ", size[0], ", theta has ", dims[0]));
    for (int64_t d = 0; d < spatial; ++d) {
      if (size[2 + d] < 1) return absl::InvalidArgumentError(absl::StrCat("size holds ", size[2 + d]));
      dims[1 + d] = size[2 + d];
    }
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape(std::move(dims)));
}

absl::Status EvalAffineGrid(const EvalContext& ctx) {
  const Shape& out = ctx.output(0).shape();
  const int spatial = out.rank() - 2;
  const bool align = ctx.attrs.Int("align_corners", 0) != 0;
  const std::vector<double> theta = ReadReals(ctx.input(0));
  std::vector<double> y(ctx.output(0).elements());
  const std::vector<int64_t> strides = out.Strides();
  for (int64_t e = 0; e < static_cast<int64_t>(y.size()); ++e) {
    const double* row = theta.data() + (e / strides[0] * spatial + e % spatial) * (spatial + 1);
    double sum = row[spatial];
    // Column k of theta multiplies x, y, z: the last spatial dimension first.
    for (int k = 0; k < spatial; ++k) {
      const int d = spatial - k;
      const double i = static_cast<double>(e / strides[d] % out.dim(d)), n = static_cast<double>(out.dim(d));
      sum += row[k] * (align ? (n > 1 ? -1 + 2 * i / (n - 1) : -1) : -1 + (2 * i + 1) / n);
    }
    y[e] = sum;
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferGridSample(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 5));
  OMKIT_RETURN_IF_ERROR(ReadGridModes(ctx.attrs()).status());
  const Shape& x = ctx.shape(0);
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, x.rank(), x.rank()));
  const Shape& grid = ctx.shape(1);
  if (Conflict(x.dim(0), grid.dim(0)) || Conflict(grid.dim(x.rank() - 1), x.rank() - 2)) {
    return absl::InvalidArgumentError(absl::StrCat("the grid has shape ", grid.ToString(), " for an image of shape ", x.ToString()));
  }
  std::vector<int64_t> dims = {x.dim(0), x.dim(1)};
  for (int d = 1; d + 1 < grid.rank(); ++d) {
    if (x.dim(d + 1) == 0) return absl::InvalidArgumentError("the image is empty");
    dims.push_back(grid.dim(d));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape(std::move(dims)));
}

absl::Status EvalGridSample(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const GridModes modes, ReadGridModes(ctx.attrs));
  const Shape& shape = ctx.input(0).shape();
  const int spatial = shape.rank() - 2;
  const std::vector<double> x = ReadReals(ctx.input(0)), grid = ReadReals(ctx.input(1));
  const int64_t channels = shape.dim(1), plane = ProductOfDims(shape, 2, shape.rank());
  const int64_t points = ProductOfDims(ctx.output(0).shape(), 2, shape.rank());
  std::vector<double> y(ctx.output(0).elements(), 0.0);
  int combinations = 1;
  for (int d = 0; d < spatial; ++d) combinations *= modes.taps;
  std::array<AxisTaps, 3> taps{};
  for (int64_t p = 0; p < shape.dim(0) * points; ++p) {
    for (int d = 0; d < spatial; ++d) taps[d] = TapsAt(modes, grid[p * spatial + (spatial - 1 - d)], shape.dim(2 + d));
    for (int k = 0; k < combinations; ++k) {
      int64_t pixel = 0;
      double weight = 1;
      for (int d = 0, rest = k; d < spatial; ++d, rest /= modes.taps) {
        const int64_t index = taps[d].index[rest % modes.taps];
        weight *= index < 0 ? 0 : taps[d].weight[rest % modes.taps];
        pixel = pixel * shape.dim(2 + d) + std::max<int64_t>(index, 0);
      }
      if (weight == 0) continue;
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t image = p / points * channels + c;
        y[image * points + p % points] += weight * x[image * plane + pixel];
      }
    }
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferCol2Im(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 3));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> image, ctx.ConstantInts(1));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> block, ctx.ConstantInts(2));
  Window window;
  OMKIT_RETURN_IF_ERROR(ReadCol2ImWindow(ctx.attrs(), image, block, &window));
  const Shape& x = ctx.shape(0);
  for (int64_t dim : image) {
    if (dim < 0) return absl::InvalidArgumentError(absl::StrCat("image_shape holds ", dim));
  }
  if ((x.dim(1) != kUnknownDim && x.dim(1) % window.taps() != 0) || Conflict(x.dim(2), window.out_size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("input 0 has shape ", x.ToString(), "; ", window.out_size(), " blocks of ", window.taps(), " pixels are expected"));
  }
  std::vector<int64_t> dims = {x.dim(0), x.dim(1) == kUnknownDim ? kUnknownDim : x.dim(1) / window.taps()};
  dims.insert(dims.end(), image.begin(), image.end());
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape(std::move(dims)));
}

absl::Status EvalCol2Im(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> image, IntegerValues(ctx.input(1)));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> block, IntegerValues(ctx.input(2)));
  Window w;
  OMKIT_RETURN_IF_ERROR(ReadCol2ImWindow(ctx.attrs, image, block, &w));
  const std::vector<double> x = ReadReals(ctx.input(0));
  std::vector<double> y(ctx.output(0).elements(), 0.0);
  if (w.in_size() == 0 || static_cast<int64_t>(y.size()) / w.in_size() * w.taps() * w.out_size() != static_cast<int64_t>(x.size())) {
    return absl::InvalidArgumentError("the sizes differ from those the shape was inferred with");
  }
  const int64_t columns = w.out_size();
  for (int64_t e = 0; e < static_cast<int64_t>(x.size()); ++e) {
    int64_t column = e % columns;
    int64_t tap = e / columns % w.taps();
    int64_t pixel = 0;
    int64_t stride = 1;
    bool inside = true;
    for (int d = kMaxSpatialRank - 1; d >= 0; --d) {
      const int64_t at = column % w.out[d] * w.stride[d] - w.pad_begin[d] + tap % w.kernel[d] * w.dilation[d];
      inside = inside && at >= 0 && at < w.in[d];
      pixel += at * stride;
      stride *= w.in[d];
      column /= w.out[d];
      tap /= w.kernel[d];
    }
    if (inside) y[e / columns / w.taps() * w.in_size() + pixel] += x[e];
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
