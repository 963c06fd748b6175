// Models whose shapes are chosen at run time, on the compile side: which shapes they declare, which of them calibration runs with, and how
// their programs are put together. Floor 4, part of compile.
#ifndef OMKIT_BACKENDS_RUNTIME_SHAPES_H_
#define OMKIT_BACKENDS_RUNTIME_SHAPES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/graph.h"
#include "runtime/shapes.h"
#include "runtime/soc.h"

namespace omkit {

// What the client may choose. The open dimensions of inputs are the -1 of CompileOptions::input_shapes.
struct ShapeChoice {
  runtime::ShapeMode mode = runtime::ShapeMode::kFixed;
  std::vector<std::vector<int64_t>> gears;                       // runtime::Gear::values; dims gears in the order of the graph's inputs
  std::map<std::string, std::vector<runtime::DimRange>> ranges;  // kRanges: by input; an input without has any size where it is open
  std::map<std::string, std::vector<int64_t>> hint;              // kRanges: shapes to calibrate with, by input

  bool fixed() const { return mode == runtime::ShapeMode::kFixed; }
};

using InputDims = std::vector<std::vector<int64_t>>;  // one shape for every input

// The declaration for a prepared graph, its gears still without plans. INVALID_ARGUMENT when gears do not fit the open dimensions.
absl::StatusOr<runtime::RuntimeShapes> DeclareShapes(const ShapeChoice& choice, const ir::Graph& graph);

// Shapes that calibration samples may have, the most wanted first: the gears from the largest down, a batch of one, the hint. Never empty;
// INVALID_ARGUMENT when a range leaves the shape open and there is no hint.
absl::StatusOr<std::vector<InputDims>> CalibrationShapes(const ShapeChoice& choice, const ir::Graph& graph);

// The program of a prepared, perhaps quantized graph: with gears a plan for each over one set of weights; with ranges the graph itself, its
// constants in the weights. Errors name the gear.
absl::StatusOr<runtime::ShapedProgram> LowerWithChoice(const ShapeChoice& choice, const runtime::SocRow& soc, const ir::Graph& graph);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_RUNTIME_SHAPES_H_
