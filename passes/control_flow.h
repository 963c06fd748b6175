// Control flow at compile time: what is decided is inlined, what is left gets bodies of static shapes. Floor 3.
#ifndef OMKIT_PASSES_CONTROL_FLOW_H_
#define OMKIT_PASSES_CONTROL_FLOW_H_

#include <functional>

#include "absl/types/span.h"
#include "ir/graph.h"
#include "passes/pass.h"

namespace omkit::passes {

// Copies the body's nodes into the graph, with `inputs` in place of its inputs; returns the values that stand for its outputs. `suffix`
// goes behind the names of nodes and values.
std::vector<ir::ValueId> InlineBody(ir::Graph& graph, const ir::Graph& body, absl::Span<const ir::ValueId> inputs, absl::string_view suffix);

// Replaces a control node by the nodes that it comes down to: an If with a constant condition by the branch that is taken; a Loop with a
// constant number of trips, and a Scan, by copies of its body when that is short, or when its shapes change from one iteration to the next.
// Returns whether the node is gone. Used while shapes are inferred, when conditions and trip counts turn out to be constants.
absl::StatusOr<bool> ExpandControl(ir::Graph& graph, ir::NodeId id);

// Brings the bodies of the remaining control nodes into the form that backends lower: types set, constants of the graph around inside,
// `prepare` run on each. Nodes whose bodies have no static shapes stay as they are, for the interpreter.
Pass PrepareBodies(std::function<absl::Status(ir::Graph&)> prepare);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_CONTROL_FLOW_H_
