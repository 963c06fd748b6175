// Netpbm's P1 to P6: bitmaps, grey and colour, as text and as bytes. Of a file of several pictures, the first.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/image_codecs.h"

namespace omkit::frontends {
namespace {

class Text {
 public:
  explicit Text(absl::string_view bytes) : bytes_(bytes) {}
  // The next number of at most 6 digits; a '#' starts a comment up to the end of its line. -1 when there is none.
  int64_t Number(int most_digits = 6) {
    while (at_ < bytes_.size() && (absl::ascii_isspace(bytes_[at_]) || bytes_[at_] == '#')) {
      if (bytes_[at_] == '#') at_ = std::min(bytes_.size() - 1, bytes_.find('\n', at_));
      ++at_;
    }
    int64_t value = -1;
    for (int digits = 0; digits < most_digits && at_ < bytes_.size() && absl::ascii_isdigit(bytes_[at_]); ++digits) {
      value = std::max<int64_t>(value, 0) * 10 + (bytes_[at_++] - '0');
    }
    return value;
  }
  // What lies behind the one blank after the last number.
  absl::string_view Rest() const { return bytes_.substr(std::min(bytes_.size(), at_ + 1)); }

 private:
  absl::string_view bytes_;
  size_t at_ = 2;
};

struct Header {
  int64_t width, height, most = 1;
  int channels;
  bool text, bits;
};

// Samples as numbers of 0 to `most`; empty when the file ends too early.
std::vector<uint16_t> ReadSamples(const Header& h, Text& text) {
  const size_t row = static_cast<size_t>(h.width) * h.channels, count = row * h.height;
  std::vector<uint16_t> samples;
  if (h.text) {
    for (size_t i = 0; i < count; ++i) {
      const int64_t value = text.Number(h.bits ? 1 : 6);
      if (value < 0) return {};
      samples.push_back(static_cast<uint16_t>(std::min(value, h.most)));
    }
    return samples;
  }
  const absl::string_view bytes = text.Rest();
  const size_t width = h.most > 255 ? 2 : 1, row_bytes = h.bits ? (row + 7) / 8 : row * width;
  if (bytes.size() / row_bytes < static_cast<size_t>(h.height)) return {};
  samples.reserve(count);
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  for (int64_t y = 0; y < h.height; ++y) {
    const size_t start = y * row_bytes;
    for (size_t i = 0; i < row; ++i) {
      const int value = h.bits       ? byte(start + i / 8) >> (7 - i % 8) & 1
                        : width == 1 ? byte(start + i)
                                     : byte(start + 2 * i) << 8 | byte(start + 2 * i + 1);
      samples.push_back(static_cast<uint16_t>(std::min<int64_t>(value, h.most)));
    }
  }
  return samples;
}

}  // namespace

bool IsPnm(absl::string_view bytes) {
  return bytes.size() >= 8 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' && (absl::ascii_isspace(bytes[2]) || bytes[2] == '#');
}

absl::StatusOr<Image> DecodePnm(absl::string_view bytes) {
  const int kind = bytes[1] - '0';
  Text text(bytes);
  Header h;
  h.text = kind <= 3;
  h.bits = kind == 1 || kind == 4;
  h.channels = kind == 3 || kind == 6 ? 3 : 1;
  h.width = text.Number();
  h.height = text.Number();
  if (!h.bits) h.most = text.Number();
  OMKIT_RETURN_IF_ERROR(CheckImageSize(h.width, h.height));
  if (h.most < 1 || h.most > 65535) return absl::InvalidArgumentError(absl::StrCat("damaged PNM: its largest value is ", h.most));
  const std::vector<uint16_t> samples = ReadSamples(h, text);
  if (samples.empty()) return absl::InvalidArgumentError("damaged PNM: it ends too early");
  Image image{h.width, h.height, {}};
  image.rgb.reserve(static_cast<size_t>(h.width) * h.height * 3);
  for (const uint16_t sample : samples) {
    const auto value = static_cast<uint8_t>(h.bits ? 255 * (1 - sample) : (sample * 255 + h.most / 2) / h.most);
    image.rgb.insert(image.rgb.end(), h.channels == 3 ? 1 : 3, value);
  }
  return image;
}

}  // namespace omkit::frontends
