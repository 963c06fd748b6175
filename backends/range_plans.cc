#include "backends/range_plans.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "backends/bind.h"
#include "backends/graph_codec.h"
#include "backends/weight_pool.h"
#include "base/status.h"
#include "runtime/plan_source.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

// Packed forms of all weights that plans have asked for. Most do not depend on the shape, so the pool stops growing after a few plans; when
// it is full, the next plans begin another and the old one goes with its last plan.
class RangeSource : public runtime::PlanSource {
 public:
  RangeSource(std::unique_ptr<ir::Graph> graph, runtime::SocRow soc, uint64_t weights_size)
      : graph_(std::move(graph)), soc_(soc), capacity_(4 * weights_size + (uint64_t{16} << 20)) {}

  absl::StatusOr<runtime::BoundPlan> Make(const std::vector<std::vector<int64_t>>& dims) override {
    absl::StatusOr<runtime::BoundPlan> plan = pool_ == nullptr ? NoRoom() : MakeIn(pool_, dims);
    if (absl::IsResourceExhausted(plan.status()) && (pool_ == nullptr || pool_->full())) {
      OMKIT_ASSIGN_OR_RETURN(pool_, WeightPool::WithCapacity(capacity_));
      plan = MakeIn(pool_, dims);
    }
    return plan;
  }

 private:
  static absl::StatusOr<runtime::BoundPlan> NoRoom() { return absl::ResourceExhaustedError("no pool yet"); }

  absl::StatusOr<runtime::BoundPlan> MakeIn(const std::shared_ptr<WeightPool>& pool, const std::vector<std::vector<int64_t>>& dims) {
    runtime::BoundPlan bound;
    OMKIT_ASSIGN_OR_RETURN(bound.plan, LowerBound(*graph_, dims, soc_, pool.get()));
    bound.weights = pool->data();
    bound.weights_size = pool->size();
    bound.owner = pool;
    return bound;
  }

  std::unique_ptr<ir::Graph> graph_;
  runtime::SocRow soc_;
  uint64_t capacity_;
  std::shared_ptr<WeightPool> pool_;
};

absl::StatusOr<std::unique_ptr<runtime::PlanSource>> MakeSource(const runtime::ShapedProgram& program, const uint8_t* weights,
                                                                uint64_t weights_size) {
  OMKIT_ASSIGN_OR_RETURN(const runtime::SocRow soc, runtime::FindSoc(program.soc_version));
  OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<ir::Graph> graph, DecodeGraph(program.shapes.graph, weights, weights_size));
  const auto same = [&](const std::vector<ir::ValueId>& values, const std::vector<runtime::IoDesc>& list) {
    return std::equal(values.begin(), values.end(), list.begin(), list.end(), [&](ir::ValueId v, const runtime::IoDesc& io) {
      return graph->value(v).name == io.name && graph->value(v).type.dtype == io.dtype;
    });
  };
  if (!same(graph->inputs(), program.inputs) || graph->outputs().size() != program.outputs.size()) {
    return absl::InvalidArgumentError("graph: its inputs and outputs are not the model's");
  }
  return std::unique_ptr<runtime::PlanSource>(std::make_unique<RangeSource>(std::move(graph), soc, weights_size));
}

}  // namespace

bool RegisterRangePlans() { return runtime::SetPlanSourceFactory(MakeSource); }

}  // namespace omkit
