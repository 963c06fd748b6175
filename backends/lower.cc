#include "backends/lower.h"

#include "absl/strings/str_cat.h"
#include "backends/backend.h"
#include "base/log.h"
#include "base/status.h"

namespace omkit {

absl::Status LowerGraph(absl::string_view soc_version, const ir::Graph& graph, ProgramBuilder& builder) {
  const std::vector<const Backend*> backends = BackendsFor(soc_version);
  builder.SetCompileBody([soc = std::string(soc_version)](const ir::Graph& body, Isa isa) -> absl::StatusOr<runtime::Program> {
    ProgramBuilder inner(body, isa);
    OMKIT_RETURN_IF_ERROR(LowerGraph(soc, body, inner));
    OMKIT_ASSIGN_OR_RETURN(runtime::Program program, inner.Finish());
    program.soc_version = soc;
    return program;
  });
  const auto backend_of = [&](const ir::Node& node) -> const Backend* {
    for (const Backend* backend : backends) {
      if (backend->Supports(graph, node)) return backend;
    }
    return nullptr;
  };
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph.TopologicalOrder());
  for (ir::NodeId id : order) {
    const ir::Node& node = graph.node(id);
    if (builder.Absorbed(id)) continue;
    const Backend* const backend = backend_of(node);
    if (backend == nullptr) continue;
    if (backend != backends.front()) Log(LogLevel::kDebug, absl::StrCat(Describe(node), " runs on backend ", backend->name()));
    builder.SetBackendTakes([&](const ir::Node& other) { return backend_of(other) == backend; });
    builder.BeginLayer(node);
    OMKIT_RETURN_IF_ERROR(Annotate(backend->Lower(node, builder), absl::StrCat(backend->name(), ": ", Describe(node))));
    builder.EndLayer(node);
  }
  builder.SetBackendTakes(nullptr);
  return absl::OkStatus();
}

}  // namespace omkit
