#include "tools/atc/shape_choice.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/shape.h"
#include "base/status.h"
#include "tools/atc/errors.h"

namespace omkit::atc {
namespace {

// The numbers of dims gears follow the inputs of the command line; the compiler wants the order of the model's inputs.
std::vector<std::vector<int64_t>> InModelOrder(const InputShapes& shapes, const ir::Graph& graph, const std::vector<std::vector<int64_t>>& gears) {
  std::map<std::string, std::vector<size_t>> columns;
  size_t next = 0;
  for (const InputShape& shape : shapes) {
    for (int64_t dim : Dims(shape)) {
      if (dim == kUnknownDim) columns[shape.name].push_back(next++);
    }
  }
  std::vector<std::vector<int64_t>> ordered;
  for (const std::vector<int64_t>& gear : gears) {
    ordered.emplace_back();
    for (ir::ValueId v : graph.inputs()) {
      for (size_t column : columns[graph.value(v).name]) ordered.back().push_back(gear[column]);
    }
  }
  return ordered;
}

// CANN's rules for AIPP in a model whose shapes are chosen at run time, then ours: there is none.
absl::Status CheckAipp(const frontends::AippConfig& aipp, const Options& options, bool open) {
  const runtime::ShapeMode mode = options.gears.mode;
  if (options.aipp_config.empty() || (mode == runtime::ShapeMode::kFixed && !open)) return absl::OkStatus();
  if (mode == runtime::ShapeMode::kDimsGears) {
    return Error(ErrorCode::E10001, {options.aipp_config, "--insert_op_conf", "--insert_op_conf and --dynamic_dims are mutually exclusive"});
  }
  for (const auto& op : aipp.aipp_op()) {
    if (mode != runtime::ShapeMode::kImageGears || op.aipp_mode() == frontends::aipp_config::AippOpParams::dynamic) continue;
    if (op.crop() || op.padding()) {
      return Error(ErrorCode::E10052, {"When --dynamic_image_size is set, crop and padding cannot be set to 'true'"});
    }
    if (op.src_image_size_w() != 0 || op.src_image_size_h() != 0) {
      return Error(ErrorCode::E10052, {"When --dynamic_image_size is set, src_image_size_w and src_image_size_h must be set to '0'"});
    }
  }
  return Error(ErrorCode::E10055, {"--insert_op_conf in a model whose shapes are chosen at run time; compile one model for each shape"});
}

}  // namespace

absl::Status ChooseShapes(const Options& options, const ir::Graph& graph, const frontends::AippConfig& aipp, CompileOptions* compile) {
  const bool by_range = !options.shape_ranges.empty();
  OMKIT_ASSIGN_OR_RETURN(const InputShapes shapes,
                         MatchInputs(by_range ? options.shape_ranges : options.input_shapes, graph, by_range ? "input_shape_range" : "input_shape"));
  for (const InputShape& shape : shapes) compile->input_shapes[shape.name] = Dims(shape);
  OMKIT_RETURN_IF_ERROR(CheckAipp(aipp, options, AnyOpen(shapes)));
  ShapeChoice& choice = compile->choice;
  choice.mode = options.gears.mode;
  if (!choice.fixed()) {
    choice.gears = choice.mode == runtime::ShapeMode::kDimsGears ? InModelOrder(shapes, graph, options.gears.gears) : options.gears.gears;
    return absl::OkStatus();
  }
  if (!AnyOpen(shapes)) return absl::OkStatus();
  choice.mode = runtime::ShapeMode::kRanges;
  for (const InputShape& shape : shapes) choice.ranges[shape.name] = shape.dims;
  for (size_t i = 0; i < options.hint_shapes.size() && i < graph.inputs().size(); ++i) {
    const std::vector<int64_t> dims = Dims(options.hint_shapes[i]);
    if (!dims.empty()) choice.hint[graph.value(graph.inputs()[i]).name] = dims;
  }
  return absl::OkStatus();
}

}  // namespace omkit::atc
