// Pictures: JPEG, PNG, BMP, PNM, TIFF, WebP and JPEG 2000 files as 8-bit RGB, and PNG written. Floor 3: calibration from picture folders and
// the `aipp` tool read with it, and operator ImageDecoder through base/picture_decoder.h.
//
// The pixels are those that Pillow's Image.open(f).convert("RGB") and OpenCV's imread (but RGB) give: JPEG with the accurate integer
// DCT and smooth chroma upsampling, an alpha channel dropped, palettes and grey levels expanded, no colour management, no rotation by
// EXIF. Samples of other depths are scaled to 8 bits with rounding. Of several pictures in one file, the first.
#ifndef OMKIT_FRONTENDS_IMAGE_FILE_H_
#define OMKIT_FRONTENDS_IMAGE_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/picture_decoder.h"

namespace omkit::frontends {

using Image = Picture;

// Larger pictures are refused before memory is taken for them.
constexpr int64_t kMaxImageSide = 32768;
constexpr int64_t kMaxImagePixels = int64_t{1} << 26;
constexpr uint64_t kMaxImageFileBytes = uint64_t{1} << 29;

// True for names that end, in any case, as files of one of the formats do: .jpg, .jpeg, .png, .bmp, .ppm, ...
bool IsImageFileName(absl::string_view name);

// True for bytes that begin as a file of one of the formats does.
bool StartsAsImage(absl::string_view bytes);

// The format is told by the first bytes, whatever the name. Errors name the path: INVALID_ARGUMENT for anything that is not a whole, undamaged
// picture, with the decoder's reason; RESOURCE_EXHAUSTED beyond the limits above; those of ReadFile. Thread-safe.
absl::StatusOr<Image> ReadImageFile(const std::string& path);
// The same for bytes in memory.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes);

// A PNG file's bytes. INVALID_ARGUMENT when `rgb` does not fit the size or the size is out of the limits. Equal pictures give equal bytes.
absl::StatusOr<std::string> EncodePng(const Image& image);
absl::Status WritePngFile(const std::string& path, const Image& image);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_IMAGE_FILE_H_
