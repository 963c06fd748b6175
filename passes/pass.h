// A pass is a name and a function that rewrites the graph. Floor 3; the pipeline in backends/compile.cc is a list of these.
//
// Passes rewrite and return. The manager sweeps dead nodes, infers types, verifies, times and dumps after each one.
#ifndef OMKIT_PASSES_PASS_H_
#define OMKIT_PASSES_PASS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ir/graph.h"

namespace omkit::passes {

struct Pass {
  std::string name;
  std::function<absl::Status(ir::Graph&)> run;
};

struct PassManagerOptions {
  std::string dump_dir;  // when set, the graph is printed to <dir>/<nn>_<pass>.txt after each pass
};

// Runs the passes in order. An error carries the pass name in front.
absl::Status RunPasses(const std::vector<Pass>& passes, const PassManagerOptions& options, ir::Graph& graph);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_PASS_H_
