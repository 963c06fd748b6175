// Puts the backends' kernels, and the stage that makes plans at run time, into libascendcl.so: the C API stands below the backends and takes
// their registration through a hook.
#include "backends/range_plans.h"
#include "backends/run_side.h"
#include "runtime/acl/kernels_hook.h"

namespace omkit {
namespace {

const bool kRegistered = acl::SetKernelRegistration([] {
  RegisterKernelsAndPlugins("");
  RegisterRangePlans();
  return absl::OkStatus();
});

}  // namespace
}  // namespace omkit
