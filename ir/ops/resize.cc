// Resize of ONNX 19: inputs x, roi, scales, sizes (scales or sizes given, as constants); attributes as in ONNX.
//
// The interpolation of every mode is a product of one weight list per axis, so axes are resized one after the other in double.
// Where the text of the standard and its test vectors differ (align_corners with a fractional output), the test vectors count.
#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

enum class Mode { kNearest, kLinear, kCubic };
enum class Coordinates { kHalfPixel, kHalfPixelSymmetric, kPytorchHalfPixel, kAlignCorners, kAsymmetric, kCropAndResize };
enum class Nearest { kPreferFloor, kPreferCeil, kFloor, kCeil };

struct Named {
  const char* name;
  int value;
};

absl::StatusOr<int> Choose(const Attrs& attrs, absl::string_view name, absl::Span<const Named> choices) {
  const std::string text = attrs.String(name, choices[0].name);
  std::vector<std::string> known;
  for (const Named& c : choices) {
    if (text == c.name) return c.value;
    known.push_back(c.name);
  }
  return absl::InvalidArgumentError(absl::StrCat("attribute ", name, " is '", text, "'", NearestName(text, known)));
}

struct ResizeSpec {
  Mode mode;
  Coordinates coordinates;
  Nearest nearest;
  bool antialias, exclude_outside;
  double cubic_a, extrapolation;
  // Per axis of x.
  Shape out;
  std::vector<double> scale, roi_begin, roi_end;
};

absl::Status ReadModes(const Attrs& attrs, ResizeSpec* s) {
  constexpr Named kModes[] = {{"nearest", 0}, {"linear", 1}, {"cubic", 2}};
  constexpr Named kCoordinates[] = {{"half_pixel", 0},    {"half_pixel_symmetric", 1}, {"pytorch_half_pixel", 2},
                                    {"align_corners", 3}, {"asymmetric", 4},           {"tf_crop_and_resize", 5}};
  constexpr Named kNearest[] = {{"round_prefer_floor", 0}, {"round_prefer_ceil", 1}, {"floor", 2}, {"ceil", 3}};
  OMKIT_ASSIGN_OR_RETURN(const int mode, Choose(attrs, "mode", kModes));
  OMKIT_ASSIGN_OR_RETURN(const int coordinates, Choose(attrs, "coordinate_transformation_mode", kCoordinates));
  OMKIT_ASSIGN_OR_RETURN(const int nearest, Choose(attrs, "nearest_mode", kNearest));
  s->mode = static_cast<Mode>(mode);
  s->coordinates = static_cast<Coordinates>(coordinates);
  s->nearest = static_cast<Nearest>(nearest);
  s->antialias = attrs.Int("antialias", 0) != 0;
  s->exclude_outside = attrs.Int("exclude_outside", 0) != 0;
  s->cubic_a = attrs.Float("cubic_coeff_a", -0.75f);
  s->extrapolation = attrs.Float("extrapolation_value", 0.0f);
  if (s->antialias && s->mode == Mode::kNearest) return absl::InvalidArgumentError("antialias needs the mode linear or cubic");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int>> ResizedAxes(const Attrs& attrs, int rank) {
  std::vector<int> axes;
  std::vector<bool> seen(rank, false);
  const std::vector<int64_t> given = attrs.Ints("axes");
  for (int64_t a : given) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(a, rank));
    if (seen[axis]) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is given twice"));
    seen[axis] = true;
    axes.push_back(axis);
  }
  for (int d = 0; given.empty() && d < rank; ++d) axes.push_back(d);
  return axes;
}

absl::Status CheckCount(absl::string_view what, size_t have, size_t want) {
  if (have == want) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " has ", have, " entries, expected ", want));
}

