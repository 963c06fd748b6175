#include "backends/runtime_shapes.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/bind.h"
#include "backends/graph_codec.h"
#include "backends/weight_pool.h"
#include "base/checked.h"
#include "base/status.h"
#include "passes/pass.h"
#include "passes/shapes.h"
#include "runtime/shapes.h"

namespace omkit {
namespace {

using runtime::DimRange;
using runtime::RuntimeShapes;
using runtime::ShapeMode;

InputDims OpenDimsOf(const ir::Graph& graph) {
  InputDims dims;
  for (ir::ValueId v : graph.inputs()) dims.push_back(graph.value(v).type.shape.vec());
  return dims;
}

absl::StatusOr<int64_t> InputBytes(const InputDims& dims, const ir::Graph& graph) {
  CheckedSize bytes = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(dims[i]));
    bytes = bytes + CheckedSize(elements) * static_cast<int64_t>(SizeOf(graph.value(graph.inputs()[i]).type.dtype));
  }
  if (!bytes.ok()) return absl::InvalidArgumentError("the inputs are too large");
  return bytes.value();
}

std::string GearName(const std::vector<int64_t>& values) { return absl::StrCat("gear ", absl::StrJoin(values, ",")); }

// Gears from the one with the largest inputs down; equal ones in their order.
absl::StatusOr<std::vector<size_t>> BySize(const RuntimeShapes& shapes, const ir::Graph& graph) {
  std::vector<int64_t> bytes;
  for (const runtime::Gear& gear : shapes.gears) {
    OMKIT_ASSIGN_OR_RETURN(const InputDims dims, runtime::GearDims(shapes.mode, shapes.dims, gear.values));
    absl::StatusOr<int64_t> size = InputBytes(dims, graph);
    if (!size.ok()) return Annotate(size.status(), GearName(gear.values));
    bytes.push_back(*size);
  }
  std::vector<size_t> order(bytes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return bytes[a] > bytes[b]; });
  return order;
}

absl::StatusOr<runtime::ShapedProgram> LowerGears(RuntimeShapes shapes, const runtime::SocRow& soc, const ir::Graph& graph) {
  runtime::ShapedProgram program;
  WeightPool pool;
  for (size_t i = 0; i < shapes.gears.size(); ++i) {
    runtime::Gear& gear = shapes.gears[i];
    OMKIT_ASSIGN_OR_RETURN(const InputDims dims, runtime::GearDims(shapes.mode, shapes.dims, gear.values));
    absl::StatusOr<runtime::Plan> plan = LowerBound(graph, dims, soc, &pool);
    if (!plan.ok()) return Annotate(plan.status(), GearName(gear.values));
    plan->inputs.push_back(runtime::GearInput(gear.values.size()));
    (i == shapes.largest ? static_cast<runtime::Plan&>(program) : gear.plan) = *std::move(plan);
  }
  program.shapes = std::move(shapes);
  program.weights = pool.Take();
  return program;
}

runtime::IoDesc Describe(const ir::Graph& graph, ir::ValueId v) {
  runtime::IoDesc io;
  const TensorType& type = graph.value(v).type;
  io.name = graph.value(v).name;
  io.dtype = type.dtype;
  io.dims = type.shape.vec();
  io.format = io.dims.size() == 4 ? "NCHW" : "ND";
  if (type.shape.IsStatic()) io.bytes = static_cast<uint64_t>(type.shape.elements()) * SizeOf(type.dtype);
  return io;
}

absl::StatusOr<runtime::ShapedProgram> StoreRanges(RuntimeShapes shapes, const ir::Graph& graph) {
  runtime::ShapedProgram program;
  for (ir::ValueId v : graph.inputs()) program.inputs.push_back(Describe(graph, v));
  for (ir::ValueId v : graph.outputs()) program.outputs.push_back(Describe(graph, v));
  WeightPool pool;
  OMKIT_ASSIGN_OR_RETURN(shapes.graph, EncodeGraph(graph, &pool));
  program.shapes = std::move(shapes);
  program.weights = pool.Take();
  return program;
}

// A model that takes ranges is bound when a client asks; here one shape tells whether it can be.
absl::Status TryOneShape(const ShapeChoice& choice, const RuntimeShapes& shapes, const runtime::SocRow& soc, const ir::Graph& graph) {
  InputDims dims = shapes.dims;
  const absl::StatusOr<std::vector<InputDims>> wanted = CalibrationShapes(choice, graph);
  if (wanted.ok()) dims = wanted->front();
  for (size_t i = 0; i < dims.size(); ++i) {
    for (size_t d = 0; d < dims[i].size(); ++d) {
      if (dims[i][d] == kUnknownDim) return absl::OkStatus();  // anything is allowed, nothing is typical
    }
  }
  WeightPool pool;
  return LowerBound(graph, dims, soc, &pool).status();
}

}  // namespace

