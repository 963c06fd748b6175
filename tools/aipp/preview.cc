#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "tools/aipp/aipp.h"

namespace omkit::aipp_tool {
namespace {

using aipp::Spec;
using frontends::FromSource;
using frontends::Image;
using frontends::Scaled;
using frontends::ToSource;

std::string Get(const Flags& flags, const char* name) {
  const auto it = flags.find(name);
  return it == flags.end() ? "" : it->second;
}

// The network's input: --network, or what the block itself makes.
absl::StatusOr<std::vector<int64_t>> NetworkDims(const std::string& text, const frontends::aipp_config::AippOpParams& op) {
  if (!text.empty()) {
    std::vector<int64_t> dims = {1};
    for (const absl::string_view part : absl::StrSplit(text, 'x')) {
      int64_t d = 0;
      if (!absl::SimpleAtoi(part, &d) || d < 1)
        return absl::InvalidArgumentError(absl::StrCat("--network=", text, ": expected CxHxW, for example 3x224x224"));
      dims.push_back(d);
    }
    if (dims.size() != 4) return absl::InvalidArgumentError(absl::StrCat("--network=", text, ": expected CxHxW, for example 3x224x224"));
    return dims;
  }
  int64_t w = op.src_image_size_w(), h = op.src_image_size_h();
  if (op.crop()) w = op.crop_size_w(), h = op.crop_size_h();
  if (op.resize()) w = op.resize_output_w(), h = op.resize_output_h();
  if (w < 1 || h < 1) return absl::InvalidArgumentError("the configuration takes a size from the network; give the network's input: --network=CxHxW");
  if (op.padding()) w += op.left_padding_size() + op.right_padding_size(), h += op.top_padding_size() + op.bottom_padding_size();
  const auto* format = aipp::FindFormat(static_cast<aipp::Format>(op.input_format()));
  return std::vector<int64_t>{1, format != nullptr && format->components == 1 ? 1 : 3, h, w};
}

absl::StatusOr<aipp::Stage> ReadStage(const Flags& flags, std::ostream& out) {
  OMKIT_ASSIGN_OR_RETURN(frontends::AippConfig config, frontends::ReadAippConfig(Get(flags, "conf")));
  int wanted = -1;
  if (flags.count("input") != 0 && (!absl::SimpleAtoi(Get(flags, "input"), &wanted) || wanted < 0)) {
    return absl::InvalidArgumentError(absl::StrCat("--input=", Get(flags, "input"), ": expected a number"));
  }
  const frontends::aipp_config::AippOpParams* op = nullptr;
  for (const auto& block : config.aipp_op()) {
    if (op == nullptr && (wanted < 0 || block.related_input_rank() == static_cast<uint32_t>(wanted))) op = &block;
  }
  if (op == nullptr) return absl::InvalidArgumentError(absl::StrCat("no block of the configuration is for input ", wanted));
  if (op->aipp_mode() == frontends::aipp_config::AippOpParams::dynamic) {
    return absl::UnimplementedError("the block is dynamic: its parameters come from the program (aclmdlSetAIPP...)");
  }
  frontends::AippConfig single;
  *single.add_aipp_op() = *op;
  single.mutable_aipp_op(0)->set_related_input_rank(0);
  single.mutable_aipp_op(0)->clear_related_input_name();
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, NetworkDims(Get(flags, "network"), *op));
  frontends::AippRules rules;
  rules.strict = flags.count("aipp_strict") != 0;
  const std::string meaning = Get(flags, "aipp_min_chn");
  if (!meaning.empty() && meaning != "subtract" && meaning != "std") {
    return absl::InvalidArgumentError(absl::StrCat("--aipp_min_chn=", meaning, ": expected subtract or std"));
  }
  rules.min_meaning = meaning.empty()    ? frontends::MinMeaning::kUnsaid
                      : meaning == "std" ? frontends::MinMeaning::kStd
                                         : frontends::MinMeaning::kSubtract;
  std::vector<std::string> warnings;
  const auto resolved = frontends::ResolveAipp(single, {{"image", dims}}, rules, &warnings);
  for (const std::string& warning : warnings) out << "Warning: " << warning << (warning.back() == '\n' ? "" : "\n");
  if (!resolved.ok()) return resolved.status();
  return (*resolved)[0].stage;
}

struct Source {
  std::vector<uint8_t> bytes;
  Image picture;  // as people see it
};

absl::StatusOr<Source> ReadSource(const std::string& path, const Spec& spec, std::ostream& out) {
  const int64_t need = aipp::ImageBytes(spec.format, spec.src_w, spec.src_h);
  OMKIT_ASSIGN_OR_RETURN(std::string file, ReadFile(path, frontends::kMaxImageFileBytes));
  Source source;
  if (!frontends::StartsAsImage(file) && static_cast<int64_t>(file.size()) == need) {
    source.bytes.assign(file.begin(), file.end());
    source.picture = FromSource(spec, source.bytes);
    return source;
  }
  absl::StatusOr<Image> picture = frontends::DecodeImage(file);
  if (!picture.ok()) {
    return Annotate(picture.status(), absl::StrCat("'", path, "' (", file.size(), " bytes; a raw ", aipp::FindFormat(spec.format)->name, " image of ",
                                                   spec.src_w, "x", spec.src_h, " has ", need, ")"));
  }
  if (picture->width != spec.src_w || picture->height != spec.src_h) {
    out << "Note: the picture of " << picture->width << "x" << picture->height << " is scaled to the source size " << spec.src_w << "x" << spec.src_h
        << ".\n";
  }
  source.picture = Scaled(*picture, spec.src_w, spec.src_h);
  source.bytes = ToSource(spec, source.picture);
  return source;
}

// The network's input with its normalisation undone, so that padding appears as the pixel it stands for.
Image Shown(const aipp::Stage& stage, const Tensor& values, bool bgr) {
  Image image{stage.width, stage.height, std::vector<uint8_t>(static_cast<size_t>(3 * stage.width * stage.height))};
  const int64_t plane = stage.width * stage.height;
  for (int64_t i = 0; i < plane; ++i) {
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t from = stage.channels == 1 ? 0 : bgr ? 2 - c : c;
      const double factor = stage.spec.var_reci[from];
      const double pixel = factor == 0 ? 0 : values.data<float>()[from * plane + i] / factor + stage.spec.mean[from] + stage.spec.min[from];
      image.rgb[3 * i + c] = static_cast<uint8_t>(std::lrint(std::min(std::max(pixel, 0.0), 255.0)));
    }
  }
  return image;
}

