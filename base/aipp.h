// What AIPP's parameters mean: sizes, checks, tables, and the two forms in which they travel. Floor 1: the compiler, the kernels' compile
// and load side and the AscendCL API share it.
//
//   text   "aipp_mode: static network: 1x3x224x224 input_format: YUV420SP_U8 src_image_size_w: 1920 ...", an operator's attribute and a
//          manifest entry of an offline model
//   bytes  the model input "ascend_dynamic_aipp_data" of dynamic AIPP (CANN, dynamic_aipp.h): 64 bytes for all images, 96 for each one
#ifndef OMKIT_BASE_AIPP_H_
#define OMKIT_BASE_AIPP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/aipp_spec.h"

namespace omkit::aipp {

enum class Colours { kYuv, kRgb, kGrey };

struct FormatRow {
  const char* name;
  Format format;
  int bytes_of_four;  // pixels, 2 x 2
  int components;
  Colours colours;
  int channels;
};
absl::Span<const FormatRow> Formats();
// nullptr for a number that is no format of omkit.
const FormatRow* FindFormat(Format format);

// Limits of CANN's documentation.
constexpr int32_t kMaxSourceSize = 4096;
constexpr int32_t kMaxPaddedWidth = 1080;

// What stands in front of one model input.
struct Stage {
  bool dynamic = false;
  int64_t max_src_image_size = 0;                          // dynamic: bytes of the image input
  int64_t batch = 0, channels = 0, height = 0, width = 0;  // of the network's input
  Spec spec;                                               // static; unused otherwise
};

struct Size {
  int32_t w, h;
};
// Of the picture that colour conversion sees.
Size CroppedSize(const Spec& spec);
// Behind resize, before padding.
Size InnerSize(const Spec& spec);
// What the network gets.
Size OutputSize(const Spec& spec);
// Bytes of one source image; the format must be known and the sizes be in [0, 2^20].
int64_t ImageBytes(Format format, int32_t w, int32_t h);
// Bytes of the image input of a stage, all images.
int64_t SourceBytes(const Stage& stage);
// The image input's shape as NHWC with one byte per element, for example 1x1620x1920x1 for one YUV420SP image of 1920x1080; dynamic: one
// dimension.
std::vector<int64_t> SourceDims(const Stage& stage);

// OK when the image can be processed without leaving its bytes and every rule of CANN's documentation holds. The message names the field
// of the configuration file, its value and the limit.
absl::Status Check(const Spec& spec);
// Check, and what the stage's network needs: the size, the number of channels, and numbers that are safe to multiply.
absl::Status Check(const Stage& stage);

// (x - mean - min) * var_reci of one channel for all 256 pixels, computed in double and rounded once.
void NormalisationTable(const Spec& spec, int channel, float table[256]);
// padding_value, or a pixel when the network takes bytes.
uint8_t PaddingByte(const Spec& spec);

// Bilinear, centres aligned: output i reads around (i + 0.5) * in / out - 0.5, clamped to the image. Exact: positions are fractions.
std::vector<Tap> ResizeTaps(int32_t in, int32_t out);

std::string ToText(const Stage& stage);
// Reads text that may be hostile and checks it with Check.
absl::StatusOr<Stage> FromText(absl::string_view text);

// The input of dynamic AIPP.
constexpr char kDynamicInputName[] = "ascend_dynamic_aipp_data";
constexpr int64_t kMaxBatch = 127;  // the number's field has 8 bits
constexpr size_t kHeadBytes = 64;
constexpr size_t kItemBytes = 96;
constexpr size_t DynamicBytes(int64_t batch) { return kHeadBytes + kItemBytes * static_cast<size_t>(batch); }
// One Spec per image; those fields that all images share are taken from the first. `bytes` has room for DynamicBytes(images.size()).
void EncodeDynamic(absl::Span<const Spec> images, uint8_t* bytes);
// The parameters of image `index`; unchecked.
Spec DecodeDynamic(const uint8_t* bytes, int64_t index);
// The same, checked: Check(Spec) holds, nothing is resized, all images of the stage lie inside max_src_image_size bytes, and the result is
// what the stage's network takes. Allocates nothing when all is well.
absl::StatusOr<Spec> DynamicImage(const Stage& stage, const uint8_t* bytes, int64_t index);

}  // namespace omkit::aipp

#endif  // OMKIT_BASE_AIPP_H_
