#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "tools/aipp/aipp.h"

namespace omkit::aipp_tool {
namespace {

using aipp::Colours;
using aipp::Format;

struct SourceWord {
  const char* word;
  Format format;
  bool rbuv_swap, ax_swap;  // so that the components come out in the order of `colours`
};

// Swaps make R, G, B or Y, U, V of the source's bytes.
constexpr SourceWord kSources[] = {
    {"nv12", Format::kYuv420sp, false, false}, {"nv21", Format::kYuv420sp, true, false}, {"yuyv", Format::kYuyv, false, false},
    {"nv16", Format::kYuv422sp, false, false}, {"nv61", Format::kYuv422sp, true, false}, {"ayuv", Format::kAyuv444, false, true},
    {"yuva", Format::kAyuv444, false, false},  {"grey", Format::kYuv400, false, false},  {"rgb", Format::kRgb888, false, false},
    {"bgr", Format::kRgb888, true, false},     {"xrgb", Format::kXrgb8888, false, true}, {"rgbx", Format::kXrgb8888, false, false},
    {"xbgr", Format::kXrgb8888, true, true},   {"bgrx", Format::kXrgb8888, true, false},
};

struct NetworkWord {
  const char* word;
  Colours colours;
  bool reversed;
};
constexpr NetworkWord kNetworks[] = {
    {"rgb", Colours::kRgb, false}, {"bgr", Colours::kRgb, true},    {"yuv", Colours::kYuv, false},
    {"yvu", Colours::kYuv, true},  {"grey", Colours::kGrey, false},
};

std::string Get(const Flags& flags, const char* name) {
  const auto it = flags.find(name);
  return it == flags.end() ? "" : it->second;
}

absl::Status Bad(absl::string_view flag, absl::string_view value, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", value, ": expected ", expected));
}

template <typename Row, size_t kCount>
absl::StatusOr<Row> Word(const Row (&rows)[kCount], absl::string_view flag, absl::string_view word) {
  std::vector<std::string> known;
  for (const Row& row : rows) {
    if (word == row.word) return row;
    known.push_back(row.word);
  }
  const std::string nearest = NearestName(word, known);
  return Bad(flag, word, absl::StrCat("one of ", absl::StrJoin(known, ", "), nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?")));
}

absl::Status ReadNumber(const Flags& flags, const char* name, int64_t least, int64_t most, int64_t* number) {
  const std::string text = Get(flags, name);
  if (text.empty()) return absl::OkStatus();
  if (absl::SimpleAtoi(text, number) && *number >= least && *number <= most) return absl::OkStatus();
  return Bad(name, text, absl::StrCat("a number from ", least, " to ", most));
}

// One number for all channels, or one for each.
absl::Status ReadChannels(const Flags& flags, const char* name, int64_t channels, std::vector<double>* values) {
  const std::string text = Get(flags, name);
  if (text.empty()) return absl::OkStatus();
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    double value = 0;
    if (!absl::SimpleAtod(part, &value) || !std::isfinite(value) || value < 0) return Bad(name, text, "numbers of 0 or more, separated by commas");
    values->push_back(value);
  }
  if (values->size() == 1) values->resize(static_cast<size_t>(channels), values->front());
  if (values->size() == static_cast<size_t>(channels)) return absl::OkStatus();
  return Bad(name, text, absl::StrCat("1 or ", channels, " numbers"));
}

absl::Status ReadCrop(const std::string& text, aipp::Spec* spec) {
  if (text.empty()) return absl::OkStatus();
  const std::vector<std::string> parts = absl::StrSplit(text, '+');
  bool good = ParseSize(parts[0], &spec->crop_w, &spec->crop_h) && (parts.size() == 1 || parts.size() == 3);
  if (good && parts.size() == 3) good = absl::SimpleAtoi(parts[1], &spec->crop_x) && absl::SimpleAtoi(parts[2], &spec->crop_y);
  if (!good) return Bad("crop", text, "WxH or WxH+X+Y, for example 1280x720+320+180");
  if (parts.size() == 1) {
    // Even, as shared chroma needs it.
    spec->crop_x = std::max(0, spec->src_w - spec->crop_w) / 4 * 2;
    spec->crop_y = std::max(0, spec->src_h - spec->crop_h) / 4 * 2;
  }
  spec->crop = spec->crop_w != spec->src_w || spec->crop_h != spec->src_h || spec->crop_x != 0 || spec->crop_y != 0;
  return absl::OkStatus();
}

// Resize or padding, whichever makes the picture the network's.
absl::Status FitSize(const Flags& flags, int32_t w, int32_t h, aipp::Spec* spec, std::ostream& notes) {
  const aipp::Size from = aipp::CroppedSize(*spec);
  const std::string pad = Get(flags, "pad");
  if (!pad.empty()) {
    if (!absl::SimpleAtof(pad, &spec->padding_value)) return Bad("pad", pad, "a number");
    const int32_t x = w - from.w, y = h - from.h;
    if (x < 0 || y < 0 || x > 64 || y > 64) {
      return absl::InvalidArgumentError(absl::StrCat("--pad: a picture of ", from.w, "x", from.h, " cannot be padded to ", w, "x", h,
                                                     "; padding adds 0 to 32 pixels on each side"));
    }
    spec->padding = 1;
    spec->pad_left = x / 2, spec->pad_right = x - x / 2;
    spec->pad_top = y / 2, spec->pad_bottom = y - y / 2;
    return absl::OkStatus();
  }
  if (from.w == w && from.h == h) return absl::OkStatus();
  spec->resize = 1;
  spec->resize_w = w;
  spec->resize_h = h;
  notes << "Note: the picture is resized from " << from.w << "x" << from.h << " to " << w << "x" << h
        << ", which works with omkit but is reserved on Ascend 310, 310P, 310B and 910. There crop to the network's size instead.\n";
  const double skew = static_cast<double>(from.w) * h / (static_cast<double>(from.h) * w);
  if (skew > 1.1 || skew < 0.9) notes << "Note: width and height change by different factors; --crop to the network's shape keeps proportions.\n";
  return absl::OkStatus();
}

absl::Status Normalise(const Flags& flags, int64_t channels, aipp::Spec* spec, std::ostream& notes) {
  std::vector<double> mean, deviation;
  OMKIT_RETURN_IF_ERROR(ReadChannels(flags, "mean", channels, &mean));
  OMKIT_RETURN_IF_ERROR(ReadChannels(flags, "std", channels, &deviation));
  if (mean.empty() && deviation.empty()) return absl::OkStatus();
  const auto small = [](const std::vector<double>& v) { return std::all_of(v.begin(), v.end(), [](double x) { return x <= 1; }); };
  const bool unit = small(mean) && small(deviation);
  if (!unit && !mean.empty() && !deviation.empty() && small(deviation) && !small(mean)) {
    return absl::InvalidArgumentError("--mean is in 0..255 and --std in 0..1: give both in the same units");
  }
  if (unit) notes << "Note: mean and std are taken as those of pixels in 0..1 and multiplied by 255.\n";
  const double scale = unit ? 255 : 1;
  for (int64_t c = 0; c < channels; ++c) {
    if (!mean.empty()) spec->mean[c] = static_cast<float>(mean[c] * scale);
    const double d = deviation.empty() ? scale : deviation[c] * scale;
    if (d <= 0) return Bad("std", Get(flags, "std"), "numbers above 0");
    spec->var_reci[c] = static_cast<float>(1 / d);
  }
  return absl::OkStatus();
}

absl::Status Convert(const Flags& flags, const SourceWord& source, const NetworkWord& network, aipp::Spec* spec) {
  const Colours from = aipp::FindFormat(source.format)->colours;
  const std::string name = Get(flags, "csc").empty() ? "bt601" : Get(flags, "csc");
  if (from == Colours::kGrey) {
    if (network.colours == Colours::kGrey) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("--network=", network.word, ": a grey source has no colours"));
  }
  if (from == network.colours) {
    // The order is the source's, or its reverse: the same switch.
    if (network.reversed) spec->rbuv_swap = 1 - spec->rbuv_swap;
    return absl::OkStatus();
  }
  const frontends::Conversion* conversion = frontends::FindConversion(name, from, network.colours);
  if (conversion == nullptr) {
    std::vector<std::string> known;
    for (const frontends::Conversion& row : frontends::Conversions()) {
      if (row.from == from && row.to == network.colours) known.push_back(row.name);
    }
    return Bad("csc", name, absl::StrCat("one of ", absl::StrJoin(known, ", ")));
  }
  frontends::UseConversion(*conversion, network.reversed, spec);
  return absl::OkStatus();
}

}  // namespace

bool ParseSize(absl::string_view text, int32_t* w, int32_t* h) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, 'x');
  return parts.size() == 2 && absl::SimpleAtoi(parts[0], w) && absl::SimpleAtoi(parts[1], h) && *w > 0 && *h > 0 && *w <= (1 << 20) &&
         *h <= (1 << 20);
}

