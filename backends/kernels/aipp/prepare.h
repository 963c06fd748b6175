// Makes the plans that the rows functions work from. Floor 4, private to the family.
#ifndef OMKIT_BACKENDS_KERNELS_AIPP_PREPARE_H_
#define OMKIT_BACKENDS_KERNELS_AIPP_PREPARE_H_

#include <memory>
#include <vector>

#include "backends/kernels/aipp/aipp.h"
#include "backends/kernels/aipp/plan.h"

namespace omkit::kernels {

// A plan and the tables that it points to.
struct AippState {
  struct Windows {
    std::vector<int32_t> luma_base, chroma_base;
    std::vector<uint8_t> luma_index, chroma_index;
  };
  AippPlan plan;
  std::vector<aipp::Tap> rows;
  std::vector<int32_t> first, next;
  std::vector<int16_t> weight;
  Windows windows[2];
};

// A plan without resize. Allocates nothing. The spec has passed aipp::Check.
void FillAippPlan(const AippParams& params, const aipp::Spec& spec, AippPlan* plan);
// The plan of a static stage.
std::unique_ptr<AippState> MakeAippState(const AippParams& params);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_AIPP_PREPARE_H_
