#include <csetjmp>
#include <cstddef>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "frontends/image_codecs.h"
#include "jpeglib.h"  // needs <cstdio> before it
//
#include "jerror.h"

namespace omkit::frontends {
namespace {

// A progressive picture of a few kilobytes may ask for thousands of passes over all pixels.
constexpr int kMaxScans = 200;

// libjpeg reports through callbacks and leaves with longjmp: what it passes over holds no C++ objects with destructors.
struct Decoder {
  jpeg_decompress_struct info = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf leave;
  char message[JMSG_LENGTH_MAX] = "";
};

Decoder* DecoderOf(j_common_ptr info) { return static_cast<Decoder*>(info->client_data); }

[[noreturn]] void Leave(j_common_ptr info) {
  Decoder* decoder = DecoderOf(info);
  info->err->format_message(info, decoder->message);
  std::longjmp(decoder->leave, 1);
}

// Warnings are damage that libjpeg would paint over, except those about bytes that carry no pixels.
void OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  const int code = info->err->msg_code;
  if (code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM || code == JWRN_BOGUS_ICC) return;
  Leave(info);
}

void OnProgress(j_common_ptr info) {
  Decoder* decoder = DecoderOf(info);
  if (decoder->info.input_scan_number <= kMaxScans) return;
  std::snprintf(decoder->message, sizeof(decoder->message), "more than %d scans", kMaxScans);
  std::longjmp(decoder->leave, 1);
}

void Prepare(Decoder* decoder) {
  decoder->info.err = jpeg_std_error(&decoder->errors);
  decoder->errors.error_exit = Leave;
  decoder->errors.emit_message = OnMessage;
  decoder->info.client_data = decoder;
  decoder->progress.progress_monitor = OnProgress;
}

// False: see decoder->message.
bool ReadHeader(Decoder* decoder, absl::string_view bytes) {
  if (setjmp(decoder->leave) != 0) return false;
  jpeg_create_decompress(&decoder->info);
  decoder->info.progress = &decoder->progress;
  jpeg_mem_src(&decoder->info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&decoder->info, TRUE);
  const bool inks = decoder->info.jpeg_color_space == JCS_CMYK || decoder->info.jpeg_color_space == JCS_YCCK;
  decoder->info.out_color_space = inks ? JCS_CMYK : JCS_RGB;
  return true;
}

// Reads all rows into `pixels`, which has room for them.
bool ReadRows(Decoder* decoder, uint8_t* pixels, size_t row_bytes) {
  if (setjmp(decoder->leave) != 0) return false;
  jpeg_start_decompress(&decoder->info);
  while (decoder->info.output_scanline < decoder->info.output_height) {
    JSAMPROW row = pixels + decoder->info.output_scanline * row_bytes;
    jpeg_read_scanlines(&decoder->info, &row, 1);
  }
  jpeg_finish_decompress(&decoder->info);
  return true;
}

// Inks are stored inverted by convention (Adobe's, which decoders assume of all): a value is how much light the ink lets through.
std::vector<uint8_t> RgbOfInks(const std::vector<uint8_t>& cmyk) {
  std::vector<uint8_t> rgb(cmyk.size() / 4 * 3);
  for (size_t i = 0; i < cmyk.size() / 4; ++i) {
    for (size_t c = 0; c < 3; ++c) rgb[3 * i + c] = static_cast<uint8_t>((cmyk[4 * i + c] * cmyk[4 * i + 3] + 127) / 255);
  }
  return rgb;
}

}  // namespace

absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes) {
  Decoder decoder;
  Prepare(&decoder);
  const auto fail = [&decoder] {
    jpeg_destroy_decompress(&decoder.info);
    return absl::InvalidArgumentError(absl::StrCat("damaged or unsupported JPEG: ", decoder.message));
  };
  if (!ReadHeader(&decoder, bytes)) return fail();
  Image image;
  image.width = decoder.info.image_width;
  image.height = decoder.info.image_height;
  if (absl::Status size = CheckImageSize(image.width, image.height); !size.ok()) {
    jpeg_destroy_decompress(&decoder.info);
    return size;
  }
  const bool inks = decoder.info.out_color_space == JCS_CMYK;
  const size_t row_bytes = static_cast<size_t>(image.width) * (inks ? 4 : 3);
  image.rgb.resize(static_cast<size_t>(image.height) * row_bytes);
  if (!ReadRows(&decoder, image.rgb.data(), row_bytes)) return fail();
  jpeg_destroy_decompress(&decoder.info);
  if (inks) image.rgb = RgbOfInks(image.rgb);
  return image;
}

}  // namespace omkit::frontends
