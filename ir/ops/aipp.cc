// Aipp: image preprocessing, omkit's own operator with the meaning of CANN's AIPP (base/aipp.h). Inputs: the source images, uint8, of
// SourceDims; for dynamic AIPP the parameters, uint8[DynamicBytes(batch)]. Output: [batch, channels, height, width], float32, or uint8
// when the attribute says so, which are the pixels without normalisation. Attributes:
//   stage    aipp::ToText of the stage
//   pixels   1: uint8 output
//
// Colour conversion: out_i = clamp(((r_i0 * (c0 - ib0) + r_i1 * (c1 - ib1) + r_i2 * (c2 - ib2)) >> 8) + ob_i, 0, 255) with an arithmetic
// shift; ib only for YUV sources, ob only for RGB sources. Chroma is repeated, not interpolated. Resize: per axis
// a + (((b - a) * weight + 1024) >> 11) on values with 7 fractional bits, horizontally first, and (v + 64) >> 7 at the end.
#include "base/aipp.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

using aipp::Format;
using aipp::Spec;

struct Pixel {
  int32_t c[3];
};

// One pixel of the source as it lies there, swapped.
Pixel Fetch(const Spec& s, const uint8_t* image, int64_t x, int64_t y) {
  const int64_t w = s.src_w, at = y * w + x;
  Pixel p = {{image[0], 0, 0}};
  switch (s.format) {
    case Format::kYuv420sp:
    case Format::kYuv422sp: {
      const uint8_t* chroma = image + w * s.src_h + (s.format == Format::kYuv420sp ? y / 2 : y) * w + x / 2 * 2;
      p = {{image[at], chroma[0], chroma[1]}};
      break;
    }
    case Format::kYuyv: p = {{image[2 * at], image[2 * (at - x % 2) + 1], image[2 * (at - x % 2) + 3]}}; break;
    case Format::kRgb888: p = {{image[3 * at], image[3 * at + 1], image[3 * at + 2]}}; break;
    case Format::kXrgb8888:
    case Format::kArgb8888:
    case Format::kAyuv444: {
      const uint8_t* four = image + 4 * at + (s.ax_swap != 0 ? 1 : 0);
      p = {{four[0], four[1], four[2]}};
      break;
    }
    default: p.c[0] = image[at]; break;
  }
  const aipp::Colours colours = aipp::FindFormat(s.format)->colours;
  if (s.rbuv_swap != 0 && colours != aipp::Colours::kGrey) std::swap(p.c[colours == aipp::Colours::kYuv ? 1 : 0], p.c[2]);
  return p;
}

Pixel Convert(const Spec& s, const Pixel& p) {
  if (s.csc == 0) return p;
  const bool yuv = aipp::FindFormat(s.format)->colours == aipp::Colours::kYuv;
  Pixel out;
  for (int i = 0; i < 3; ++i) {
    int32_t sum = 0;
    for (int k = 0; k < 3; ++k) sum += s.matrix[3 * i + k] * (p.c[k] - (yuv ? s.in_bias[k] : 0));
    out.c[i] = std::min(std::max((sum >> 8) + (yuv ? 0 : s.out_bias[i]), 0), 255);
  }
  return out;
}

int32_t Blend(int32_t a, int32_t b, int32_t weight) { return a + (((b - a) * weight + aipp::kResizeOne / 2) >> 11); }

// The images behind crop, conversion and resize: [h][w][3].
class Picture {
 public:
  Picture(const Spec& s, const uint8_t* image) : s_(s), image_(image), size_(aipp::InnerSize(s)) {
    const aipp::Size from = aipp::CroppedSize(s);
    if (s.resize == 0) return;
    x_ = aipp::ResizeTaps(from.w, size_.w);
    y_ = aipp::ResizeTaps(from.h, size_.h);
  }

  Pixel At(int64_t x, int64_t y) const {
    if (s_.resize == 0) return Source(x, y);
    const aipp::Tap& tx = x_[x];
    const aipp::Tap& ty = y_[y];
    const Pixel upper = Along(tx, ty.first), lower = Along(tx, ty.next);
    Pixel out;
    for (int c = 0; c < 3; ++c) out.c[c] = (Blend(upper.c[c], lower.c[c], ty.weight) + 64) >> 7;
    return out;
  }

