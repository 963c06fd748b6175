// Reading constants out of a graph the way fusion patterns need them. Floor 3.
#ifndef OMKIT_PASSES_CONSTANTS_H_
#define OMKIT_PASSES_CONSTANTS_H_

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace omkit::passes {

// The value of a constant with one element, float or integer.
std::optional<double> ScalarConstant(const ir::Graph& graph, ir::ValueId value);

// A float constant that, broadcast to a tensor of `rank` dimensions, varies along `axis` only: its `channels` values (a scalar is
// repeated). Empty when it is not of that form.
std::optional<std::vector<float>> ChannelConstant(const ir::Graph& graph, ir::ValueId value, int rank, int axis, int64_t channels);

// All elements of a float32 constant.
std::vector<float> FloatValues(const Tensor& tensor);

// Adds a float32 constant.
ir::ValueId AddFloats(ir::Graph& graph, absl::string_view name, Shape shape, const std::vector<float>& values);

// Position of the one input of a two-input node that is not `value`; -1 when both are.
int OtherInput(const ir::Node& node, ir::ValueId value);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_CONSTANTS_H_
