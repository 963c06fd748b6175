#include "tools/atc/gears.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "tools/atc/errors.h"

namespace omkit::atc {
namespace {

using runtime::ShapeMode;

using Gears = std::vector<std::vector<int64_t>>;

constexpr const char* kFlags[] = {"dynamic_batch_size", "dynamic_image_size", "dynamic_dims"};
constexpr ShapeMode kModes[] = {ShapeMode::kBatchGears, ShapeMode::kImageGears, ShapeMode::kDimsGears};

bool OnlyDigitsAnd(absl::string_view text, absl::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return absl::ascii_isdigit(c) || others.find(c) != others.npos; });
}

// Numbers between ',' in gears between ';'. Their characters are digits by now.
absl::StatusOr<Gears> ParseGears(const std::string& flag, const std::string& text, char between) {
  Gears gears;
  for (absl::string_view gear : absl::StrSplit(text, between)) {
    gears.emplace_back();
    for (absl::string_view number : absl::StrSplit(gear, ',')) {
      int64_t value = 0;
      if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(number), &value)) {
        return Error(ErrorCode::E10003, {text, flag, absl::StrCat("'", number, "' is not a number")});
      }
      gears.back().push_back(value);
    }
  }
  return gears;
}

absl::Status CheckGears(const std::string& flag, const Gears& gears) {
  if (gears.size() < runtime::kFewestGears) return Error(ErrorCode::E10035, {absl::StrCat(gears.size()), absl::StrCat(runtime::kFewestGears)});
  if (gears.size() > runtime::kMostGears) return Error(ErrorCode::E10036, {absl::StrCat(gears.size()), absl::StrCat(runtime::kMostGears)});
  std::set<std::vector<int64_t>> seen;
  for (const std::vector<int64_t>& gear : gears) {
    if (gear.size() != gears[0].size()) return Error(ErrorCode::E10037, {flag, absl::StrCat(gears[0].size()), absl::StrCat(gear.size())});
    for (int64_t value : gear) {
      if (value < 1 || value > (int64_t{1} << 31) - 1) return Error(ErrorCode::E10038, {absl::StrCat(value), flag});
    }
    if (!seen.insert(gear).second) return Error(ErrorCode::E10039, {flag, absl::StrJoin(gear, ",")});
  }
  return absl::OkStatus();
}

std::string Text(const InputShape& shape) { return absl::StrJoin(Dims(shape), ","); }

absl::Status CheckNoRanges(const std::string& flag, const InputShapes& shapes) {
  for (const InputShape& shape : shapes) {
    for (size_t d = 0; d < shape.dims.size(); ++d) {
      if (IsFixed(shape.dims[d]) || shape.written_open[d]) continue;
      return Error(ErrorCode::E10040, {absl::StrCat(shape.name, ":", Text(shape)), flag, "It holds a range with '~'"});
    }
  }
  if (!AnyOpen(shapes) && flag != kFlags[0]) return Error(ErrorCode::E10040, {"", flag, "It holds no -1"});
  return absl::OkStatus();
}

absl::Status CheckBatchShapes(const InputShapes& shapes) {
  bool any = false;
  for (const InputShape& shape : shapes) {
    for (size_t d = 0; d < shape.dims.size(); ++d) {
      if (IsFixed(shape.dims[d])) continue;
      if (d > 0) return Error(ErrorCode::E10018, {Text(shape), shape.name});
      any = true;
    }
  }
  return any ? absl::OkStatus() : Error(ErrorCode::E10031, {});
}

absl::Status CheckImageShapes(const Flags& flags, const InputShapes& shapes) {
  const std::string format = flags.Get("input_format");
  if (format != "NCHW" && format != "NHWC") {
    return Error(ErrorCode::E10001, {format, "--input_format", "The format must be NCHW or NHWC when --dynamic_image_size is set"});
  }
  const size_t height = format == "NCHW" ? 2 : 1;
  for (const InputShape& shape : shapes) {
    const std::vector<int64_t> dims = Dims(shape);
    const auto open = std::count(dims.begin(), dims.end(), -1);
    if (open == 0) continue;
    const bool right = dims.size() == 4 && open == 2 && dims[height] == -1 && dims[height + 1] == -1;
    if (!right) return Error(ErrorCode::E10019, {});
  }
  return absl::OkStatus();
}

