#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/image_codecs.h"
#include "webp/decode.h"

namespace omkit::frontends {

absl::StatusOr<Image> DecodeWebp(absl::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) return absl::InvalidArgumentError("damaged WebP: no header");
  if (features.has_animation != 0) return absl::InvalidArgumentError("an animated WebP, which is more than one picture");
  OMKIT_RETURN_IF_ERROR(CheckImageSize(features.width, features.height));
  Image image{features.width, features.height, {}};
  image.rgb.resize(static_cast<size_t>(image.width) * image.height * 3);
  if (WebPDecodeRGBInto(data, bytes.size(), image.rgb.data(), image.rgb.size(), static_cast<int>(image.width * 3)) == nullptr) {
    return absl::InvalidArgumentError("damaged or unsupported WebP");
  }
  return image;
}

}  // namespace omkit::frontends
