// The file of --keep_dtype: nodes that stay in float when the rest is quantized. Floor 5.
#ifndef OMKIT_TOOLS_ATC_KEPT_NODES_H_
#define OMKIT_TOOLS_ATC_KEPT_NODES_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "ir/graph.h"

namespace omkit::atc {

// Names of the graph's nodes that the file lists: one per line, a node's name or "OpType::Conv" for all nodes of a type; empty lines
// are passed over. Errors (with codes of errors.h): unreadable file, a name or type the graph does not have.
absl::StatusOr<std::set<std::string>> ReadKeptNodes(const std::string& path, const ir::Graph& graph);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_KEPT_NODES_H_
