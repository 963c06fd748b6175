// What a chip backend is on the compile side: which nodes it takes and how it turns them into program steps. Floor 4.
//
// compile.cc asks the backends of the chosen soc_version in order; the first that supports a node lowers it. The run side of a
// backend is its kernels (run_side.h), found by the names that its steps carry.
#ifndef OMKIT_BACKENDS_BACKEND_H_
#define OMKIT_BACKENDS_BACKEND_H_

#include <vector>

#include "absl/status/status.h"
#include "backends/program_builder.h"
#include "ir/graph.h"
#include "passes/pass.h"

namespace omkit {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;
  // True when Lower can take the node with its types as they are.
  virtual bool Supports(const ir::Graph& graph, const ir::Node& node) const = 0;
  // True when the node, still in float, would run in INT8 once its tensors are quantized.
  virtual bool SupportsInt8(const ir::Graph& graph, const ir::Node& node) const = 0;
  // True when the node, still in float, would run with int8 weights and float activations (W8A16).
  virtual bool SupportsInt8Weights(const ir::Graph& /*graph*/, const ir::Node& /*node*/) const { return false; }
  // True when the node, still in float, would run on bfloat16 operands once its weights are bfloat16.
  virtual bool SupportsBFloat16(const ir::Graph& /*graph*/, const ir::Node& /*node*/) const { return false; }
  // Adds the steps of one node and places its outputs. Nodes arrive in topological order.
  virtual absl::Status Lower(const ir::Node& node, ProgramBuilder& builder) const = 0;
  // Rewrites of the fused float graph that this chip wants, in order.
  virtual std::vector<passes::Pass> Passes() const { return {}; }
};

// The backends of a soc_version, best first; the last one supports everything. They live for ever.
std::vector<const Backend*> BackendsFor(absl::string_view soc_version);
// Puts a plugin's backend in front of npu_int8 and reference for its soc_version. It must live for ever. Thread-safe.
void AddBackend(absl::string_view soc_version, const Backend* backend);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_BACKEND_H_
