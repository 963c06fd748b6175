#include "backends/evaluator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/lower.h"
#include "backends/program_builder.h"
#include "backends/run_side.h"
#include "base/status.h"
#include "runtime/model.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

// Watched values become outputs of a copy of the graph, so that a run delivers them like any result.
class BackendEvaluator : public ir::Evaluator {
 public:
  static absl::StatusOr<std::unique_ptr<ir::Evaluator>> Make(const runtime::SocRow& soc, const ir::Graph& graph,
                                                             absl::Span<const ir::ValueId> watched) {
    auto evaluator = std::make_unique<BackendEvaluator>();
    for (ir::ValueId v : watched) evaluator->Watch(v);
    for (ir::ValueId v : graph.outputs()) evaluator->Watch(v);
    std::unique_ptr<ir::Graph> copy = graph.Clone();
    for (ir::ValueId v : evaluator->values_) {
      if (!copy->IsOutput(v)) copy->MarkOutput(v);
    }
    ProgramBuilder builder(*copy, soc.isa);
    OMKIT_RETURN_IF_ERROR(LowerGraph(soc.name, *copy, builder));
    OMKIT_ASSIGN_OR_RETURN(runtime::Program program, builder.Finish());
    program.soc_version = soc.name;
    RegisterAllKernels();
    OMKIT_ASSIGN_OR_RETURN(runtime::LoadedOm om, runtime::LoadedOmFrom(std::move(program)));
    runtime::ModelOptions options;
    options.check_soc = false;
    OMKIT_ASSIGN_OR_RETURN(evaluator->model_, runtime::Model::Load(std::move(om), options));
    for (ir::ValueId v : copy->outputs()) {
      OMKIT_ASSIGN_OR_RETURN(Tensor t, Tensor::Allocate(copy->value(v).type));
      evaluator->results_.emplace_back(v, std::move(t));
    }
    for (ir::ValueId v : copy->inputs()) evaluator->input_types_.push_back(copy->value(v).type);
    return std::unique_ptr<ir::Evaluator>(std::move(evaluator));
  }

  absl::Status Run(absl::Span<const Tensor> inputs, const ir::ObserveFn& observe) override {
    if (inputs.size() != input_types_.size()) {
      return absl::InvalidArgumentError(absl::StrCat("the graph has ", input_types_.size(), " inputs, ", inputs.size(), " were given"));
    }
    std::vector<const void*> in;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].dtype() != input_types_[i].dtype || inputs[i].shape() != input_types_[i].shape) {
        return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ", input_types_[i].ToString(), ", got ", inputs[i].type().ToString()));
      }
      in.push_back(inputs[i].raw());
    }
    std::vector<void*> out;
    for (auto& [v, tensor] : results_) out.push_back(tensor.mutable_raw());
    OMKIT_RETURN_IF_ERROR(model_->Execute(in, out));
    for (const auto& [v, tensor] : results_) observe(v, tensor);
    return absl::OkStatus();
  }

 private:
  void Watch(ir::ValueId v) {
    if (std::find(values_.begin(), values_.end(), v) == values_.end()) values_.push_back(v);
  }

  std::vector<ir::ValueId> values_;
  std::unique_ptr<runtime::Model> model_;
  std::vector<std::pair<ir::ValueId, Tensor>> results_;
  std::vector<TensorType> input_types_;
};

}  // namespace

ir::EvaluatorFactory BackendEvaluators(std::string soc_version) {
  return [soc_version = std::move(soc_version)](const ir::Graph& graph,
                                                absl::Span<const ir::ValueId> watched) -> absl::StatusOr<std::unique_ptr<ir::Evaluator>> {
    OMKIT_ASSIGN_OR_RETURN(const runtime::SocRow soc, runtime::FindSoc(soc_version));
    return BackendEvaluator::Make(soc, graph, watched);
  };
}

}  // namespace omkit
