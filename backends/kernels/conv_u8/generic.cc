#include "backends/kernels/conv_u8/generic.h"

namespace omkit::kernels::OMKIT_TIER_NAMESPACE {

void ConvU8(const KernelArgs& args) {
  ConvU8Params p;
  LoadParams(args, &p);
  GenericConvU8(p, args);
}

}  // namespace omkit::kernels::OMKIT_TIER_NAMESPACE
