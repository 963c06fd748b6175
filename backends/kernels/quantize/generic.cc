#include "backends/kernels/quantize/generic.h"

namespace omkit::kernels::OMKIT_TIER_NAMESPACE {

void Quantize(const KernelArgs& args) { Run<ToU8>(args); }
void Dequantize(const KernelArgs& args) { Run<ToF32>(args); }

}  // namespace omkit::kernels::OMKIT_TIER_NAMESPACE
