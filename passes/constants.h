// Reading constants out of a graph the way fusion patterns need them. Floor 3.
#ifndef OMKIT_PASSES_CONSTANTS_H_
#define OMKIT_PASSES_CONSTANTS_H_

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace omkit::passes {

// The value of a constant with one element, float or integer.
std::optional<double> ScalarConstant(const ir::Graph& graph, ir::ValueId value);

// A two-input node split into its scalar constant and its other input.
struct ScalarOperand {
  ir::ValueId value;
  double constant;
};
// Of the node that makes `value`, when it is an `op` without a fused clamp. Of operators that do not commute the constant is the right side.
std::optional<ScalarOperand> SplitScalar(const ir::Graph& graph, ir::ValueId value, ir::OpKind op);

// Whether two constants are the same but for float rounding.
bool Near(double value, double expected);

// The other input of an `op` with the scalar `constant`; kNoValue when the value is not made that way.
ir::ValueId OperandBesides(const ir::Graph& graph, ir::ValueId value, ir::OpKind op, double constant);

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
