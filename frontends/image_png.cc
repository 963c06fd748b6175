#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/image_codecs.h"
#include "png.h"

namespace omkit::frontends {
namespace {

// One PNG stream in memory. libpng reports errors through a callback and leaves with longjmp: what it passes over holds no C++ objects
// with destructors.
struct Stream {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const char* data = nullptr;  // read from here
  size_t left = 0;
  std::string* out = nullptr;  // or written there
  std::jmp_buf leave;
  char message[200] = "";
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  auto* stream = static_cast<Stream*>(png_get_error_ptr(png));
  std::strncpy(stream->message, message, sizeof(stream->message) - 1);
  std::longjmp(stream->leave, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep to, size_t bytes) {
  auto* stream = static_cast<Stream*>(png_get_io_ptr(png));
  if (bytes > stream->left) png_error(png, "the file ends too early");
  std::memcpy(to, stream->data, bytes);
  stream->data += bytes;
  stream->left -= bytes;
}

void OnWrite(png_structp png, png_bytep from, size_t bytes) {
  static_cast<Stream*>(png_get_io_ptr(png))->out->append(reinterpret_cast<const char*>(from), bytes);
}

// Sets the transformations to 8-bit RGB.
bool ReadHeader(Stream* stream) {
  if (setjmp(stream->leave) != 0) return false;
  png_structp png = stream->png;
  png_set_user_limits(png, kMaxImageSide, kMaxImageSide);
  png_set_chunk_cache_max(png, 1000);
  png_set_chunk_malloc_max(png, 8 << 20);
  png_set_read_fn(png, stream, OnRead);
  png_read_info(png, stream->info);
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_strip_alpha(png);
  png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  return true;
}

bool ReadRows(Stream* stream, png_bytepp rows, size_t row_bytes) {
  if (setjmp(stream->leave) != 0) return false;
  png_read_update_info(stream->png, stream->info);
  if (png_get_rowbytes(stream->png, stream->info) != row_bytes) png_error(stream->png, "not convertible to 8-bit RGB");
  png_read_image(stream->png, rows);
  png_read_end(stream->png, nullptr);
  return true;
}

bool WriteRows(Stream* stream, const Image& image, png_bytepp rows) {
  if (setjmp(stream->leave) != 0) return false;
  png_structp png = stream->png;
  png_set_write_fn(png, stream, OnWrite, nullptr);
  png_set_compression_level(png, 6);
  png_set_IHDR(png, stream->info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8, PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, stream->info);
  png_write_image(png, rows);
  png_write_end(png, stream->info);
  return true;
}

}  // namespace

absl::StatusOr<Image> DecodePng(absl::string_view bytes) {
  Stream stream;
  stream.data = bytes.data();
  stream.left = bytes.size();
  stream.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &stream, OnError, OnWarning);
  if (stream.png != nullptr) stream.info = png_create_info_struct(stream.png);
  const auto done = [&stream](absl::Status status) {
    png_destroy_read_struct(&stream.png, &stream.info, nullptr);
    return status;
  };
  const auto damaged = [&stream] { return absl::InvalidArgumentError(absl::StrCat("damaged or unsupported PNG: ", stream.message)); };
  if (stream.info == nullptr) return done(absl::ResourceExhaustedError("no memory for the PNG decoder"));
  if (!ReadHeader(&stream)) return done(damaged());
  Image image;
  image.width = png_get_image_width(stream.png, stream.info);
  image.height = png_get_image_height(stream.png, stream.info);
  if (absl::Status size = CheckImageSize(image.width, image.height); !size.ok()) return done(size);
  const size_t row_bytes = static_cast<size_t>(image.width) * 3;
  image.rgb.resize(static_cast<size_t>(image.height) * row_bytes);
  std::vector<png_bytep> rows(static_cast<size_t>(image.height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = image.rgb.data() + y * row_bytes;
  if (!ReadRows(&stream, rows.data(), row_bytes)) return done(damaged());
  OMKIT_RETURN_IF_ERROR(done(absl::OkStatus()));
  return image;
}

absl::StatusOr<std::string> EncodePng(const Image& image) {
  OMKIT_RETURN_IF_ERROR(CheckImageSize(image.width, image.height));
  const size_t row_bytes = static_cast<size_t>(image.width) * 3;
  if (image.rgb.size() != static_cast<size_t>(image.height) * row_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(image.rgb.size(), " bytes of pixels for a picture of ", image.width, "x", image.height, " RGB pixels"));
  }
  std::string bytes;
  Stream stream;
  stream.out = &bytes;
  stream.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &stream, OnError, OnWarning);
  if (stream.png != nullptr) stream.info = png_create_info_struct(stream.png);
  bool written = false;
  if (stream.info != nullptr) {
    // libpng takes rows that it could write to, and does not.
    std::vector<png_bytep> rows(static_cast<size_t>(image.height));
    for (size_t y = 0; y < rows.size(); ++y) rows[y] = const_cast<png_bytep>(image.rgb.data()) + y * row_bytes;
    written = WriteRows(&stream, image, rows.data());
  }
  png_destroy_write_struct(&stream.png, &stream.info);
  if (!written) return absl::InternalError(absl::StrCat("PNG encoder: ", stream.message));
  return bytes;
}

}  // namespace omkit::frontends
