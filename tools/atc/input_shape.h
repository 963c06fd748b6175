// The grammar of --input_shape, --input_shape_range and --input_hint_shape. Floor 5.
#ifndef OMKIT_TOOLS_ATC_INPUT_SHAPE_H_
#define OMKIT_TOOLS_ATC_INPUT_SHAPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/graph.h"
#include "runtime/shapes.h"

namespace omkit::atc {

// One input as the command line gives it.
struct InputShape {
  std::string name;                     // "": the input with this number in the list
  std::vector<runtime::DimRange> dims;  // least == most: fixed
  std::vector<bool> written_open;       // by dimension: "-1"
};
// In the order of the command line.
using InputShapes = std::vector<InputShape>;

constexpr bool IsFixed(const runtime::DimRange& range) { return range.least == range.most; }
bool AnyOpen(const InputShapes& shapes);
// -1 where the dimension is not fixed.
std::vector<int64_t> Dims(const InputShape& shape);

// "name:d0,d1,...;name2:...": the last ':' of an item ends the name; no dims: a scalar. A dimension is a number, "-1" (any size) or "a~b";
// with one of them names may be left out. Errors: E10002 (form, fractions, repeated names), E10011 (dims below 1).
absl::StatusOr<InputShapes> ParseInputShape(const std::string& text);

// "name:[8~20,3,5,-1];name2:[...]", or without names. E10048.
absl::StatusOr<InputShapes> ParseInputShapeRange(const std::string& text);

// "0:[1,3,224,224];1:[...]": numbers of inputs and shapes for them. E10003.
absl::StatusOr<InputShapes> ParseInputHintShape(const std::string& text);

// Gives every item the name of its input. Errors: E10016 (name that is no input), E10049 (number of dims), E11005 (an input left open and not
// given), E10050 (a fixed dimension of the model outside the given range), E10002 (more items than inputs).
absl::StatusOr<InputShapes> MatchInputs(InputShapes shapes, const ir::Graph& graph, const std::string& flag);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_INPUT_SHAPE_H_
