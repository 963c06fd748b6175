#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/image_codecs.h"
#include "openjpeg.h"

namespace omkit::frontends {
namespace {

constexpr int kMostTiles = 4096;
constexpr int kMostComponents = 4;
constexpr int kMostBits = 16;

struct Source {
  absl::string_view bytes;
  size_t at = 0;
  std::string message;
};

OPJ_SIZE_T OnRead(void* to, OPJ_SIZE_T size, void* user) {
  auto* source = static_cast<Source*>(user);
  const size_t count = std::min<size_t>(size, source->bytes.size() - source->at);
  if (count == 0) return static_cast<OPJ_SIZE_T>(-1);  // the end
  std::memcpy(to, source->bytes.data() + source->at, count);
  source->at += count;
  return count;
}

OPJ_OFF_T OnSkip(OPJ_OFF_T size, void* user) {
  auto* source = static_cast<Source*>(user);
  if (size < 0) return -1;
  source->at += std::min<size_t>(static_cast<size_t>(size), source->bytes.size() - source->at);
  return size;
}

OPJ_BOOL OnSeek(OPJ_OFF_T to, void* user) {
  auto* source = static_cast<Source*>(user);
  if (to < 0 || static_cast<size_t>(to) > source->bytes.size()) return OPJ_FALSE;
  source->at = static_cast<size_t>(to);
  return OPJ_TRUE;
}

void OnError(const char* message, void* user) { static_cast<Source*>(user)->message = message; }

uint64_t Number(absl::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// The code stream: the content of the first box "jp2c" of a JP2 file, or the file itself.
absl::string_view CodeStream(absl::string_view bytes) {
  if (absl::StartsWith(bytes, kJ2kStart)) return bytes;
  while (bytes.size() >= 8) {
    uint64_t size = Number(bytes, 0, 4), head = 8;
    if (size == 1 && bytes.size() >= 16) {
      size = Number(bytes, 8, 8);
      head = 16;
    }
    if (bytes.substr(4, 4) == "jp2c") return bytes.substr(std::min<size_t>(head, bytes.size()));
    if (size < head || size > bytes.size()) break;
    bytes.remove_prefix(size);
  }
  return "";
}

// OpenJPEG takes memory for every tile and component that the header announces: what is asked for is checked before. Segment SIZ of
// ISO/IEC 15444-1 A.5.1.
absl::Status CheckHeader(absl::string_view stream) {
  if (stream.size() < 42 || !absl::StartsWith(stream, kJ2kStart)) return absl::InvalidArgumentError("damaged JPEG 2000: no code stream");
  const uint64_t right = Number(stream, 8, 4), bottom = Number(stream, 12, 4), left = Number(stream, 16, 4), top = Number(stream, 20, 4);
  const uint64_t tile_width = Number(stream, 24, 4), tile_height = Number(stream, 28, 4), tile_left = Number(stream, 32, 4),
                 tile_top = Number(stream, 36, 4);
  const uint64_t components = Number(stream, 40, 2);
  if (right <= left || bottom <= top || tile_width == 0 || tile_height == 0 || tile_left > left || tile_top > top) {
    return absl::InvalidArgumentError("damaged JPEG 2000: the header's numbers contradict each other");
  }
  OMKIT_RETURN_IF_ERROR(CheckImageSize(static_cast<int64_t>(right - left), static_cast<int64_t>(bottom - top)));
  const uint64_t across = (right - tile_left + tile_width - 1) / tile_width, down = (bottom - tile_top + tile_height - 1) / tile_height;
  if (across > kMostTiles || down > kMostTiles || across * down > kMostTiles) {
    return absl::ResourceExhaustedError(absl::StrCat("JPEG 2000 of ", across, "x", down, " tiles; the limit is ", kMostTiles));
  }
  if (components < 1 || components > kMostComponents) {
    return absl::InvalidArgumentError(absl::StrCat("JPEG 2000 of ", components, " components; 1 to ", kMostComponents, " are read"));
  }
  return absl::OkStatus();
}

using Codec = std::unique_ptr<opj_codec_t, void (*)(opj_codec_t*)>;
using Stream = std::unique_ptr<opj_stream_t, void (*)(opj_stream_t*)>;
using Pixels = std::unique_ptr<opj_image_t, void (*)(opj_image_t*)>;

absl::Status CheckComponents(const opj_image_t& pixels) {
  if (pixels.color_space == OPJ_CLRSPC_SYCC || pixels.color_space == OPJ_CLRSPC_EYCC || pixels.color_space == OPJ_CLRSPC_CMYK) {
    return absl::InvalidArgumentError("JPEG 2000 in a colour space that is neither RGB nor grey");
  }
  for (OPJ_UINT32 c = 0; c < pixels.numcomps; ++c) {
    const opj_image_comp_t& part = pixels.comps[c];
    if (part.data == nullptr || part.w != pixels.comps[0].w || part.h != pixels.comps[0].h || part.prec < 1 || part.prec > kMostBits) {
      return absl::InvalidArgumentError("JPEG 2000 with components of different sizes, or of more than 16 bits");
    }
  }
  return pixels.numcomps > 0 ? absl::OkStatus() : absl::InvalidArgumentError("JPEG 2000 without components");
}

// In 8 bits, with rounding where there are others.
uint8_t Sample(const opj_image_comp_t& part, size_t i) {
  const int most = (1 << part.prec) - 1;
  const int value = std::clamp(part.data[i] + (part.sgnd != 0 ? 1 << (part.prec - 1) : 0), 0, most);
  return static_cast<uint8_t>(most == 255 ? value : (value * 255 + most / 2) / most);
}

}  // namespace

absl::StatusOr<Image> DecodeJpeg2000(absl::string_view bytes) {
  OMKIT_RETURN_IF_ERROR(CheckHeader(CodeStream(bytes)));
  Source source;
  source.bytes = bytes;
  const auto damaged = [&source] { return absl::InvalidArgumentError(absl::StrCat("damaged or unsupported JPEG 2000: ", source.message)); };
  const Codec codec(opj_create_decompress(absl::StartsWith(bytes, kJ2kStart) ? OPJ_CODEC_J2K : OPJ_CODEC_JP2), opj_destroy_codec);
  const Stream stream(opj_stream_create(size_t{1} << 16, OPJ_TRUE), opj_stream_destroy);
  if (codec == nullptr || stream == nullptr) return absl::ResourceExhaustedError("no memory for the JPEG 2000 decoder");
  opj_stream_set_read_function(stream.get(), OnRead);
  opj_stream_set_skip_function(stream.get(), OnSkip);
  opj_stream_set_seek_function(stream.get(), OnSeek);
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), bytes.size());
  opj_set_error_handler(codec.get(), OnError, &source);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (opj_setup_decoder(codec.get(), &parameters) == OPJ_FALSE) return damaged();
  opj_image_t* header = nullptr;
  const bool read = opj_read_header(stream.get(), codec.get(), &header) != OPJ_FALSE;
  const Pixels pixels(header, opj_image_destroy);
  if (!read || pixels == nullptr) return damaged();
  if (opj_decode(codec.get(), stream.get(), pixels.get()) == OPJ_FALSE || opj_end_decompress(codec.get(), stream.get()) == OPJ_FALSE)
    return damaged();
  OMKIT_RETURN_IF_ERROR(CheckComponents(*pixels));
  Image image{pixels->comps[0].w, pixels->comps[0].h, {}};
  OMKIT_RETURN_IF_ERROR(CheckImageSize(image.width, image.height));
  const size_t count = static_cast<size_t>(image.width) * image.height;
  image.rgb.resize(count * 3);
  const bool grey = pixels->numcomps < 3;
  for (int c = 0; c < 3; ++c) {
    for (size_t i = 0; i < count; ++i) image.rgb[3 * i + c] = Sample(pixels->comps[grey ? 0 : c], i);
  }
  return image;
}

}  // namespace omkit::frontends