absl::StatusOr<RuntimeShapes> DeclareShapes(const ShapeChoice& choice, const ir::Graph& graph) {
  RuntimeShapes shapes;
  shapes.mode = choice.mode;
  shapes.dims = OpenDimsOf(graph);
  if (choice.mode == ShapeMode::kRanges) {
    for (size_t i = 0; i < shapes.dims.size(); ++i) {
      const auto given = choice.ranges.find(graph.value(graph.inputs()[i]).name);
      std::vector<DimRange> ranges;
      for (size_t d = 0; d < shapes.dims[i].size(); ++d) {
        const int64_t dim = shapes.dims[i][d];
        if (dim != kUnknownDim) ranges.push_back({dim, dim});
        else if (given != choice.ranges.end() && d < given->second.size()) ranges.push_back(given->second[d]);
        else ranges.push_back({1, -1});
      }
      shapes.ranges.push_back(std::move(ranges));
    }
    return shapes;
  }
  for (const std::vector<int64_t>& values : choice.gears) shapes.gears.push_back({values, {}});
  OMKIT_ASSIGN_OR_RETURN(const std::vector<size_t> order, BySize(shapes, graph));
  if (!order.empty()) shapes.largest = static_cast<uint32_t>(order.front());
  return shapes;
}

absl::StatusOr<std::vector<InputDims>> CalibrationShapes(const ShapeChoice& choice, const ir::Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const RuntimeShapes shapes, DeclareShapes(choice, graph));
  std::vector<InputDims> wanted;
  if (choice.mode == ShapeMode::kRanges) {
    InputDims dims = shapes.dims;
    for (size_t i = 0; i < dims.size(); ++i) {
      const std::string& name = graph.value(graph.inputs()[i]).name;
      const auto hint = choice.hint.find(name);
      for (size_t d = 0; d < dims[i].size(); ++d) {
        if (dims[i][d] != kUnknownDim) continue;
        if (hint != choice.hint.end() && d < hint->second.size()) dims[i][d] = hint->second[d];
        else if (shapes.ranges[i][d].most > 0) dims[i][d] = shapes.ranges[i][d].most;
        else
          return absl::InvalidArgumentError(
              absl::StrCat("input '", name, "' may have any size at dimension ", d, ": give a typical shape (--input_hint_shape)"));
      }
    }
    return std::vector<InputDims>{dims};
  }
  OMKIT_ASSIGN_OR_RETURN(const std::vector<size_t> order, BySize(shapes, graph));
  for (size_t i : order) {
    OMKIT_ASSIGN_OR_RETURN(InputDims dims, runtime::GearDims(shapes.mode, shapes.dims, shapes.gears[i].values));
    wanted.push_back(std::move(dims));
  }
  if (choice.mode == ShapeMode::kBatchGears) {
    OMKIT_ASSIGN_OR_RETURN(InputDims one, runtime::GearDims(shapes.mode, shapes.dims, {1}));
    wanted.push_back(std::move(one));
  }
  return wanted;
}

absl::StatusOr<runtime::ShapedProgram> LowerWithChoice(const ShapeChoice& choice, const runtime::SocRow& soc, const ir::Graph& graph) {
  for (ir::NodeId id = 0; id < graph.node_limit(); ++id) {
    // A body is prepared for one shape.
    if (!graph.alive(id) || graph.node(id).bodies.empty()) continue;
    return absl::UnimplementedError(absl::StrCat(Describe(graph.node(id)), ": control flow in a model whose shapes are chosen at run time; give fixed shapes"));
  }
  OMKIT_ASSIGN_OR_RETURN(RuntimeShapes shapes, DeclareShapes(choice, graph));
  runtime::ShapedProgram program;
  if (choice.mode == ShapeMode::kRanges) {
    OMKIT_RETURN_IF_ERROR(TryOneShape(choice, shapes, soc, graph));
    OMKIT_ASSIGN_OR_RETURN(program, StoreRanges(std::move(shapes), graph));
  } else {
    OMKIT_ASSIGN_OR_RETURN(program, LowerGears(std::move(shapes), soc, graph));
  }
  program.model_name = graph.name;
  program.isa = IsaName(soc.isa);
  return program;
}

}  // namespace omkit