absl::Status UseSizes(const Attrs& attrs, const Shape& x, const std::vector<int>& axes, absl::Span<const int64_t> sizes, ResizeSpec* s) {
  constexpr Named kPolicies[] = {{"stretch", 0}, {"not_larger", 1}, {"not_smaller", 2}};
  OMKIT_ASSIGN_OR_RETURN(const int policy, Choose(attrs, "keep_aspect_ratio_policy", kPolicies));
  OMKIT_RETURN_IF_ERROR(CheckCount("sizes", sizes.size(), axes.size()));
  double common = policy == 1 ? HUGE_VAL : 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t in = x.dim(axes[i]);
    if (sizes[i] < 1 || in < 1) return absl::InvalidArgumentError(absl::StrCat("cannot resize axis ", axes[i], " from ", in, " to ", sizes[i]));
    const double scale = static_cast<double>(sizes[i]) / static_cast<double>(in);
    s->scale[axes[i]] = scale;
    s->out.set_dim(axes[i], sizes[i]);
    common = policy == 1 ? std::min(common, scale) : std::max(common, scale);
  }
  if (policy == 0) return absl::OkStatus();
  for (int d : axes) {
    s->scale[d] = common;
    const double size = std::floor(common * static_cast<double>(x.dim(d)) + 0.5);
    if (!(size >= 1 && size < 1e12)) return absl::InvalidArgumentError(absl::StrCat("axis ", d, " would have ", size, " elements"));
    s->out.set_dim(d, static_cast<int64_t>(size));
  }
  return absl::OkStatus();
}

absl::Status UseScales(const Shape& x, const std::vector<int>& axes, const std::vector<double>& scales, ResizeSpec* s) {
  OMKIT_RETURN_IF_ERROR(CheckCount("scales", scales.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    const int d = axes[i];
    if (!(scales[i] > 0) || !std::isfinite(scales[i]))
      return absl::InvalidArgumentError(absl::StrCat("scale ", scales[i], " is not a positive number"));
    s->scale[d] = scales[i];
    const double roi = s->coordinates == Coordinates::kCropAndResize ? s->roi_end[d] - s->roi_begin[d] : 1.0;
    const double size = std::floor(static_cast<double>(x.dim(d)) * roi * scales[i]);
    if (!(size >= 0 && size < 1e12)) return absl::InvalidArgumentError(absl::StrCat("axis ", d, " would have ", size, " elements"));
    s->out.set_dim(d, static_cast<int64_t>(size));
  }
  return absl::OkStatus();
}

bool Given(const Tensor* t) { return t != nullptr && t->elements() > 0; }

absl::StatusOr<ResizeSpec> ResolveResize(const Attrs& attrs, const Shape& x, const Tensor* roi, const Tensor* scales, const Tensor* sizes) {
  ResizeSpec s;
  OMKIT_RETURN_IF_ERROR(ReadModes(attrs, &s));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int> axes, ResizedAxes(attrs, x.rank()));
  s.out = x;
  s.scale.assign(x.rank(), 1.0);
  s.roi_begin.assign(x.rank(), 0.0);
  s.roi_end.assign(x.rank(), 1.0);
  if (s.coordinates == Coordinates::kCropAndResize) {
    if (!Given(roi)) return absl::InvalidArgumentError("tf_crop_and_resize needs the input roi");
    const std::vector<double> values = ReadReals(*roi);
    OMKIT_RETURN_IF_ERROR(CheckCount("roi", values.size(), 2 * axes.size()));
    for (size_t i = 0; i < axes.size(); ++i) {
      s.roi_begin[axes[i]] = values[i];
      s.roi_end[axes[i]] = values[axes.size() + i];
      if (!std::isfinite(values[i]) || !std::isfinite(values[axes.size() + i])) return absl::InvalidArgumentError("roi is not finite");
    }
  }
  if (Given(scales) == Given(sizes)) return absl::InvalidArgumentError("exactly one of scales and sizes must be given");
  if (Given(sizes)) {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> values, IntegerValues(*sizes));
    OMKIT_RETURN_IF_ERROR(UseSizes(attrs, x, axes, values, &s));
  } else {
    OMKIT_RETURN_IF_ERROR(UseScales(x, axes, ReadReals(*scales), &s));
  }
  for (int d = 0; d < x.rank(); ++d) {
    if (x.dim(d) == 0 && s.out.dim(d) != 0) return absl::InvalidArgumentError(absl::StrCat("axis ", d, " is empty and cannot grow"));
  }
  OMKIT_RETURN_IF_ERROR(CheckedElements(s.out.dims()).status());
  return s;
}

