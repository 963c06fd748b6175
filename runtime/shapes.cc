#include "runtime/shapes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace omkit::runtime {

size_t GearWidth(ShapeMode mode, const std::vector<std::vector<int64_t>>& dims) {
  if (mode == ShapeMode::kBatchGears) return 1;
  if (mode == ShapeMode::kImageGears) return 2;
  size_t width = 0;
  for (const std::vector<int64_t>& input : dims) width += static_cast<size_t>(std::count(input.begin(), input.end(), -1));
  return width;
}

absl::StatusOr<std::vector<std::vector<int64_t>>> GearDims(ShapeMode mode, const std::vector<std::vector<int64_t>>& dims,
                                                           absl::Span<const int64_t> values) {
  const size_t width = GearWidth(mode, dims);
  if (!HasGears(mode) || values.size() != width) {
    return absl::InvalidArgumentError(absl::StrCat("a gear has ", values.size(), " numbers, the inputs need ", width));
  }
  for (const int64_t value : values) {
    if (value < 1) return absl::InvalidArgumentError(absl::StrCat("gear ", absl::StrJoin(values, ","), ": ", value, " is no size"));
  }
  std::vector<std::vector<int64_t>> bound = dims;
  size_t next = 0;
  for (std::vector<int64_t>& input : bound) {
    if (mode == ShapeMode::kImageGears) next = 0;
    for (int64_t& dim : input) {
      if (dim != -1) continue;
      if (next >= width) return absl::InvalidArgumentError("an input leaves more dimensions open than a gear has numbers");
      dim = values[mode == ShapeMode::kBatchGears ? 0 : next++];
    }
    if (mode == ShapeMode::kImageGears && next == 1) return absl::InvalidArgumentError("an input leaves one of height and width open");
  }
  return bound;
}

std::optional<size_t> FindGear(const RuntimeShapes& shapes, absl::Span<const int64_t> values) {
  for (size_t i = 0; i < shapes.gears.size(); ++i) {
    if (absl::MakeConstSpan(shapes.gears[i].values) == values) return i;
  }
  return std::nullopt;
}

const Plan& GearPlan(const ShapedProgram& program, size_t gear) {
  const bool own = !program.shapes.gears.empty() && gear != program.shapes.largest;
  return own ? program.shapes.gears[gear].plan : program;
}

IoDesc GearInput(size_t width) { return {kGearInput, DType::kInt32, {static_cast<int64_t>(width)}, "ND", width * sizeof(int32_t)}; }

absl::Status CheckRanges(const RuntimeShapes& shapes, absl::Span<const IoDesc> inputs, const std::vector<std::vector<int64_t>>& dims) {
  if (dims.size() != shapes.ranges.size()) {
    return absl::InvalidArgumentError(absl::StrCat(dims.size(), " shapes for ", shapes.ranges.size(), " inputs"));
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    const std::vector<DimRange>& ranges = shapes.ranges[i];
    if (dims[i].size() != ranges.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", i, " '", inputs[i].name, "' has ", ranges.size(), " dimensions, the given shape ", dims[i].size()));
    }
    for (size_t d = 0; d < ranges.size(); ++d) {
      if (dims[i][d] >= ranges[d].least && (ranges[d].most < 0 || dims[i][d] <= ranges[d].most)) continue;
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " '", inputs[i].name, "': dimension ", d, " is ", dims[i][d], ", the model takes ",
                                                     ranges[d].least, " to ",
                                                     ranges[d].most < 0 ? std::string("any size") : absl::StrCat(ranges[d].most)));
    }
  }
  return absl::OkStatus();
}

}  // namespace omkit::runtime
