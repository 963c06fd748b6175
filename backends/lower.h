// The last stage of the pipeline: a graph becomes steps, node by node, through the backends of a chip. Floor 4.
#ifndef OMKIT_BACKENDS_LOWER_H_
#define OMKIT_BACKENDS_LOWER_H_

#include <string>

#include "absl/status/status.h"
#include "backends/program_builder.h"
#include "ir/graph.h"

namespace omkit {

// Lowers every node in topological order through the first backend of `soc_version` that supports it. Errors name the node.
absl::Status LowerGraph(absl::string_view soc_version, const ir::Graph& graph, ProgramBuilder& builder);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_LOWER_H_
