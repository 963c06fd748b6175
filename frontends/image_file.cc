#include "frontends/image_file.h"

#include <algorithm>

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

namespace {

bool IsJpeg(absl::string_view bytes) { return absl::StartsWith(bytes, "\xff\xd8"); }
bool IsPng(absl::string_view bytes) { return absl::StartsWith(bytes, "\x89PNG\r\n\x1a\n"); }
bool IsJpeg2000(absl::string_view bytes) {
  return absl::StartsWith(bytes, kJ2kStart) || absl::StartsWith(bytes, absl::string_view("\0\0\0\x0cjP  \r\n\x87\n", 12));
}
bool IsTiff(absl::string_view bytes) {
  for (const absl::string_view start : {absl::string_view("II*\0", 4), absl::string_view("MM\0*", 4), absl::string_view("II+\0", 4)}) {
    if (absl::StartsWith(bytes, start)) return true;
  }
  return false;
}
bool IsWebp(absl::string_view bytes) { return bytes.size() >= 16 && absl::StartsWith(bytes, "RIFF") && bytes.substr(8, 4) == "WEBP"; }

struct Format {
  bool (*starts)(absl::string_view bytes);
  absl::StatusOr<Image> (*decode)(absl::string_view bytes);
  std::vector<absl::string_view> suffixes;
};

const std::vector<Format>& Formats() {
  static const auto* const formats = new std::vector<Format>{
      {IsJpeg, DecodeJpeg, {".jpg", ".jpeg"}},
      {IsPng, DecodePng, {".png"}},
      {IsBmp, DecodeBmp, {".bmp"}},
      {IsPnm, DecodePnm, {".ppm", ".pgm", ".pbm", ".pnm"}},
      {IsTiff, DecodeTiff, {".tif", ".tiff"}},
      {IsWebp, DecodeWebp, {".webp"}},
      {IsJpeg2000, DecodeJpeg2000, {".jp2", ".j2k"}},
  };
  return *formats;
}

}  // namespace

bool IsImageFileName(absl::string_view name) {
  for (const Format& format : Formats()) {
    for (const absl::string_view suffix : format.suffixes) {
      if (absl::EndsWithIgnoreCase(name, suffix)) return true;
    }
  }
  return false;
}

bool StartsAsImage(absl::string_view bytes) {
  return std::any_of(Formats().begin(), Formats().end(), [bytes](const Format& format) { return format.starts(bytes); });
}

absl::StatusOr<Image> DecodeImage(absl::string_view bytes) {
  for (const Format& format : Formats()) {
    if (format.starts(bytes)) return format.decode(bytes);
  }
  if (bytes.empty()) return absl::InvalidArgumentError("the file is empty");
  return absl::InvalidArgumentError(absl::StrCat("no picture of a known format (JPEG, PNG, BMP, PNM, TIFF, WebP, JPEG 2000): it starts with '",
                                                 absl::CHexEscape(bytes.substr(0, 8)), "'"));
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