absl::Status CheckDimsShapes(const Flags& flags, const InputShapes& shapes, const Gears& gears) {
  if (flags.Get("input_format") != "ND") {
    return Error(ErrorCode::E10001, {flags.Get("input_format"), "--input_format", "The format must be ND when --dynamic_dims is set"});
  }
  if (!flags.Get("insert_op_conf").empty()) {
    return Error(ErrorCode::E10001, {flags.Get("insert_op_conf"), "--insert_op_conf", "It cannot be used together with --dynamic_dims"});
  }
  size_t open = 0;
  for (const InputShape& shape : shapes) {
    const std::vector<int64_t> dims = Dims(shape);
    open += static_cast<size_t>(std::count(dims.begin(), dims.end(), -1));
  }
  if (gears[0].size() == open) return absl::OkStatus();
  return Error(ErrorCode::E10003,
               {flags.Get("dynamic_dims"), "dynamic_dims", "Each setting needs to be consistent with the number of -1 in the input shape."});
}

absl::StatusOr<Gears> ReadBatch(const std::string& text) {
  if (!OnlyDigitsAnd(text, ",")) return Error(ErrorCode::E10003, {text, kFlags[0], "Only digits and commas are allowed, for example \"1,2,4,8\"."});
  return ParseGears(kFlags[0], text, ',');
}

absl::StatusOr<Gears> ReadImage(const std::string& text) {
  if (!OnlyDigitsAnd(text, ",;")) return Error(ErrorCode::E10020, {text});
  absl::StatusOr<Gears> gears = ParseGears(kFlags[1], text, ';');
  if (!gears.ok()) return Error(ErrorCode::E10020, {text});
  for (const std::vector<int64_t>& gear : *gears) {
    if (gear.size() != 2) return Error(ErrorCode::E10020, {text});
  }
  return gears;
}

absl::StatusOr<Gears> ReadDims(const std::string& text) {
  if (!OnlyDigitsAnd(text, ",; ")) {
    return Error(ErrorCode::E10001, {text, "--dynamic_dims", "Only digits, commas and semicolons are allowed, for example \"20,20;40,40\"."});
  }
  return ParseGears(kFlags[2], text, ';');
}

}  // namespace

absl::StatusOr<GearFlags> ReadGears(const Flags& flags, const InputShapes& shapes) {
  GearFlags read;
  int given = flags.Get("input_shape_range").empty() ? 0 : 1;
  int which = -1;
  for (int i = 0; i < 3; ++i) {
    if (flags.Get(kFlags[i]).empty()) continue;
    which = i;
    ++given;
  }
  if (given > 1) return Error(ErrorCode::E10009, {});
  if (which < 0) return read;
  const std::string flag = kFlags[which], text = flags.Get(flag);
  if (!flags.Get("input_hint_shape").empty()) return Error(ErrorCode::E10056, {"--input_hint_shape", absl::StrCat("--", flag)});
  read.mode = kModes[which];
  OMKIT_ASSIGN_OR_RETURN(read.gears, which == 0 ? ReadBatch(text) : which == 1 ? ReadImage(text) : ReadDims(text));
  OMKIT_RETURN_IF_ERROR(CheckGears(flag, read.gears));
  OMKIT_RETURN_IF_ERROR(CheckNoRanges(flag, shapes));
  if (which == 0) OMKIT_RETURN_IF_ERROR(CheckBatchShapes(shapes));
  if (which == 1) OMKIT_RETURN_IF_ERROR(CheckImageShapes(flags, shapes));
  if (which == 2) OMKIT_RETURN_IF_ERROR(CheckDimsShapes(flags, shapes, read.gears));
  return read;
}

}  // namespace omkit::atc
