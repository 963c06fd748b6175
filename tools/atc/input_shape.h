// The grammar of --input_shape. Floor 5.
#ifndef OMKIT_TOOLS_ATC_INPUT_SHAPE_H_
#define OMKIT_TOOLS_ATC_INPUT_SHAPE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/graph.h"

namespace omkit::atc {

using InputShapes = std::map<std::string, std::vector<int64_t>>;

// "name:d0,d1,...;name2:...": the last ':' of an item ends the name; no dims: a scalar. Errors: E10002 (form, fractions, repeated
// names), E10011 (dims below 1), E10055 (-1 and ranges: shapes that change at run time).
absl::StatusOr<InputShapes> ParseInputShape(const std::string& text);

// Errors: E10016 (name that is no input), E10049 (number of dims), E11005 (an input left open and not given).
absl::Status CheckInputShapes(const InputShapes& shapes, const ir::Graph& graph);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_INPUT_SHAPE_H_