// Position in the input of output position `i` along axis `d`.
double SourcePosition(const ResizeSpec& s, const Shape& x, int d, int64_t i) {
  const auto in = static_cast<double>(x.dim(d));
  const auto position = static_cast<double>(i);
  const double scale = s.scale[d];
  const double out = scale * in;  // may be fractional
  switch (s.coordinates) {
    case Coordinates::kHalfPixel: return (position + 0.5) / scale - 0.5;
    case Coordinates::kHalfPixelSymmetric: {
      const double adjustment = static_cast<double>(s.out.dim(d)) / out;
      return in / 2 * (1 - adjustment) + (position + 0.5) / scale - 0.5;
    }
    case Coordinates::kPytorchHalfPixel: return out == 1 ? -0.5 : (position + 0.5) / scale - 0.5;
    case Coordinates::kAlignCorners: return out == 1 ? 0.0 : position * (in - 1) / (out - 1);
    case Coordinates::kAsymmetric: return position / scale;
    case Coordinates::kCropAndResize: {
      const double span = (s.roi_end[d] - s.roi_begin[d]) * (in - 1);
      const double offset = out == 1 ? span / 2 : position * span / (out - 1);
      return offset + s.roi_begin[d] * (in - 1);
    }
  }
  return 0;
}

double CubicWeight(double distance, double a) {
  const double t = std::fabs(distance);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return 0;
}

// Input positions (clamped to the image) and weights of one output position.
struct Taps {
  std::vector<int64_t> index;
  std::vector<double> weight;
  bool outside = false;  // takes extrapolation_value instead
};

double NearestWeight(Nearest mode, double ratio, bool right) {
  switch (mode) {
    case Nearest::kPreferFloor: return (ratio > 0.5) == right ? 1 : 0;
    case Nearest::kPreferCeil: return (ratio >= 0.5) == right ? 1 : 0;
    case Nearest::kFloor: return (ratio == 1.0) == right ? 1 : 0;
    case Nearest::kCeil: return right ? 1 : 0;
  }
  return 0;
}

Taps TapsOf(const ResizeSpec& s, const Shape& x, int d, int64_t i) {
  Taps taps;
  const int64_t in = x.dim(d);
  const double position = SourcePosition(s, x, d, i);
  if (s.coordinates == Coordinates::kCropAndResize && (position < 0 || position > static_cast<double>(in - 1))) {
    taps.outside = true;
    return taps;
  }
  // The tap left of the position, strictly: the ratio to the next one lies in (0, 1].
  const double left = std::ceil(position) - 1;
  const double ratio = position - left;
  const double stretch = s.antialias ? std::min(s.scale[d], 1.0) : 1.0;
  const double reach = s.mode == Mode::kCubic ? 2 : 1;
  const double first = s.mode == Mode::kNearest ? 0 : std::floor(-reach / stretch) + 1;
  double sum = 0;
  for (double k = first; k < 2 - first; ++k) {
    const double distance = (k - ratio) * stretch;
    double w = s.mode == Mode::kNearest ? NearestWeight(s.nearest, ratio, k > 0)
               : s.mode == Mode::kCubic ? CubicWeight(distance, s.cubic_a)
                                        : std::max(0.0, 1 - std::fabs(distance));
    const double at = left + k;
    const double last = static_cast<double>(in - 1);
    if (s.exclude_outside && (at < 0 || at > last)) w = 0;
    if (w == 0) continue;
    taps.index.push_back(static_cast<int64_t>(std::min(std::max(at, 0.0), last)));
    taps.weight.push_back(w);
    sum += w;
  }
  if (s.antialias || s.exclude_outside) {
    for (double& w : taps.weight) w /= sum;
  }
  return taps;
}

