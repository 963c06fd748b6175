#include "frontends/image_preprocess.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace omkit::frontends {
namespace {

// height x width x 3 real pixels.
struct Plane {
  int64_t width = 0, height = 0;
  std::vector<float> pixels;
};

// For each output position, the input positions it is made of.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

std::vector<Taps> TriangleTaps(int64_t from, int64_t to) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  const double radius = std::max(1.0, ratio);
  std::vector<Taps> all(to);
  for (int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * ratio;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - radius + 0.5));
    const int64_t last = std::min(from, static_cast<int64_t>(center + radius + 0.5));
    double sum = 0;
    std::vector<double> weights;
    for (int64_t k = first; k < last; ++k) {
      weights.push_back(std::max(0.0, 1 - std::abs((static_cast<double>(k) + 0.5 - center) / radius)));
      sum += weights.back();
    }
    all[i].first = first;
    for (const double w : weights) all[i].weights.push_back(static_cast<float>(w / sum));
  }
  return all;
}

Plane Resize(const Plane& in, int64_t width, int64_t height) {
  if (in.width == width && in.height == height) return in;
  const std::vector<Taps> across = TriangleTaps(in.width, width), down = TriangleTaps(in.height, height);
  Plane wide{width, in.height, std::vector<float>(width * in.height * 3)};
  for (int64_t y = 0; y < in.height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        float sum = 0;
        for (size_t k = 0; k < across[x].weights.size(); ++k) sum += across[x].weights[k] * in.pixels[(y * in.width + across[x].first + k) * 3 + c];
        wide.pixels[(y * width + x) * 3 + c] = sum;
      }
    }
  }
  Plane out{width, height, std::vector<float>(width * height * 3)};
  for (int64_t y = 0; y < height; ++y) {
    for (size_t k = 0; k < down[y].weights.size(); ++k) {
      const float* row = &wide.pixels[(down[y].first + k) * width * 3];
      for (int64_t i = 0; i < width * 3; ++i) out.pixels[y * width * 3 + i] += down[y].weights[k] * row[i];
    }
  }
  return out;
}

Plane Crop(const Plane& in, int64_t width, int64_t height) {
  const int64_t left = (in.width - width) / 2, top = (in.height - height) / 2;
  Plane out{width, height, {}};
  out.pixels.reserve(width * height * 3);
  for (int64_t y = 0; y < height; ++y) {
    const float* row = &in.pixels[((top + y) * in.width + left) * 3];
    out.pixels.insert(out.pixels.end(), row, row + width * 3);
  }
  return out;
}

bool ParseNumber(absl::string_view text, double* number) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  double below = 1;
  if (parts.size() > 2 || !absl::SimpleAtod(parts[0], number) || (parts.size() == 2 && !absl::SimpleAtod(parts[1], &below))) return false;
  *number /= below;
  return std::isfinite(*number);
}

absl::Status Wrong(absl::string_view key, absl::string_view value, absl::string_view needs) {
  return absl::InvalidArgumentError(absl::StrCat("preprocessing: ", key, "=", value, ": ", needs));
}

double At(const std::vector<double>& values, int64_t channel) { return values[values.size() == 1 ? 0 : channel]; }

}  // namespace

absl::StatusOr<ImagePreprocess::Size> ImagePreprocess::ParseSize(absl::string_view key, absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, 'x');
  Size size;
  const bool good = parts.size() <= 2 && absl::SimpleAtoi(parts[0], &size.width) && (parts.size() == 1 || absl::SimpleAtoi(parts[1], &size.height)) &&
                    size.width > 0 && size.width <= kMaxImageSide && size.height <= kMaxImageSide && (parts.size() == 1 || size.height > 0);
  if (!good) return Wrong(key, text, "a size is N or WIDTHxHEIGHT");
  return size;
}

