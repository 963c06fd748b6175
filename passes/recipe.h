// A quantization recipe: every decision that turns a float network into its INT8 network, as data. Floor 3.
//
// Calibration and searches write it, Quantize (quantize.h) follows it, and nothing else decides anything: the same fused graph and recipe
// give the same INT8 graph, without samples. It is kept in the manifest of the offline model, and as a JSON file with one line per tensor
// and node, so that two of them can be compared with diff, edited by hand and fed back:
//
//   {"omkit_recipe": 1, "model_hash": "...",
//    "tensors": {"<name>": {"min": x, "max": x, "method": "mse"}},
//    "nodes": {"<name>": {"precision": "int8" | "w8a16" | "bfloat16" | "float", "leads": true, "weights": "per_tensor", "bias": [...], "rounding":
//    "<base64>"}}, "equalize": {"<tensor>": [one factor per channel]}}
#ifndef OMKIT_PASSES_RECIPE_H_
#define OMKIT_PASSES_RECIPE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "passes/quantization_plan.h"
#include "passes/statistics.h"

namespace omkit::passes {

struct TensorRecipe {
  ValueRange range;    // of the tensor after equalization
  std::string method;  // where it comes from; only for readers
};

enum class Precision {
  kInt8,
  kW8A16,     // Conv, Dense: int8 weights, which the kernels widen as they read them; activations and sums in float
  kBFloat16,  // Conv, Dense: bfloat16 weights, and inputs that the kernels round to bfloat16; all else in float (bfloat16.h)
  kFloat,
};

struct NodeRecipe {
  Precision precision = Precision::kInt8;
  bool leads = false;            // INT8 even where its data comes from float operators, as Conv, Dense and MatMul are of themselves
  bool channel_wise = true;      // Conv, Dense: one weight scale per output channel
  std::vector<float> bias;       // Conv, Dense with int8 weights: added to the bias before it is rounded, one per output channel; empty: nothing
  std::vector<int8_t> rounding;  // Conv, Dense: steps between the nearest integer and the weight that is used, one per weight; empty: 0
};

struct Recipe {
  std::string model_hash;
  std::map<std::string, TensorRecipe> tensors;
  std::map<std::string, NodeRecipe> nodes;  // those that the backend can run in INT8; a node that is not named is int8
  // Tensors between two layers whose channels are divided by these factors: the producer's weights and bias are divided, the readers'
  // weights multiplied.
  std::map<std::string, std::vector<float>> equalize;
};

// `lines`: one line per tensor and node; otherwise everything in one line.
std::string SerializeRecipe(const Recipe& recipe, bool lines);
// INVALID_ARGUMENT names the key or the entry that is wrong; unknown keys are errors.
absl::StatusOr<Recipe> ParseRecipe(absl::string_view text);

// The plan that the recipe stands for on this graph.
absl::StatusOr<QuantizationPlan> PlanOf(const Recipe& recipe, const ir::Graph& graph, const QuantizePolicy& policy);

// A recipe with `policy` applied to statistics: ranges by `method` where the policy leaves it open (RangeMethod::kAuto).
Recipe MakeRecipe(const ir::Graph& graph, const QuantizationPlan& plan, const QuantizePolicy& policy, const Statistics& statistics,
                  RangeMethod method);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_RECIPE_H_
