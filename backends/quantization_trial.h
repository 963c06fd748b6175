// Tries recipes: builds the INT8 network of a recipe and measures it against the float network on a few samples. Floor 4. Every choice
// that "measured error" decides goes through here, with the integers that the compiled model will compute.
#ifndef OMKIT_BACKENDS_QUANTIZATION_TRIAL_H_
#define OMKIT_BACKENDS_QUANTIZATION_TRIAL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/evaluate.h"
#include "ir/graph.h"
#include "passes/recipe.h"

namespace omkit {

struct TrialResult {
  // Noise to signal, sum (y - y')^2 / sum y^2, averaged over what the outputs are made of: in front of Softmax, ArgMax, data movement and
  // the like, so that saturation there hides nothing, and one by one where outputs are concatenated.
  double noise = 0;
  // Of the model's outputs: the least over outputs of the mean over samples. An output of integers names things, whose numbers are no
  // magnitudes: the scores that it is made of stand for it.
  double cosine = 1;
  double sqnr_db = 0;
  // Of the outputs of integers (class maps, indices): the least over them of the mean part of elements that are equal; 1 where there are none.
  double agreement = 1;
};

class QuantizationTrial {
 public:
  // `graph` is the fused float graph; it and the policy must outlive this object.
  static absl::StatusOr<std::unique_ptr<QuantizationTrial>> Make(const ir::Graph& graph, const passes::QuantizePolicy& policy,
                                                                 std::vector<std::vector<Tensor>> samples, ir::EvaluatorFactory evaluators);

  absl::StatusOr<TrialResult> Measure(const passes::Recipe& recipe) const;
  const std::vector<std::vector<Tensor>>& samples() const { return samples_; }
  const ir::EvaluatorFactory& evaluators() const { return evaluators_; }

 private:
  QuantizationTrial(const ir::Graph& graph, const passes::QuantizePolicy& policy) : graph_(graph), policy_(policy) {}

  const ir::Graph& graph_;
  const passes::QuantizePolicy& policy_;
  std::vector<std::vector<Tensor>> samples_;
  ir::EvaluatorFactory evaluators_;
  std::vector<ir::ValueId> parts_;                       // what the outputs are made of
  std::vector<ir::ValueId> judged_;                      // what the cosine is of: outputs, and parts of those that are integers
  std::vector<std::vector<std::vector<float>>> part_;    // [part][sample]
  std::vector<std::vector<std::vector<float>>> output_;  // [output][sample]
};

// `supported`, `weight_only` and `bfloat16.supported` of the policy are what the chip's first backend says of `types`, or of the graph it is asked
// about when that is nullptr. `types` has the nodes of that graph and must live as long as the policy.
void AskBackend(absl::string_view soc, const ir::Graph* types, passes::QuantizePolicy* policy);

// The float graph becomes the INT8 graph of the recipe: equalize, plan, quantize, and bfloat16 for the float layers that are to have it.
absl::Status ApplyRecipe(const passes::Recipe& recipe, const passes::QuantizePolicy& policy, ir::Graph& graph);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_QUANTIZATION_TRIAL_H_
