#include "passes/unique_names.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace omkit::passes {
namespace {

absl::Status Run(ir::Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph.TopologicalOrder());
  std::set<std::string> taken;
  for (const ir::ValueId v : graph.inputs()) taken.insert(graph.value(v).name);
  for (const ir::ValueId v : graph.outputs()) taken.insert(graph.value(v).name);
  for (const ir::NodeId id : order) {
    for (const ir::ValueId v : graph.node(id).outputs) {
      if (graph.IsOutput(v)) continue;
      const std::string name = graph.value(v).name;
      std::string unique = name;
      for (int k = 2; !taken.insert(unique).second; ++k) unique = absl::StrCat(name, "#", k);
      if (unique != name) graph.SetName(v, unique);
    }
  }
  return absl::OkStatus();
}

}  // namespace

Pass UniqueNames() { return {"unique_names", Run}; }

}  // namespace omkit::passes
