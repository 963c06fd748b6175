#include "backends/bind.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/lower.h"
#include "backends/program_builder.h"
#include "base/status.h"
#include "passes/pass.h"
#include "passes/shapes.h"

namespace omkit {
namespace {

std::string Text(const std::vector<std::vector<int64_t>>& dims) {
  std::string text;
  for (const std::vector<int64_t>& input : dims) absl::StrAppend(&text, text.empty() ? "" : ", ", Shape(input).ToString());
  return absl::StrCat("shape ", text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ir::Graph>> BindGraph(const ir::Graph& graph, const std::vector<std::vector<int64_t>>& dims) {
  if (dims.size() > graph.inputs().size()) {
    return absl::InvalidArgumentError(absl::StrCat(dims.size(), " shapes for ", graph.inputs().size(), " inputs"));
  }
  std::unique_ptr<ir::Graph> bound = graph.Clone();
  for (size_t i = 0; i < dims.size(); ++i) {
    TensorType type = bound->value(bound->inputs()[i]).type;
    type.shape = Shape(dims[i]);
    bound->SetType(bound->inputs()[i], std::move(type));
  }
  OMKIT_RETURN_IF_ERROR(Annotate(passes::RunPasses({passes::InferShapes()}, {}, *bound), Text(dims)));
  return bound;
}

absl::StatusOr<runtime::Plan> LowerBound(const ir::Graph& graph, const std::vector<std::vector<int64_t>>& dims, const runtime::SocRow& soc,
                                         WeightPool* pool) {
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Graph> bound, BindGraph(graph, dims));
  ProgramBuilder builder(*bound, soc.isa, pool);
  OMKIT_RETURN_IF_ERROR(Annotate(LowerGraph(soc.name, *bound, builder), absl::StrCat("lower: ", Text(dims))));
  OMKIT_ASSIGN_OR_RETURN(runtime::Program program, builder.Finish());
  if (pool->full()) return absl::ResourceExhaustedError("no room for more weights");
  return static_cast<runtime::Plan&&>(program);
}

}  // namespace omkit
