#include <chrono>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/pass.h"

namespace omkit::passes {
namespace {

absl::Status Dump(const std::string& dir, size_t index, const Pass& pass, const ir::Graph& graph) {
  const std::string path = absl::StrFormat("%s/%02d_%s.txt", dir, index, pass.name);
  std::ofstream out(path);
  out << ir::ToText(graph);
  if (!out.flush()) return absl::UnavailableError(absl::StrCat("cannot write the dump '", path, "'"));
  return absl::OkStatus();
}

}  // namespace

absl::Status RunPasses(const std::vector<Pass>& passes, const PassManagerOptions& options, ir::Graph& graph) {
  for (size_t i = 0; i < passes.size(); ++i) {
    const Pass& pass = passes[i];
    const auto start = std::chrono::steady_clock::now();
    OMKIT_RETURN_IF_ERROR(Annotate(pass.run(graph), pass.name));
    graph.Sweep();
    OMKIT_RETURN_IF_ERROR(Annotate(ir::Verify(graph), absl::StrCat("after ", pass.name)));
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    Log(LogLevel::kDebug, absl::StrFormat("pass %-20s %8.2f ms, %d nodes", pass.name, ms, graph.CountNodes()));
    if (!options.dump_dir.empty()) OMKIT_RETURN_IF_ERROR(Dump(options.dump_dir, i, pass, graph));
  }
  return absl::OkStatus();
}

}  // namespace omkit::passes
