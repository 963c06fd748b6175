#include "backends/kernels/aipp/stages.h"

namespace omkit::kernels::OMKIT_TIER_NAMESPACE {

void AippRows(const AippPlan& plan, const AippRowsArgs& args) { Rows<PortableStages>(plan, args); }

}  // namespace omkit::kernels::OMKIT_TIER_NAMESPACE