void Frame(const Spec& spec, Image* image) {
  if (spec.crop == 0) return;
  const int64_t thick = std::max<int64_t>(1, image->width / 400);
  const int64_t x1 = spec.crop_x + spec.crop_w, y1 = spec.crop_y + spec.crop_h;
  for (int64_t y = spec.crop_y; y < y1; ++y) {
    for (int64_t x = spec.crop_x; x < x1; ++x) {
      const bool edge = x < spec.crop_x + thick || x >= x1 - thick || y < spec.crop_y + thick || y >= y1 - thick;
      if (!edge) continue;
      const uint8_t green[3] = {0, 255, 0};
      std::copy(green, green + 3, &image->rgb[3 * (y * image->width + x)]);
    }
  }
}

// Both at the height of the larger one (at most 720), with a bar between them.
Image SideBySide(const Image& left, const Image& right) {
  constexpr int64_t kTallest = 720, kBar = 8;
  const int64_t height = std::min(kTallest, std::max(left.height, right.height));
  const auto fit = [&](const Image& image) { return Scaled(image, std::max<int64_t>(1, image.width * height / image.height), height); };
  const Image a = fit(left), b = fit(right);
  Image all{a.width + kBar + b.width, height, {}};
  all.rgb.assign(static_cast<size_t>(3 * all.width * height), 255);
  for (int64_t y = 0; y < height; ++y) {
    std::copy_n(&a.rgb[3 * y * a.width], 3 * a.width, &all.rgb[3 * y * all.width]);
    std::copy_n(&b.rgb[3 * y * b.width], 3 * b.width, &all.rgb[3 * (y * all.width + a.width + kBar)]);
  }
  return all;
}

