#include "frontends/image_file.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/file.h"
#include "base/status.h"
#include "frontends/image_codecs.h"

namespace omkit::frontends {

absl::Status CheckImageSize(int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) return absl::InvalidArgumentError(absl::StrCat("picture of ", width, "x", height, " pixels"));
  if (width > kMaxImageSide || height > kMaxImageSide || !(CheckedSize(width) * height).FitsIn(kMaxImagePixels)) {
    return absl::ResourceExhaustedError(absl::StrCat("picture of ", width, "x", height, " pixels is over the limit of ", kMaxImageSide,
                                                     " per side and ", kMaxImagePixels, " in all"));
  }
  return absl::OkStatus();
}

bool IsImageFileName(absl::string_view name) {
  for (const absl::string_view suffix : {".jpg", ".jpeg", ".png"}) {
    if (absl::EndsWithIgnoreCase(name, suffix)) return true;
  }
  return false;
}

namespace {

constexpr absl::string_view kJpegStart = "\xff\xd8";
constexpr absl::string_view kPngStart = "\x89PNG\r\n\x1a\n";

}  // namespace

bool StartsAsImage(absl::string_view bytes) { return absl::StartsWith(bytes, kJpegStart) || absl::StartsWith(bytes, kPngStart); }

absl::StatusOr<Image> DecodeImage(absl::string_view bytes) {
  if (absl::StartsWith(bytes, kJpegStart)) return DecodeJpeg(bytes);
  if (absl::StartsWith(bytes, kPngStart)) return DecodePng(bytes);
  if (bytes.empty()) return absl::InvalidArgumentError("the file is empty");
  return absl::InvalidArgumentError(absl::StrCat("neither a JPEG nor a PNG picture: it starts with '", absl::CHexEscape(bytes.substr(0, 8)), "'"));
}

absl::StatusOr<Image> ReadImageFile(const std::string& path) {
  OMKIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxImageFileBytes));
  absl::StatusOr<Image> image = DecodeImage(bytes);
  if (!image.ok()) return Annotate(image.status(), absl::StrCat("'", path, "'"));
  return image;
}

absl::Status WritePngFile(const std::string& path, const Image& image) {
  absl::StatusOr<std::string> bytes = EncodePng(image);
  if (!bytes.ok()) return Annotate(bytes.status(), absl::StrCat("'", path, "'"));
  return WriteFile(path, *bytes);
}

}  // namespace omkit::frontends
