#include "backends/kernels/dwconv_u8/generic.h"

namespace omkit::kernels::OMKIT_TIER_NAMESPACE {

void DwConvU8(const KernelArgs& args) {
  DwConvU8Params p;
  LoadParams(args, &p);
  GenericDwConvU8(p, args);
}

}  // namespace omkit::kernels::OMKIT_TIER_NAMESPACE
