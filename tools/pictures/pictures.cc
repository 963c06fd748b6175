// libomkit_pictures.so: the picture codecs behind the C functions of base/picture_decoder.h, for processes that do not link them.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/picture_decoder.h"
#include "frontends/image_file.h"

namespace {

int Fail(OmkitPictureResult result, absl::string_view why, OmkitPicture* picture) {
  const size_t size = std::min(why.size(), sizeof(picture->message) - 1);
  std::memcpy(picture->message, why.data(), size);
  picture->message[size] = '\0';
  return result;
}

}  // namespace

extern "C" {

int omkit_picture_abi() { return OMKIT_PICTURES_ABI; }

int omkit_picture_decode(const void* bytes, size_t size, OmkitPicture* picture) {
  *picture = {};
  const absl::StatusOr<omkit::Picture> decoded = omkit::frontends::DecodeImage({static_cast<const char*>(bytes), size});
  if (!decoded.ok()) {
    return Fail(absl::IsResourceExhausted(decoded.status()) ? kOmkitPictureTooLarge : kOmkitPictureUnreadable, decoded.status().message(), picture);
  }
  picture->rgb = static_cast<uint8_t*>(std::malloc(decoded->rgb.size()));
  if (picture->rgb == nullptr) return Fail(kOmkitPictureTooLarge, "no memory for the picture", picture);
  std::memcpy(picture->rgb, decoded->rgb.data(), decoded->rgb.size());
  picture->width = decoded->width;
  picture->height = decoded->height;
  return kOmkitPictureOk;
}

void omkit_picture_free(OmkitPicture* picture) {
  std::free(picture->rgb);
  picture->rgb = nullptr;
}
}
