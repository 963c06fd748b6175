#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/image_codecs.h"
#include "tiffio.h"

namespace omkit::frontends {
namespace {

// A file in memory, and the last message about it.
struct Source {
  absl::string_view bytes;
  uint64_t at = 0;
  char message[200] = "";
};

tmsize_t OnRead(thandle_t handle, void* to, tmsize_t size) {
  auto* source = static_cast<Source*>(handle);
  const uint64_t left = source->bytes.size() - std::min<uint64_t>(source->at, source->bytes.size());
  const uint64_t count = std::min<uint64_t>(left, static_cast<uint64_t>(std::max<tmsize_t>(size, 0)));
  if (count > 0) std::memcpy(to, source->bytes.data() + source->at, count);
  source->at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t OnWrite(thandle_t, void*, tmsize_t) { return 0; }

toff_t OnSeek(thandle_t handle, toff_t offset, int whence) {
  auto* source = static_cast<Source*>(handle);
  source->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? source->at + offset : source->bytes.size() + offset;
  return source->at;
}

int OnClose(thandle_t) { return 0; }
toff_t OnSize(thandle_t handle) { return static_cast<Source*>(handle)->bytes.size(); }

int OnError(TIFF*, void* user, const char*, const char* format, va_list values) {
  auto* source = static_cast<Source*>(user);
  std::vsnprintf(source->message, sizeof(source->message), format, values);
  return 1;
}

int OnWarning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

// Four bytes a pixel in libtiff's own raster, and what its decoders need beside it.
constexpr tmsize_t kMostMemory = kMaxImagePixels * 4 + (tmsize_t{64} << 20);

using Tiff = std::unique_ptr<TIFF, void (*)(TIFF*)>;

Tiff Open(Source* source) {
  TIFFOpenOptions* const options = TIFFOpenOptionsAlloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options, OnError, source);
  TIFFOpenOptionsSetWarningHandlerExtR(options, OnWarning, source);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, kMostMemory);
  TIFFOpenOptionsSetMaxCumulatedMemAlloc(options, kMostMemory);
  // m: no mapping of the file.
  TIFF* const tiff = TIFFClientOpenExt("picture", "rm", source, OnRead, OnWrite, OnSeek, OnClose, OnSize, nullptr, nullptr, options);
  TIFFOpenOptionsFree(options);
  return Tiff(tiff, TIFFClose);
}

}  // namespace

absl::StatusOr<Image> DecodeTiff(absl::string_view bytes) {
  Source source;
  source.bytes = bytes;
  const auto damaged = [&source] { return absl::InvalidArgumentError(absl::StrCat("damaged or unsupported TIFF: ", source.message)); };
  const Tiff tiff = Open(&source);
  if (tiff == nullptr) return damaged();
  uint32_t width = 0, height = 0;
  if (TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width) != 1 || TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height) != 1) return damaged();
  OMKIT_RETURN_IF_ERROR(CheckImageSize(width, height));
  const size_t pixels = static_cast<size_t>(width) * height;
  std::vector<uint32_t> raster(pixels);
  if (TIFFReadRGBAImageOriented(tiff.get(), width, height, raster.data(), ORIENTATION_TOPLEFT, /*stop_on_error=*/1) != 1) return damaged();
  Image image{width, height, {}};
  image.rgb.resize(pixels * 3);
  for (size_t i = 0; i < pixels; ++i) {
    image.rgb[3 * i] = static_cast<uint8_t>(TIFFGetR(raster[i]));
    image.rgb[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(raster[i]));
    image.rgb[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(raster[i]));
  }
  return image;
}

}  // namespace omkit::frontends
