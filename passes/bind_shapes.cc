#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "passes/shapes.h"

namespace omkit::passes {
namespace {

absl::Status BindInput(const std::vector<int64_t>& dims, OpenDims open, ir::ValueId id, ir::Graph& graph) {
  TensorType type = graph.value(id).type;
  const std::string& name = graph.value(id).name;
  if (static_cast<int>(dims.size()) != type.shape.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("E10049: Dimension count ", dims.size(),
                                                   " configured in --input_shape does not match dimension count ", type.shape.rank(),
                                                   " of the node '", name, "'."));
  }
  for (int i = 0; i < type.shape.rank(); ++i) {
    if (open == OpenDims::kKeep && dims[i] == kUnknownDim) continue;
    if (dims[i] <= 0) {
      return absl::InvalidArgumentError(absl::StrCat("E10011: Value ", Shape(dims).ToString(),
                                                     " for parameter --input_shape is invalid. Shape values must be "
                                                     "positive integers. The error value in the shape is ",
                                                     dims[i], "."));
    }
    if (type.shape.dim(i) >= 0 && type.shape.dim(i) != dims[i]) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", name, "' has ", type.shape.dim(i), " at dimension ", i, " in the model; --input_shape asks for ", dims[i]));
    }
  }
  type.shape = Shape(dims);
  graph.SetType(id, std::move(type));
  return absl::OkStatus();
}

}  // namespace

Pass BindShapes(std::map<std::string, std::vector<int64_t>> input_shapes, OpenDims open) {
  return {"bind_shapes", [input_shapes = std::move(input_shapes), open](ir::Graph& graph) -> absl::Status {
            std::vector<std::string> names;
            for (ir::ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
            for (const auto& [name, dims] : input_shapes) {
              bool found = false;
              for (ir::ValueId id : graph.inputs()) {
                if (graph.value(id).name != name) continue;
                found = true;
                OMKIT_RETURN_IF_ERROR(BindInput(dims, open, id, graph));
              }
              if (found) continue;
              const std::string near = NearestName(name, names);
              return absl::InvalidArgumentError(absl::StrCat("E10016: Op name ", name, " specified in --input_shape is not found in the model.",
                                                             near.empty() ? "" : absl::StrCat(" Did you mean '", near, "'?")));
            }
            for (ir::ValueId id : graph.inputs()) {
              if (open == OpenDims::kKeep || graph.value(id).type.shape.IsStatic()) continue;
              return absl::InvalidArgumentError(absl::StrCat("E11005: The shape is not defined by using --input_shape for input ",
                                                             graph.value(id).name, " (the model says ", graph.value(id).type.shape.ToString(), ")."));
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