absl::StatusOr<aipp::Stage> MakeStage(const Flags& flags, std::ostream& notes) {
  aipp::Stage stage;
  aipp::Spec& spec = stage.spec;
  const std::string source_text = Get(flags, "source"), network_text = Get(flags, "network");
  if (source_text.empty() || network_text.empty()) return absl::InvalidArgumentError("make needs --source and --network");
  const std::vector<std::string> source_parts = absl::StrSplit(source_text, ':');
  if (source_parts.size() != 2 || !ParseSize(source_parts[1], &spec.src_w, &spec.src_h)) {
    return Bad("source", source_text, "FORMAT:WxH, for example nv12:1920x1080");
  }
  OMKIT_ASSIGN_OR_RETURN(const SourceWord source, Word(kSources, "source", source_parts[0]));
  const size_t colon = network_text.find(':');
  const std::string colours = colon == std::string::npos ? (source.format == Format::kYuv400 ? "grey" : "rgb") : network_text.substr(0, colon);
  OMKIT_ASSIGN_OR_RETURN(const NetworkWord network, Word(kNetworks, "network", colours));
  int32_t w = 0, h = 0;
  if (!ParseSize(network_text.substr(colon == std::string::npos ? 0 : colon + 1), &w, &h)) {
    return Bad("network", network_text, "WxH or COLOURS:WxH, for example rgb:224x224");
  }
  spec.format = source.format;
  spec.rbuv_swap = source.rbuv_swap;
  spec.ax_swap = source.ax_swap;
  stage.batch = 1;
  OMKIT_RETURN_IF_ERROR(ReadNumber(flags, "batch", 1, 1 << 16, &stage.batch));
  stage.channels = network.colours == Colours::kGrey ? 1 : 3;
  stage.width = w;
  stage.height = h;
  OMKIT_RETURN_IF_ERROR(ReadCrop(Get(flags, "crop"), &spec));
  OMKIT_RETURN_IF_ERROR(FitSize(flags, w, h, &spec, notes));
  OMKIT_RETURN_IF_ERROR(Convert(flags, source, network, &spec));
  OMKIT_RETURN_IF_ERROR(Normalise(flags, stage.channels, &spec, notes));
  OMKIT_RETURN_IF_ERROR(aipp::Check(stage));
  return stage;
}

absl::Status Make(const Flags& flags, std::ostream& out, std::ostream& notes) {
  OMKIT_ASSIGN_OR_RETURN(const aipp::Stage stage, MakeStage(flags, notes));
  int64_t input = 0;
  OMKIT_RETURN_IF_ERROR(ReadNumber(flags, "input", 0, 1023, &input));
  const std::string text = frontends::WriteAippConfig(stage, static_cast<int>(input));
  notes << "The model's input will be " << aipp::FindFormat(stage.spec.format)->name << ", " << aipp::SourceBytes(stage) << " bytes.\n";
  const std::string path = Get(flags, "output");
  if (!path.empty()) return WriteFile(path, text);
  out << text;
  return absl::OkStatus();
}

}  // namespace omkit::aipp_tool
