#include "frontends/aipp/source_image.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/status.h"
#include "frontends/aipp/config.h"
#include "ir/op.h"

namespace omkit::frontends {
namespace {

using aipp::Colours;
using aipp::Format;

// The standard whose matrix is nearest to the one in use, in either order of rows; without one BT.601 in narrow range.
const Conversion& NearestStandard(const aipp::Spec& spec) {
  const Conversion* best = FindConversion("bt601", Colours::kYuv, Colours::kRgb);
  if (spec.csc == 0) return *best;
  int64_t least = INT64_MAX;
  for (const Conversion& row : Conversions()) {
    if (row.from != Colours::kYuv || row.to != Colours::kRgb) continue;
    for (const bool reversed : {false, true}) {
      int64_t distance = 16 * std::abs(spec.in_bias[0] - row.bias[0]);
      for (int i = 0; i < 9; ++i) distance += std::abs(spec.matrix[i] - row.matrix[reversed ? (2 - i / 3) * 3 + i % 3 : i]);
      if (distance < least) least = distance, best = &row;
    }
  }
  return *best;
}

uint8_t Byte(double v) { return static_cast<uint8_t>(std::lrint(std::min(std::max(v, 0.0), 255.0))); }

// Y, U, V of an RGB picture by the standard's own matrix.
void ToYuv(const Conversion& standard, const uint8_t* rgb, double* yuv) {
  const Conversion& to = *FindConversion(standard.name, Colours::kRgb, Colours::kYuv);
  for (int i = 0; i < 3; ++i) {
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += to.matrix[3 * i + k] * rgb[k];
    yuv[i] = sum / 256 + to.bias[i];
  }
}

// Components in the order of the source's bytes.
void Order(const aipp::Spec& spec, bool yuv, uint8_t* c) {
  if (spec.rbuv_swap != 0) std::swap(c[yuv ? 1 : 0], c[2]);
}

}  // namespace

Image Scaled(const Image& picture, int64_t width, int64_t height) {
  if (picture.width == width && picture.height == height) return picture;
  Image out{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
  // Averages where it shrinks: a triangle as wide as the step.
  const auto weights = [](int64_t in, int64_t size, int64_t i, int64_t* first) {
    const double step = static_cast<double>(in) / size, radius = std::max(1.0, step), centre = (i + 0.5) * step - 0.5;
    *first = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(centre - radius)));
    const int64_t last = std::min<int64_t>(in - 1, static_cast<int64_t>(std::floor(centre + radius)));
    std::vector<double> w;
    double sum = 0;
    for (int64_t k = *first; k <= last; ++k) sum += w.emplace_back(std::max(1e-9, 1 - std::fabs(k - centre) / radius));
    for (double& v : w) v /= sum;
    return w;
  };
  std::vector<double> rows(static_cast<size_t>(picture.height * width * 3));
  for (int64_t x = 0; x < width; ++x) {
    int64_t first = 0;
    const std::vector<double> w = weights(picture.width, width, x, &first);
    for (int64_t y = 0; y < picture.height; ++y) {
      for (int64_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (size_t k = 0; k < w.size(); ++k) sum += w[k] * picture.rgb[(y * picture.width + first + static_cast<int64_t>(k)) * 3 + c];
        rows[(y * width + x) * 3 + c] = sum;
      }
    }
  }
  for (int64_t y = 0; y < height; ++y) {
    int64_t first = 0;
    const std::vector<double> w = weights(picture.height, height, y, &first);
    for (int64_t i = 0; i < width * 3; ++i) {
      double sum = 0;
      for (size_t k = 0; k < w.size(); ++k) sum += w[k] * rows[(first + static_cast<int64_t>(k)) * width * 3 + i];
      out.rgb[y * width * 3 + i] = Byte(sum);
    }
  }
  return out;
}