// Resizes one axis of x[outer][in][inner]; rows that fall outside are marked in `outside`.
std::vector<double> ResizeAxis(const std::vector<double>& x, const std::vector<Taps>& taps, int64_t outer, int64_t in, int64_t inner) {
  std::vector<double> y(outer * static_cast<int64_t>(taps.size()) * inner, 0.0);
  double* row = y.data();
  for (int64_t o = 0; o < outer; ++o) {
    for (const Taps& t : taps) {
      for (size_t k = 0; k < t.index.size(); ++k) {
        const double* from = x.data() + (o * in + t.index[k]) * inner;
        for (int64_t i = 0; i < inner; ++i) row[i] += t.weight[k] * from[i];
      }
      row += inner;
    }
  }
  return y;
}

// Overwrites positions whose coordinate along axis `d` lies outside the image.
void Extrapolate(std::vector<double>& y, const Shape& out, int d, const std::vector<Taps>& taps, double value) {
  const int64_t inner = out.Strides()[d];
  for (size_t e = 0; e < y.size(); ++e) {
    if (taps[static_cast<int64_t>(e) / inner % out.dim(d)].outside) y[e] = value;
  }
}

}  // namespace

absl::Status InferResize(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  const Shape& x = ctx.shape(0);
  bool known = x.IsStatic();
  for (int i = 1; i < ctx.num_inputs(); ++i) known = known && (!ctx.has_input(i) || ctx.constant(i) != nullptr);
  if (ctx.has_input(1) && !IsFloat(ctx.dtype(1))) return absl::InvalidArgumentError("the input roi must be a float tensor");
  if (ctx.has_input(2) && !IsFloat(ctx.dtype(2))) return absl::InvalidArgumentError("the input scales must be a float tensor");
  if (ctx.has_input(3)) OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 3));
  if (!known) {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int> axes, ResizedAxes(ctx.attrs(), x.rank()));
    Shape out = x;
    for (int d : axes) out.set_dim(d, kUnknownDim);
    return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out));
  }
  OMKIT_ASSIGN_OR_RETURN(ResizeSpec s, ResolveResize(ctx.attrs(), x, ctx.constant(1), ctx.constant(2), ctx.constant(3)));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(s.out));
}

absl::Status EvalResize(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  auto optional = [&](int i) { return ctx.has_input(i) ? &ctx.input(i) : nullptr; };
  OMKIT_ASSIGN_OR_RETURN(const ResizeSpec s, ResolveResize(ctx.attrs, x, optional(1), optional(2), optional(3)));
  if (s.out != ctx.output(0).shape()) return absl::InvalidArgumentError("the sizes differ from those the shape was inferred with");
  std::vector<double> values = ReadReals(ctx.input(0));
  std::vector<std::vector<Taps>> taps(x.rank());
  Shape now = x;
  for (int d = x.rank() - 1; d >= 0; --d) {
    if (s.scale[d] == 1.0 && s.out.dim(d) == x.dim(d) && s.coordinates != Coordinates::kCropAndResize) continue;
    for (int64_t i = 0; i < s.out.dim(d); ++i) taps[d].push_back(TapsOf(s, x, d, i));
    int64_t outer = 1;
    for (int k = 0; k < d; ++k) outer *= now.dim(k);
    values = ResizeAxis(values, taps[d], outer, x.dim(d), now.Strides()[d]);
    now.set_dim(d, s.out.dim(d));
  }
  if (s.coordinates == Coordinates::kCropAndResize) {
    for (int d = 0; d < x.rank(); ++d) Extrapolate(values, s.out, d, taps[d], s.extrapolation);
  }
  WriteReals(values, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
