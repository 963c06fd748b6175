#include "backends/run_side.h"

#include "backends/kernels/f32.h"
#include "backends/kernels/u8.h"
#include "backends/reference/run.h"

namespace omkit {

void RegisterAllKernels() {
  static const bool registered = [] {
    kernels::RegisterU8Kernels();
    kernels::RegisterF32Kernels();
    reference::RegisterReferenceKernels();
    return true;
  }();
  (void)registered;
}

}  // namespace omkit
