#include "base/aipp.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/checked.h"
#include "base/dtype.h"
#include "base/status.h"

namespace omkit::aipp {
namespace {

constexpr FormatRow kFormats[] = {
#define OMKIT_AIPP_FORMAT(name, number, bytes, components, colours, channels) \
  {#name, static_cast<Format>(number), bytes, components, Colours::k##colours, channels},
#include "base/aipp_formats.inc"
#undef OMKIT_AIPP_FORMAT
};

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status InRange(absl::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Wrong(field, " is ", value, ", but must be in [", low, ",", high, "]");
}

absl::Status FloatInRange(absl::string_view field, float value, float low, float high) {
  if (std::isfinite(value) && value >= low && value <= high) return absl::OkStatus();
  return Wrong(field, " is ", value, ", but must be in [", low, ",", high, "]");
}

absl::Status Even(absl::string_view field, int32_t value, const FormatRow& format) {
  if (value % 2 == 0) return absl::OkStatus();
  return Wrong(field, " is ", value, ", but must be even for ", format.name);
}

// Which sizes chroma shared by two pixels makes even.
bool EvenWidth(Format f) { return f == Format::kYuv420sp || f == Format::kYuyv || f == Format::kYuv422sp; }
bool EvenHeight(Format f) { return f == Format::kYuv420sp; }

absl::Status CheckSource(const Spec& s, const FormatRow& format) {
  OMKIT_RETURN_IF_ERROR(InRange("src_image_size_w", s.src_w, 2, kMaxSourceSize));
  OMKIT_RETURN_IF_ERROR(InRange("src_image_size_h", s.src_h, 1, kMaxSourceSize));
  if (EvenWidth(s.format)) OMKIT_RETURN_IF_ERROR(Even("src_image_size_w", s.src_w, format));
  if (EvenHeight(s.format)) OMKIT_RETURN_IF_ERROR(Even("src_image_size_h", s.src_h, format));
  return absl::OkStatus();
}

absl::Status CheckCrop(const Spec& s, const FormatRow& format) {
  OMKIT_RETURN_IF_ERROR(InRange("load_start_pos_w", s.crop_x, 0, kMaxSourceSize - 1));
  OMKIT_RETURN_IF_ERROR(InRange("load_start_pos_h", s.crop_y, 0, kMaxSourceSize - 1));
  OMKIT_RETURN_IF_ERROR(InRange("crop_size_w", s.crop_w, 1, kMaxSourceSize));
  OMKIT_RETURN_IF_ERROR(InRange("crop_size_h", s.crop_h, 1, kMaxSourceSize));
  if (EvenWidth(s.format)) OMKIT_RETURN_IF_ERROR(Even("load_start_pos_w", s.crop_x, format));
  if (EvenHeight(s.format)) {
    OMKIT_RETURN_IF_ERROR(Even("load_start_pos_h", s.crop_y, format));
    OMKIT_RETURN_IF_ERROR(Even("crop_size_w", s.crop_w, format));
    OMKIT_RETURN_IF_ERROR(Even("crop_size_h", s.crop_h, format));
  }
  if (s.crop_x + s.crop_w > s.src_w) {
    return Wrong("load_start_pos_w ", s.crop_x, " + crop_size_w ", s.crop_w, " is more than src_image_size_w ", s.src_w);
  }
  if (s.crop_y + s.crop_h > s.src_h) {
    return Wrong("load_start_pos_h ", s.crop_y, " + crop_size_h ", s.crop_h, " is more than src_image_size_h ", s.src_h);
  }
  return absl::OkStatus();
}

absl::Status CheckConversion(const Spec& s, const FormatRow& format) {
  if (format.colours == Colours::kGrey) return Wrong("csc_switch is on, but ", format.name, " has no colours to convert");
  for (int i = 0; i < 9; ++i) OMKIT_RETURN_IF_ERROR(InRange(absl::StrCat("matrix_r", i / 3, "c", i % 3), s.matrix[i], INT16_MIN, INT16_MAX));
  for (int i = 0; i < 3; ++i) {
    OMKIT_RETURN_IF_ERROR(InRange(absl::StrCat("input_bias_", i), s.in_bias[i], 0, 255));
    OMKIT_RETURN_IF_ERROR(InRange(absl::StrCat("output_bias_", i), s.out_bias[i], 0, 255));
  }
  return absl::OkStatus();
}

absl::Status CheckResize(const Spec& s) {
  OMKIT_RETURN_IF_ERROR(InRange("resize_output_w", s.resize_w, 16, 1920));
  OMKIT_RETURN_IF_ERROR(InRange("resize_output_h", s.resize_h, 16, 4096));
  const Size from = CroppedSize(s);
  const auto ratio = [](absl::string_view field, int32_t in, int32_t out) {
    if (out <= 16 * in && in <= 16 * out) return absl::OkStatus();
    return Wrong(field, " ", out, " for an image of ", in, ": the ratio must be in [1/16,16]");
  };
  OMKIT_RETURN_IF_ERROR(ratio("resize_output_w", from.w, s.resize_w));
  return ratio("resize_output_h", from.h, s.resize_h);
}

absl::Status CheckPadding(const Spec& s) {
  OMKIT_RETURN_IF_ERROR(InRange("left_padding_size", s.pad_left, 0, 32));
  OMKIT_RETURN_IF_ERROR(InRange("right_padding_size", s.pad_right, 0, 32));
  OMKIT_RETURN_IF_ERROR(InRange("top_padding_size", s.pad_top, 0, 32));
  OMKIT_RETURN_IF_ERROR(InRange("bottom_padding_size", s.pad_bottom, 0, 32));
  OMKIT_RETURN_IF_ERROR(FloatInRange("padding_value", s.padding_value, -65504, 65504));
  return InRange("the width behind padding", OutputSize(s).w, 1, kMaxPaddedWidth);
}

absl::Status CheckNormalisation(const Spec& s) {
  for (int i = 0; i < 4; ++i) {
    OMKIT_RETURN_IF_ERROR(FloatInRange(absl::StrCat("mean_chn_", i), s.mean[i], 0, 255));
    OMKIT_RETURN_IF_ERROR(FloatInRange(absl::StrCat("min_chn_", i), s.min[i], 0, 255));
    OMKIT_RETURN_IF_ERROR(FloatInRange(absl::StrCat("var_reci_chn_", i), s.var_reci[i], -65504, 65504));
  }
  return absl::OkStatus();
}

// A conversion to grey: the second and the third component are nothing.
bool OneComponent(const Spec& s) {
  return s.csc != 0 && std::all_of(s.matrix + 3, s.matrix + 9, [](int32_t v) { return v == 0; }) && s.out_bias[1] == 0 && s.out_bias[2] == 0;
}

absl::Status CheckFits(const Stage& stage, const Spec& spec) {
  const Size out = OutputSize(spec);
  if (out.w != stage.width || out.h != stage.height) {
    return Wrong("AIPP makes images of ", out.w, "x", out.h, " (w x h), but the network takes ", stage.width, "x", stage.height);
  }
  const FormatRow& format = *FindFormat(spec.format);
  if (format.components != stage.channels && !(stage.channels == 1 && OneComponent(spec))) {
    return Wrong("AIPP makes ", format.components, " channels of ", format.name, ", but the network takes ", stage.channels,
                 stage.channels == 1 ? " (for grey: csc_switch with rows r1 and r2 of the matrix 0)" : "");
  }
  return absl::OkStatus();
}

std::string Shown(float value) { return absl::StrFormat("%.9g", value); }
std::string Shown(int32_t value) { return absl::StrCat(value); }

bool ReadNumber(absl::string_view text, int32_t* value) { return absl::SimpleAtoi(text, value); }
bool ReadNumber(absl::string_view text, float* value) { return absl::SimpleAtof(text, value); }

bool ReadField(absl::string_view name, absl::string_view text, Spec* spec) {
#define OMKIT_AIPP_FIELD(kind, field, member, default) \
  if (name == #field) return ReadNumber(text, &spec->member);
#include "base/aipp_fields.inc"
#undef OMKIT_AIPP_FIELD
  return false;
}

bool ReadDims(absl::string_view text, Stage* stage) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, 'x');
  int64_t* const dims[] = {&stage->batch, &stage->channels, &stage->height, &stage->width};
  if (parts.size() != 4) return false;
  for (int i = 0; i < 4; ++i) {
    if (!absl::SimpleAtoi(parts[i], dims[i])) return false;
  }
  return true;
}

bool ReadFormat(absl::string_view text, Spec* spec) {
  for (const FormatRow& row : kFormats) {
    if (text == row.name) spec->format = row.format;
  }
  return spec->format != Format::kUndefined;
}

// Little-endian fields of the dynamic parameters.
template <typename T>
void Put(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}
template <typename T>
T Get(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

absl::Span<const FormatRow> Formats() { return kFormats; }

const FormatRow* FindFormat(Format format) {
  for (const FormatRow& row : kFormats) {
    if (row.format == format) return &row;
  }
  return nullptr;
}

Size CroppedSize(const Spec& s) { return s.crop != 0 ? Size{s.crop_w, s.crop_h} : Size{s.src_w, s.src_h}; }
Size InnerSize(const Spec& s) { return s.resize != 0 ? Size{s.resize_w, s.resize_h} : CroppedSize(s); }
Size OutputSize(const Spec& s) {
  const Size inner = InnerSize(s);
  return s.padding != 0 ? Size{inner.w + s.pad_left + s.pad_right, inner.h + s.pad_top + s.pad_bottom} : inner;
}

int64_t ImageBytes(Format format, int32_t w, int32_t h) { return int64_t{w} * h * FindFormat(format)->bytes_of_four / 4; }

int64_t SourceBytes(const Stage& stage) {
  return stage.dynamic ? stage.max_src_image_size : stage.batch * ImageBytes(stage.spec.format, stage.spec.src_w, stage.spec.src_h);
}

std::vector<int64_t> SourceDims(const Stage& stage) {
  if (stage.dynamic) return {stage.max_src_image_size};
  const Spec& s = stage.spec;
  if (s.format == Format::kYuv420sp) return {stage.batch, int64_t{s.src_h} * 3 / 2, s.src_w, 1};
  return {stage.batch, s.src_h, s.src_w, FindFormat(s.format)->bytes_of_four / 4};
}

absl::Status Check(const Spec& s) {
  const FormatRow* format = FindFormat(s.format);
  if (format == nullptr) return Wrong("input_format ", static_cast<int32_t>(s.format), " is not supported");
  OMKIT_RETURN_IF_ERROR(CheckSource(s, *format));
  if (s.crop != 0) OMKIT_RETURN_IF_ERROR(CheckCrop(s, *format));
  if (s.csc != 0) OMKIT_RETURN_IF_ERROR(CheckConversion(s, *format));
  if (s.resize != 0) OMKIT_RETURN_IF_ERROR(CheckResize(s));
  if (s.padding != 0) OMKIT_RETURN_IF_ERROR(CheckPadding(s));
  return CheckNormalisation(s);
}

absl::Status Check(const Stage& stage) {
  if (!(CheckedSize(stage.batch) * stage.channels * stage.height * stage.width).FitsIn(int64_t{1} << 32) || stage.batch < 1) {
    return Wrong("the network's input ", stage.batch, "x", stage.channels, "x", stage.height, "x", stage.width, " is no batch of images");
  }
  if (stage.channels != 1 && stage.channels != 3) return Wrong("the network's input has ", stage.channels, " channels, but AIPP makes 1 or 3");
  if (stage.dynamic) {
    OMKIT_RETURN_IF_ERROR(InRange("max_src_image_size", stage.max_src_image_size, 1, UINT32_MAX));
    OMKIT_RETURN_IF_ERROR(InRange("the width of the network's input", stage.width, 1, kMaxSourceSize));
    OMKIT_RETURN_IF_ERROR(InRange("the height of the network's input", stage.height, 1, kMaxSourceSize));
    return InRange("the batch size of the network", stage.batch, 1, kMaxBatch);
  }
  OMKIT_RETURN_IF_ERROR(Check(stage.spec));
  return CheckFits(stage, stage.spec);
}

void NormalisationTable(const Spec& spec, int channel, float table[256]) {
  const double mean = spec.mean[channel], min = spec.min[channel], factor = spec.var_reci[channel];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<float>((i - mean - min) * factor);
}

uint8_t PaddingByte(const Spec& spec) { return static_cast<uint8_t>(std::lrint(std::min(std::max(spec.padding_value, 0.0f), 255.0f))); }

std::vector<Tap> ResizeTaps(int32_t in, int32_t out) {
  std::vector<Tap> taps(static_cast<size_t>(out));
  const int64_t denominator = int64_t{2} * out;
  for (int32_t i = 0; i < out; ++i) {
    // Position numerator / denominator, split into its floor and a fraction in units of 1 / kResizeOne, rounded half up.
    const int64_t numerator = (int64_t{2} * i + 1) * in - out;
    int64_t first = numerator < 0 ? -1 : numerator / denominator;
    int64_t weight = numerator < 0 ? 0 : (numerator % denominator * kResizeOne + out) / denominator;
    if (weight == kResizeOne) weight = 0, ++first;
    if (first < 0) first = 0;
    if (first >= in - 1) first = in - 1, weight = 0;
    taps[i] = {static_cast<int32_t>(first), static_cast<int32_t>(std::min<int64_t>(first + 1, in - 1)), static_cast<int32_t>(weight)};
  }
  return taps;
}

std::string ToText(const Stage& stage) {
  std::string text = absl::StrFormat("aipp_mode: %s network: %dx%dx%dx%d", stage.dynamic ? "dynamic" : "static", stage.batch, stage.channels,
                                     stage.height, stage.width);
  if (stage.dynamic) return absl::StrCat(text, " max_src_image_size: ", stage.max_src_image_size);
  const FormatRow* format = FindFormat(stage.spec.format);
  absl::StrAppend(&text, " input_format: ", format == nullptr ? "UNDEFINED" : format->name);
#define OMKIT_AIPP_FIELD(kind, name, member, default) \
  if (stage.spec.member != default) absl::StrAppend(&text, " " #name ": ", Shown(stage.spec.member));
#include "base/aipp_fields.inc"
#undef OMKIT_AIPP_FIELD
  return text;
}

absl::StatusOr<Stage> FromText(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  Stage stage;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    absl::string_view name = words[i], value = words[i + 1];
    bool read = absl::ConsumeSuffix(&name, ":");
    if (name == "aipp_mode") stage.dynamic = value == "dynamic";
    else if (name == "network") read = read && ReadDims(value, &stage);
    else if (name == "input_format") read = read && ReadFormat(value, &stage.spec);
    else if (name == "max_src_image_size") read = read && absl::SimpleAtoi(value, &stage.max_src_image_size);
    else read = read && ReadField(name, value, &stage.spec);
    if (!read) return Wrong("AIPP parameters: cannot read '", name.substr(0, 40), ": ", value.substr(0, 40), "'");
  }
  if (words.size() % 2 != 0) return Wrong("AIPP parameters: '", words.back().substr(0, 40), "' has no value");
  OMKIT_RETURN_IF_ERROR(Annotate(Check(stage), "AIPP parameters"));
  return stage;
}

void EncodeDynamic(absl::Span<const Spec> images, uint8_t* bytes) {
  std::memset(bytes, 0, DynamicBytes(static_cast<int64_t>(images.size())));
  const Spec& all = images[0];
  Put<uint8_t>(bytes + 0, static_cast<uint8_t>(all.format));
  Put<int8_t>(bytes + 1, static_cast<int8_t>(all.csc));
  Put<int8_t>(bytes + 2, static_cast<int8_t>(all.rbuv_swap));
  Put<int8_t>(bytes + 3, static_cast<int8_t>(all.ax_swap));
  Put<int8_t>(bytes + 4, static_cast<int8_t>(images.size()));
  Put<int32_t>(bytes + 8, all.src_w);
  Put<int32_t>(bytes + 12, all.src_h);
  for (int i = 0; i < 9; ++i) Put<int16_t>(bytes + 16 + 2 * i, static_cast<int16_t>(all.matrix[i]));
  for (int i = 0; i < 3; ++i) Put<uint8_t>(bytes + 40 + i, static_cast<uint8_t>(all.out_bias[i]));
  for (int i = 0; i < 3; ++i) Put<uint8_t>(bytes + 43 + i, static_cast<uint8_t>(all.in_bias[i]));
  uint8_t* item = bytes + kHeadBytes;
  for (const Spec& s : images) {
    Put<int8_t>(item + 0, static_cast<int8_t>(s.crop));
    Put<int8_t>(item + 1, static_cast<int8_t>(s.resize));
    Put<int8_t>(item + 2, static_cast<int8_t>(s.padding));
    const int32_t numbers[] = {s.crop_x,   s.crop_y,   s.crop_w,  s.crop_h,     s.crop_w,   s.crop_h,
                               s.resize_w, s.resize_h, s.pad_top, s.pad_bottom, s.pad_left, s.pad_right};
    for (int i = 0; i < 12; ++i) Put<int32_t>(item + 8 + 4 * i, numbers[i]);
    for (int i = 0; i < 4; ++i) {
      Put<int16_t>(item + 56 + 2 * i, static_cast<int16_t>(s.mean[i]));
      Put<uint16_t>(item + 64 + 2 * i, ToFloat16(s.min[i]).bits);
      Put<uint16_t>(item + 72 + 2 * i, ToFloat16(s.var_reci[i]).bits);
    }
    item += kItemBytes;
  }
}

Spec DecodeDynamic(const uint8_t* bytes, int64_t index) {
  Spec s;
  s.format = static_cast<Format>(bytes[0]);
  s.csc = bytes[1] != 0;
  s.rbuv_swap = bytes[2] != 0;
  s.ax_swap = bytes[3] != 0;
  s.src_w = Get<int32_t>(bytes + 8);
  s.src_h = Get<int32_t>(bytes + 12);
  for (int i = 0; i < 9; ++i) s.matrix[i] = Get<int16_t>(bytes + 16 + 2 * i);
  for (int i = 0; i < 3; ++i) s.out_bias[i] = bytes[40 + i];
  for (int i = 0; i < 3; ++i) s.in_bias[i] = bytes[43 + i];
  const uint8_t* item = bytes + kHeadBytes + kItemBytes * static_cast<size_t>(index);
  s.crop = item[0] != 0;
  s.resize = item[1] != 0;
  s.padding = item[2] != 0;
  int32_t* const numbers[] = {&s.crop_x, &s.crop_y, &s.crop_w, &s.crop_h};
  for (int i = 0; i < 4; ++i) *numbers[i] = Get<int32_t>(item + 8 + 4 * i);
  s.resize_w = Get<int32_t>(item + 32);
  s.resize_h = Get<int32_t>(item + 36);
  int32_t* const pads[] = {&s.pad_top, &s.pad_bottom, &s.pad_left, &s.pad_right};
  for (int i = 0; i < 4; ++i) *pads[i] = Get<int32_t>(item + 40 + 4 * i);
  for (int i = 0; i < 4; ++i) {
    s.mean[i] = Get<int16_t>(item + 56 + 2 * i);
    s.min[i] = FromFloat16({Get<uint16_t>(item + 64 + 2 * i)});
    s.var_reci[i] = FromFloat16({Get<uint16_t>(item + 72 + 2 * i)});
  }
  return s;
}

absl::StatusOr<Spec> DynamicImage(const Stage& stage, const uint8_t* bytes, int64_t index) {
  const Spec spec = DecodeDynamic(bytes, index);
  if (spec.format == Format::kUndefined) return Wrong("the AIPP parameters have not been set");
  if (static_cast<int8_t>(bytes[4]) != stage.batch) {
    return Wrong("the AIPP parameters are for ", static_cast<int8_t>(bytes[4]), " images, but the model has a batch of ", stage.batch);
  }
  if (spec.resize != 0) return Wrong("dynamic AIPP does not resize (scf)");
  OMKIT_RETURN_IF_ERROR(Check(spec));
  OMKIT_RETURN_IF_ERROR(CheckFits(stage, spec));
  const int64_t need = stage.batch * ImageBytes(spec.format, spec.src_w, spec.src_h);
  if (need <= stage.max_src_image_size) return spec;
  return Wrong(stage.batch, " images of ", spec.src_w, "x", spec.src_h, " in ", FindFormat(spec.format)->name, " have ", need,
               " bytes, but max_src_image_size is ", stage.max_src_image_size);
}

}  // namespace omkit::aipp