std::vector<uint8_t> ToSource(const aipp::Spec& spec, const Image& picture) {
  const int64_t w = spec.src_w, h = spec.src_h;
  const Image image = Scaled(picture, w, h);
  std::vector<uint8_t> out(static_cast<size_t>(aipp::ImageBytes(spec.format, spec.src_w, spec.src_h)));
  const Conversion& standard = NearestStandard(spec);
  const Colours colours = aipp::FindFormat(spec.format)->colours;
  const int64_t share_x = spec.format == Format::kAyuv444 ? 1 : 2, share_y = spec.format == Format::kYuv420sp ? 2 : 1;
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      const uint8_t* rgb = image.rgb.data() + (y * w + x) * 3;
      uint8_t c[3] = {rgb[0], rgb[1], rgb[2]};
      if (colours != Colours::kRgb) {
        double yuv[3] = {0, 0, 0}, own[3];
        ToYuv(standard, rgb, own);
        // Chroma is the mean of the pixels that share it.
        const int64_t x0 = x / share_x * share_x, y0 = y / share_y * share_y;
        double count = 0;
        for (int64_t j = y0; j < std::min(h, y0 + share_y); ++j) {
          for (int64_t i = x0; i < std::min(w, x0 + share_x); ++i, ++count) {
            double one[3];
            ToYuv(standard, image.rgb.data() + (j * w + i) * 3, one);
            yuv[1] += one[1], yuv[2] += one[2];
          }
        }
        c[0] = Byte(own[0]);
        c[1] = Byte(yuv[1] / count);
        c[2] = Byte(yuv[2] / count);
      }
      Order(spec, colours == Colours::kYuv, c);
      const int64_t at = y * w + x;
      switch (spec.format) {
        case Format::kYuv400: out[at] = c[0]; break;
        case Format::kYuv420sp:
        case Format::kYuv422sp: {
          out[at] = c[0];
          const int64_t pair = w * h + y / share_y * w + x / 2 * 2;
          out[pair] = c[1];
          out[pair + 1] = c[2];
          break;
        }
        case Format::kYuyv: {
          out[2 * at] = c[0];
          out[2 * at + 1] = x % 2 == 0 ? c[1] : c[2];
          break;
        }
        case Format::kRgb888: std::copy(c, c + 3, &out[3 * at]); break;
        default: std::copy(c, c + 3, &out[4 * at + (spec.ax_swap != 0 ? 1 : 0)]); break;
      }
    }
  }
  return out;
}

Image FromSource(const aipp::Spec& spec, const std::vector<uint8_t>& bytes) {
  aipp::Stage stage;
  aipp::Spec& plain = stage.spec;
  plain.format = spec.format;
  plain.src_w = spec.src_w;
  plain.src_h = spec.src_h;
  plain.rbuv_swap = spec.rbuv_swap;
  plain.ax_swap = spec.ax_swap;
  const Colours colours = aipp::FindFormat(spec.format)->colours;
  if (colours == Colours::kYuv) UseConversion(NearestStandard(spec), false, &plain);
  stage.batch = 1;
  stage.channels = colours == Colours::kGrey ? 1 : 3;
  stage.width = spec.src_w;
  stage.height = spec.src_h;
  ir::Attrs attrs;
  attrs.Set("stage", aipp::ToText(stage));
  attrs.Set("pixels", int64_t{1});
  const Tensor in = Tensor::View({DType::kUInt8, Shape(aipp::SourceDims(stage)), {}, Layout::kPlain}, const_cast<uint8_t*>(bytes.data()));
  const int64_t plane = stage.width * stage.height;
  Tensor out = *Tensor::Allocate(DType::kUInt8, Shape({1, stage.channels, stage.height, stage.width}));
  const Tensor* const inputs[] = {&in};
  Tensor* const outputs[] = {&out};
  Image image{stage.width, stage.height, std::vector<uint8_t>(static_cast<size_t>(3 * plane))};
  if (!ir::EvalOp(ir::OpKind::kAipp, {attrs, inputs, outputs}).ok()) return image;
  for (int64_t i = 0; i < plane; ++i) {
    for (int64_t c = 0; c < 3; ++c) image.rgb[3 * i + c] = out.data<uint8_t>()[(stage.channels == 1 ? 0 : c) * plane + i];
  }
  return image;
}

absl::StatusOr<Tensor> BehindAipp(aipp::Stage stage, const std::vector<uint8_t>& source) {
  stage.batch = 1;
  ir::Attrs attrs;
  attrs.Set("stage", aipp::ToText(stage));
  const Tensor in = Tensor::View({DType::kUInt8, Shape(aipp::SourceDims(stage)), {}, Layout::kPlain}, const_cast<uint8_t*>(source.data()));
  OMKIT_ASSIGN_OR_RETURN(Tensor result, Tensor::Allocate(DType::kFloat32, Shape({1, stage.channels, stage.height, stage.width})));
  const Tensor* const inputs[] = {&in};
  Tensor* const outputs[] = {&result};
  OMKIT_RETURN_IF_ERROR(ir::EvalOp(ir::OpKind::kAipp, {attrs, inputs, outputs}));
  return result;
}

}  // namespace omkit::frontends
