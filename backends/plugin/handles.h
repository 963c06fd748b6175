// What the opaque handles of the plugin interface point to on the host's side. Floor 4, inside this room.
#ifndef OMKIT_BACKENDS_PLUGIN_HANDLES_H_
#define OMKIT_BACKENDS_PLUGIN_HANDLES_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backends/backend.h"
#include "backends/program_builder.h"
#include "ir/graph.h"
#include "omkit/plugin.h"

struct OmkitNode {
  const omkit::ir::Graph* graph;
  const omkit::ir::Node* node;
  const char* soc_version;         // nullptr in passes
  const omkit::Backend* fallback;  // of the chip, behind the plugin; nullptr in passes
};

struct OmkitEmitter {
  const omkit::ir::Node* node;
  omkit::ProgramBuilder* builder;
  const OmkitPlugin* plugin;
  absl::Status status;  // the first failure, in the host's own words
};

struct OmkitGraph {
  omkit::ir::Graph* graph;
  std::vector<OmkitNode> order;  // of the nodes; empty: to be made anew
};

namespace omkit::plugin {

// The host's answer as far as the plugin's struct reaches; its struct_size stays. `T` begins with struct_size.
template <typename T>
int32_t Give(const T& answer, T* to) {
  if (to == nullptr || to->struct_size < sizeof(uint32_t)) return OMKIT_INVALID;
  const uint32_t size = to->struct_size;
  std::memcpy(to, &answer, std::min<size_t>(size, sizeof answer));
  to->struct_size = size;
  return OMKIT_OK;
}

// Fills the pointers of one part of the host's table.
void OfferNodes(OmkitHost* host);
void OfferEmitter(OmkitHost* host);
void OfferGraph(OmkitHost* host);

}  // namespace omkit::plugin

#endif  // OMKIT_BACKENDS_PLUGIN_HANDLES_H_