absl::Status ImagePreprocess::Set(absl::string_view key, absl::string_view value) {
  if (key == "resize" && value == "none") {
    keep_size_ = true;
    return absl::OkStatus();
  }
  if (key == "resize" || key == "crop") {
    OMKIT_ASSIGN_OR_RETURN((key == "crop" ? crop_ : resize_), ParseSize(key, value));
    if (crop_.width > 0 && crop_.height == 0) crop_.height = crop_.width;
    return absl::OkStatus();
  }
  if (key == "order") {
    if (value != "RGB" && value != "BGR" && value != "GRAY") return Wrong(key, value, "it is RGB, BGR or GRAY");
    order_ = value == "RGB" ? Order::kRgb : value == "BGR" ? Order::kBgr : Order::kGray;
    return absl::OkStatus();
  }
  std::vector<double>* list = key == "scale" ? &scale_ : key == "mean" ? &mean_ : key == "std" ? &std_ : nullptr;
  if (list == nullptr) {
    const std::string near = NearestName(key, {"resize", "crop", "order", "scale", "mean", "std"});
    return absl::InvalidArgumentError(
        absl::StrCat("preprocessing: unknown key '", key, "'", near.empty() ? "" : absl::StrCat("; did you mean '", near, "'?")));
  }
  list->clear();
  for (const absl::string_view part : absl::StrSplit(value, ';')) {
    list->push_back(0);
    if (!ParseNumber(part, &list->back()) || (key == "std" && list->back() == 0)) return Wrong(key, value, "numbers separated by ';'");
  }
  if (list->size() != 1 && list->size() != 3) return Wrong(key, value, "one number, or one for each of 3 channels");
  return absl::OkStatus();
}

absl::StatusOr<ImagePreprocess> ImagePreprocess::Parse(absl::string_view text) {
  ImagePreprocess preprocess;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::vector<absl::string_view> sides = absl::StrSplit(absl::StripAsciiWhitespace(part), absl::MaxSplits('=', 1));
    if (sides.size() != 2) return absl::InvalidArgumentError(absl::StrCat("preprocessing: '", part, "' is not KEY=VALUE"));
    OMKIT_RETURN_IF_ERROR(preprocess.Set(sides[0], sides[1]));
  }
  return preprocess;
}

absl::StatusOr<Tensor> ImagePreprocess::Apply(const Image& image, const TensorType& type) const {
  std::vector<int64_t> dims = type.shape.vec();
  if (dims.size() == 3) dims.insert(dims.begin(), 1);
  const bool planes = dims.size() == 4 && (dims[1] == 1 || dims[1] == 3);
  const bool pixels = dims.size() == 4 && !planes && (dims[3] == 1 || dims[3] == 3);
  if ((!planes && !pixels) || dims[0] != 1 || (type.dtype != DType::kFloat32 && type.dtype != DType::kUInt8)) {
    return absl::InvalidArgumentError(absl::StrCat("pictures cannot become an input of ", type.ToString(), "; it takes one picture of 1 or 3 channels"));
  }
  const int64_t channels = planes ? dims[1] : dims[3], height = planes ? dims[2] : dims[1], width = planes ? dims[3] : dims[2];
  if ((channels == 1) != (order_ == Order::kGray)) {
    return absl::InvalidArgumentError(absl::StrCat("the input has ", channels, " channels; order=GRAY is for inputs of one channel and for no other"));
  }
  Plane plane{image.width, image.height, {image.rgb.begin(), image.rgb.end()}};
  Size size = resize_.width > 0 ? resize_ : keep_size_ ? Size{image.width, image.height} : crop_.width > 0 ? crop_ : Size{width, height};
  if (size.height == 0) {
    const double factor = static_cast<double>(size.width) / static_cast<double>(std::min(image.width, image.height));
    const auto side = [&](int64_t n) { return std::max<int64_t>(1, std::llround(static_cast<double>(n) * factor)); };
    size = {side(image.width), side(image.height)};
  }
  plane = Resize(plane, size.width, size.height);
  if (crop_.width > 0) {
    if (crop_.width > plane.width || crop_.height > plane.height) {
      return absl::InvalidArgumentError(absl::StrCat("cannot crop ", crop_.width, "x", crop_.height, " from ", plane.width, "x", plane.height));
    }
    plane = Crop(plane, crop_.width, crop_.height);
  }
  if (plane.width != width || plane.height != height) {
    return absl::InvalidArgumentError(absl::StrCat("the picture is ", plane.width, "x", plane.height, " after resize and crop, the input needs ", width, "x", height));
  }
  OMKIT_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Allocate(type));
  for (int64_t i = 0; i < width * height; ++i) {
    const float* rgb = &plane.pixels[i * 3];
    for (int64_t c = 0; c < channels; ++c) {
      const double pixel = order_ == Order::kGray ? 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] : rgb[order_ == Order::kRgb ? c : 2 - c];
      const double value = (pixel * At(scale_, c) - At(mean_, c)) / At(std_, c);
      const int64_t at = planes ? c * width * height + i : i * channels + c;
      if (type.dtype == DType::kFloat32) tensor.mutable_data<float>()[at] = static_cast<float>(value);
      else tensor.mutable_data<uint8_t>()[at] = static_cast<uint8_t>(std::min(255.0, std::max(0.0, std::nearbyint(value))));
    }
  }
  return tensor;
}

}  // namespace omkit::frontends
