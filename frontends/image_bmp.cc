// Windows bitmaps: 1, 4, 8, 16, 24 and 32 bits a pixel, palettes and bit fields, rows in either order. Run lengths are refused.
#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/image_codecs.h"

namespace omkit::frontends {
namespace {

constexpr uint32_t kPlain = 0, kBitFields = 3;

class Fields {
 public:
  explicit Fields(absl::string_view bytes) : bytes_(bytes) {}
  // Little-endian; 0 behind the end.
  uint32_t Get(size_t at, int size) const {
    uint32_t value = 0;
    for (int i = size - 1; i >= 0; --i) value = value << 8 | (at + i < bytes_.size() ? static_cast<uint8_t>(bytes_[at + i]) : 0);
    return value;
  }

 private:
  absl::string_view bytes_;
};

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t pixels_at = 0, palette_at = 0, palette_entry = 4, colors = 0, bits = 0, compression = kPlain;
  std::array<uint32_t, 3> masks = {};  // red, green, blue
};

absl::StatusOr<Header> ReadHeader(absl::string_view bytes) {
  const Fields f(bytes);
  Header h;
  h.pixels_at = f.Get(10, 4);
  const uint32_t size = f.Get(14, 4);
  if (size != 12 && size < 40) return absl::InvalidArgumentError(absl::StrCat("BMP with a header of ", size, " bytes"));
  const bool old = size == 12;
  h.width = old ? f.Get(18, 2) : int64_t{static_cast<int32_t>(f.Get(18, 4))};
  h.height = old ? f.Get(20, 2) : int64_t{static_cast<int32_t>(f.Get(22, 4))};
  h.top_down = h.height < 0;
  h.height = std::abs(h.height);
  h.bits = f.Get(old ? 24 : 28, 2);
  h.compression = old ? kPlain : f.Get(30, 4);
  h.colors = old ? 0 : f.Get(46, 4);
  h.palette_entry = old ? 3 : 4;
  h.palette_at = 14 + size + (size == 40 && h.compression == kBitFields ? 12 : 0);
  if (h.bits <= 8 && (h.colors == 0 || h.colors > (1u << h.bits))) h.colors = 1u << h.bits;
  if (h.bits == 16) h.masks = {0x7c00, 0x3e0, 0x1f};
  if (h.bits == 32) h.masks = {0xff0000, 0xff00, 0xff};
  const bool fields = h.compression == kBitFields && (h.bits == 16 || h.bits == 32);
  if (fields) h.masks = {f.Get(54, 4), f.Get(58, 4), f.Get(62, 4)};
  if (h.compression != kPlain && !fields)
    return absl::InvalidArgumentError(absl::StrCat("BMP of compression ", h.compression, ", which is not read"));
  if (h.bits != 1 && h.bits != 4 && h.bits != 8 && h.bits != 16 && h.bits != 24 && h.bits != 32) {
    return absl::InvalidArgumentError(absl::StrCat("BMP of ", h.bits, " bits a pixel"));
  }
  return h;
}

uint8_t Masked(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = __builtin_ctz(mask);
  const uint32_t most = mask >> shift;
  return static_cast<uint8_t>((uint64_t{(pixel & mask) >> shift} * 255 + most / 2) / most);
}

}  // namespace

bool IsBmp(absl::string_view bytes) {
  const Fields f(bytes);
  return bytes.size() >= 26 && bytes.substr(0, 2) == "BM" && f.Get(10, 4) < bytes.size() &&
         (f.Get(14, 4) == 12 || (f.Get(14, 4) >= 40 && f.Get(14, 4) <= 256));
}

absl::StatusOr<Image> DecodeBmp(absl::string_view bytes) {
  OMKIT_ASSIGN_OR_RETURN(const Header h, ReadHeader(bytes));
  OMKIT_RETURN_IF_ERROR(CheckImageSize(h.width, h.height));
  const uint64_t row_bytes = (static_cast<uint64_t>(h.width) * h.bits + 31) / 32 * 4;
  if (h.pixels_at > bytes.size() || row_bytes * h.height > bytes.size() - h.pixels_at)
    return absl::InvalidArgumentError("damaged BMP: it ends too early");
  const Fields f(bytes);
  Image image{h.width, h.height, {}};
  image.rgb.reserve(static_cast<size_t>(h.width) * h.height * 3);
  for (int64_t y = 0; y < h.height; ++y) {
    const size_t row = h.pixels_at + (h.top_down ? y : h.height - 1 - y) * row_bytes;
    for (int64_t x = 0; x < h.width; ++x) {
      size_t blue_at = row + 3 * x;
      if (h.bits == 16 || h.bits == 32) {
        const uint32_t pixel = f.Get(row + x * (h.bits / 8), static_cast<int>(h.bits / 8));
        for (const uint32_t mask : h.masks) image.rgb.push_back(Masked(pixel, mask));
        continue;
      }
      if (h.bits <= 8) {
        const uint64_t bit = static_cast<uint64_t>(x) * h.bits;
        const uint32_t index = f.Get(row + bit / 8, 1) >> (8 - h.bits - bit % 8) & ((1u << h.bits) - 1);
        blue_at = h.palette_at + static_cast<size_t>(std::min(index, h.colors - 1)) * h.palette_entry;
      }
      for (const int c : {2, 1, 0}) image.rgb.push_back(static_cast<uint8_t>(f.Get(blue_at + c, 1)));
    }
  }
  return image;
}

}  // namespace omkit::frontends