 private:
  Pixel Source(int64_t x, int64_t y) const {
    return Convert(s_, Fetch(s_, image_, x + (s_.crop != 0 ? s_.crop_x : 0), y + (s_.crop != 0 ? s_.crop_y : 0)));
  }
  Pixel Along(const aipp::Tap& tap, int64_t y) const {
    const Pixel left = Source(tap.first, y), right = Source(tap.next, y);
    Pixel out;
    for (int c = 0; c < 3; ++c) out.c[c] = Blend(left.c[c] << 7, right.c[c] << 7, tap.weight);
    return out;
  }

  const Spec& s_;
  const uint8_t* image_;
  aipp::Size size_;
  std::vector<aipp::Tap> x_, y_;
};

// One image into out[channels][height][width].
template <typename T, typename Value>
void Write(const aipp::Stage& stage, const Spec& s, const uint8_t* image, T padding, const Value& value, T* out) {
  const Picture picture(s, image);
  const aipp::Size inner = aipp::InnerSize(s);
  const int64_t left = s.padding != 0 ? s.pad_left : 0, top = s.padding != 0 ? s.pad_top : 0;
  const int64_t plane = stage.height * stage.width;
  for (int64_t y = 0; y < stage.height; ++y) {
    for (int64_t x = 0; x < stage.width; ++x) {
      const bool inside = y >= top && y < top + inner.h && x >= left && x < left + inner.w;
      const Pixel p = inside ? picture.At(x - left, y - top) : Pixel{};
      for (int64_t c = 0; c < stage.channels; ++c) out[c * plane + y * stage.width + x] = inside ? value(c, p.c[c]) : padding;
    }
  }
}

absl::Status EvalImage(const aipp::Stage& stage, const Spec& s, const uint8_t* image, int64_t index, Tensor& out) {
  const int64_t offset = index * stage.channels * stage.height * stage.width;
  if (out.dtype() == DType::kUInt8) {
    Write<uint8_t>(
        stage, s, image, aipp::PaddingByte(s), [](int64_t, int32_t v) { return static_cast<uint8_t>(v); }, out.mutable_data<uint8_t>() + offset);
    return absl::OkStatus();
  }
  float table[3][256];
  for (int c = 0; c < 3; ++c) aipp::NormalisationTable(s, c, table[c]);
  Write<float>(
      stage, s, image, s.padding_value, [&](int64_t c, int32_t v) { return table[c][v]; }, out.mutable_data<float>() + offset);
  return absl::OkStatus();
}

}  // namespace

absl::Status InferAipp(InferContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const aipp::Stage stage, aipp::FromText(ctx.attrs().String("stage", "")));
  const auto expect = [&](int i, const Shape& shape) {
    if (ctx.has_input(i) && ctx.dtype(i) == DType::kUInt8 && !ctx.input(i).quantized() && ctx.shape(i) == shape) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " must be uint8 ", shape.ToString()));
  };
  OMKIT_RETURN_IF_ERROR(expect(0, Shape(aipp::SourceDims(stage))));
  if (stage.dynamic) OMKIT_RETURN_IF_ERROR(expect(1, Shape({static_cast<int64_t>(aipp::DynamicBytes(stage.batch))})));
  else if (ctx.has_input(1)) return absl::InvalidArgumentError("static AIPP has no input 1");
  const DType dtype = ctx.attrs().Int("pixels", 0) != 0 ? DType::kUInt8 : DType::kFloat32;
  return SetOutputChecked(ctx, 0, dtype, Shape({stage.batch, stage.channels, stage.height, stage.width}));
}

absl::Status EvalAipp(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const aipp::Stage stage, aipp::FromText(ctx.attrs.String("stage", "")));
  const uint8_t* images = ctx.input(0).data<uint8_t>();
  if (!stage.dynamic) {
    const int64_t bytes = aipp::SourceBytes(stage) / stage.batch;
    for (int64_t n = 0; n < stage.batch; ++n) OMKIT_RETURN_IF_ERROR(EvalImage(stage, stage.spec, images + n * bytes, n, ctx.output(0)));
    return absl::OkStatus();
  }
  for (int64_t n = 0; n < stage.batch; ++n) {
    OMKIT_ASSIGN_OR_RETURN(const Spec spec, aipp::DynamicImage(stage, ctx.input(1).data<uint8_t>(), n));
    const int64_t bytes = aipp::ImageBytes(spec.format, spec.src_w, spec.src_h);
    OMKIT_RETURN_IF_ERROR(EvalImage(stage, spec, images + n * bytes, n, ctx.output(0)));
  }
  return absl::OkStatus();
}

}  // namespace omkit::ir