void Explain(const aipp::Stage& stage, std::ostream& out) {
  const Spec& s = stage.spec;
  const aipp::FormatRow& format = *aipp::FindFormat(s.format);
  const aipp::Size cropped = aipp::CroppedSize(s);
  out << absl::StrFormat("source     %s, %d x %d, %d bytes\n", format.name, s.src_w, s.src_h, aipp::ImageBytes(s.format, s.src_w, s.src_h));
  if (s.rbuv_swap != 0) out << "swap       " << (format.colours == aipp::Colours::kYuv ? "U and V" : "R and B") << " change places\n";
  if (format.bytes_of_four == 16) out << "alpha      the " << (s.ax_swap != 0 ? "first" : "last") << " of four bytes is dropped\n";
  if (s.crop != 0) out << absl::StrFormat("crop       %d x %d at (%d, %d)\n", cropped.w, cropped.h, s.crop_x, s.crop_y);
  if (s.csc != 0) {
    const bool yuv = format.colours == aipp::Colours::kYuv;
    for (int i = 0; i < stage.channels; ++i) {
      const int32_t* m = s.matrix + 3 * i;
      const auto term = [&](int k) {
        const char* const name = yuv ? (k == 0 ? "Y" : k == 1 ? "U" : "V") : (k == 0 ? "R" : k == 1 ? "G" : "B");
        return yuv && s.in_bias[k] != 0 ? absl::StrFormat("%+.3f * (%s - %d)", m[k] / 256.0, name, s.in_bias[k])
                                        : absl::StrFormat("%+.3f * %s", m[k] / 256.0, name);
      };
      out << absl::StrFormat("colours    channel %d = %s %s %s%s\n", i, term(0), term(1), term(2),
                             !yuv && s.out_bias[i] != 0 ? absl::StrFormat(" + %d", s.out_bias[i]) : "");
    }
  }
  if (s.resize != 0) out << absl::StrFormat("resize     %d x %d -> %d x %d, bilinear\n", cropped.w, cropped.h, s.resize_w, s.resize_h);
  for (int c = 0; c < stage.channels; ++c) {
    float table[256];
    aipp::NormalisationTable(s, c, table);
    out << absl::StrFormat("normalise  channel %d = (x - %g) * %g = (x - %g) / %g: pixels 0..255 become %.4g..%.4g\n", c,
                           s.mean[c] + static_cast<double>(s.min[c]), s.var_reci[c], s.mean[c] + static_cast<double>(s.min[c]),
                           s.var_reci[c] == 0 ? 0 : 1.0 / s.var_reci[c], table[0], table[255]);
  }
  if (s.padding != 0) {
    out << absl::StrFormat("padding    %d left, %d right, %d above, %d below, value %g of the network's input\n", s.pad_left, s.pad_right, s.pad_top,
                           s.pad_bottom, s.padding_value);
  }
  out << absl::StrFormat("network    %d x %d x %d (C x H x W)\n", stage.channels, stage.height, stage.width);
}

void Statistics(const aipp::Stage& stage, const Tensor& values, std::ostream& out) {
  const int64_t plane = stage.width * stage.height;
  for (int64_t c = 0; c < stage.channels; ++c) {
    const float* v = values.data<float>() + c * plane;
    double sum = 0;
    for (int64_t i = 0; i < plane; ++i) sum += v[i];
    out << absl::StrFormat("sees       channel %d: min %.4g, mean %.4g, max %.4g\n", c, *std::min_element(v, v + plane), sum / plane,
                           *std::max_element(v, v + plane));
  }
}

}  // namespace

absl::Status Preview(const Flags& flags, std::ostream& out) {
  for (const char* needed : {"conf", "image"}) {
    if (Get(flags, needed).empty()) return absl::InvalidArgumentError(absl::StrCat("preview needs --", needed));
  }
  if (Get(flags, "output").empty() && Get(flags, "raw").empty() && Get(flags, "frame").empty()) {
    return absl::InvalidArgumentError("preview needs at least one of --output, --raw and --frame");
  }
  const std::string channels = Get(flags, "channels");
  if (!channels.empty() && channels != "rgb" && channels != "bgr") {
    return absl::InvalidArgumentError(absl::StrCat("--channels=", channels, ": expected rgb or bgr"));
  }
  absl::StatusOr<aipp::Stage> read = ReadStage(flags, out);
  if (!read.ok()) return Annotate(read.status(), absl::StrCat("'", Get(flags, "conf"), "'"));
  aipp::Stage stage = *read;
  stage.batch = 1;
  OMKIT_ASSIGN_OR_RETURN(Source source, ReadSource(Get(flags, "image"), stage.spec, out));
  OMKIT_ASSIGN_OR_RETURN(const Tensor values, frontends::BehindAipp(stage, source.bytes));
  Explain(stage, out);
  Statistics(stage, values, out);
  const auto write = [&](const char* flag, const void* bytes, size_t size) {
    return Get(flags, flag).empty() ? absl::OkStatus() : WriteFile(Get(flags, flag), absl::string_view(static_cast<const char*>(bytes), size));
  };
  OMKIT_RETURN_IF_ERROR(write("raw", values.raw(), values.bytes()));
  OMKIT_RETURN_IF_ERROR(write("frame", source.bytes.data(), source.bytes.size()));
  if (Get(flags, "output").empty()) return absl::OkStatus();
  Frame(stage.spec, &source.picture);
  out << "written    " << Get(flags, "output") << "\n";
  return frontends::WritePngFile(Get(flags, "output"), SideBySide(source.picture, Shown(stage, values, channels == "bgr")));
}

}  // namespace omkit::aipp_tool
