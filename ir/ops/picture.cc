// ImageDecoder of ONNX 20: an encoded picture, a vector of bytes, as uint8 [height, width, channels].
//
// The size of the result lies in the data. It is known when the bytes are constant, or when the importer found it declared: attributes
// height and width, which are omkit's own. Then the vector may be longer than the file, and a picture of another size is an error.
// Bytes that are no picture are an empty result, as the standard says, where the size is not declared.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/picture_decoder.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

enum class PixelFormat { kRgb, kBgr, kGrayscale };

absl::StatusOr<PixelFormat> FormatOf(const Attrs& attrs) {
  const std::string name = attrs.String("pixel_format", "RGB");
  if (name == "RGB") return PixelFormat::kRgb;
  if (name == "BGR") return PixelFormat::kBgr;
  if (name == "Grayscale") return PixelFormat::kGrayscale;
  return absl::InvalidArgumentError(absl::StrCat("attribute pixel_format is '", name, "'; it is RGB, BGR or Grayscale"));
}

absl::StatusOr<Picture> Decode(const Tensor& bytes) {
  return DecodePicture({reinterpret_cast<const char*>(bytes.raw()), static_cast<size_t>(bytes.elements())});
}

// ITU-R BT.601 luma in 16-bit fixed point, as Pillow has it.
uint8_t Luma(const uint8_t* rgb) { return static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16); }

}  // namespace

absl::Status InferImageDecoder(InferContext& ctx) {
  if (ctx.dtype(0) != DType::kUInt8 || ctx.input(0).quantized()) {
    return absl::InvalidArgumentError(absl::StrCat("input 0 is ", Name(ctx.dtype(0)), ", expected uint8 without quantization"));
  }
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, 1));
  OMKIT_ASSIGN_OR_RETURN(const PixelFormat format, FormatOf(ctx.attrs()));
  int64_t height = ctx.attrs().Int("height", kUnknownDim), width = ctx.attrs().Int("width", kUnknownDim);
  if (ctx.constant(0) != nullptr && height == kUnknownDim) {
    const absl::StatusOr<Picture> picture = Decode(*ctx.constant(0));
    if (!picture.ok() && !absl::IsInvalidArgument(picture.status())) return picture.status();
    height = picture.ok() ? picture->height : 0;
    width = picture.ok() ? picture->width : 0;
  }
  return SetOutputChecked(ctx, 0, DType::kUInt8, {height, width, format == PixelFormat::kGrayscale ? 1 : 3});
}

absl::Status EvalImageDecoder(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const PixelFormat format, FormatOf(ctx.attrs));
  Tensor& y = ctx.output(0);
  const absl::StatusOr<Picture> picture = Decode(ctx.input(0));
  if (!picture.ok()) return y.elements() == 0 && absl::IsInvalidArgument(picture.status()) ? absl::OkStatus() : picture.status();
  if (picture->height != y.shape().dim(0) || picture->width != y.shape().dim(1)) {
    return absl::InvalidArgumentError(absl::StrCat("the picture has ", picture->width, "x", picture->height, " pixels; the model declares ",
                                                   y.shape().dim(1), "x", y.shape().dim(0)));
  }
  auto* to = y.mutable_data<uint8_t>();
  for (size_t i = 0; i + 3 <= picture->rgb.size(); i += 3) {
    const uint8_t* rgb = &picture->rgb[i];
    if (format == PixelFormat::kGrayscale) *to++ = Luma(rgb);
    else to = format == PixelFormat::kRgb ? std::copy_n(rgb, 3, to) : std::reverse_copy(rgb, rgb + 3, to);
  }
  return absl::OkStatus();
}

}  // namespace omkit::ir
