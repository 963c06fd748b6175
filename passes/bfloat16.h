// Layers that compute on bfloat16: a Conv or Dense that stays float gets bfloat16 weights, which is what tells it to round its input as well
// (ir/ops/accumulator.h). Floor 3, behind quantization.
#ifndef OMKIT_PASSES_BFLOAT16_H_
#define OMKIT_PASSES_BFLOAT16_H_

#include <functional>
#include <set>
#include <string>

#include "passes/pass.h"

namespace omkit::passes {

// What the user asks for. Names are those of the model's nodes; a layer that a pass fused into another one answers to the surviving name.
struct BFloat16Policy {
  bool all = false;                  // every layer that the sets below do not keep (ATC allow_mix_precision_bf16)
  std::set<std::string> nodes;       // these, whatever the sets below say
  std::set<std::string> keep_nodes;  // stay FP32
  std::set<std::string> keep_types;  // types that stay FP32 (the black list of ATC modify_mixlist)
  std::set<std::string> grey_types;  // types that follow the nearest Conv or Dense before them; those behind none stay FP32
  // True when the backend has a kernel for the node, still in FP32, on bfloat16; empty: for none.
  std::function<bool(const ir::Graph&, const ir::Node&)> supported;

  bool any() const { return all || !nodes.empty(); }
};

// Rewrites what the policy says and the backend has a kernel for; the rest stays FP32.
Pass BFloat16Layers(BFloat16Policy policy);

// True for a Conv or Dense that BFloat16Layers has rewritten.
bool ComputesOnBFloat16(const ir::Graph& graph, const ir::Node& node);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_BFLOAT16_H_
