// Puts the backends' kernels into libascendcl.so: the C API stands below the backends and takes their registration through a hook.
#include "backends/run_side.h"
#include "runtime/acl/kernels_hook.h"

namespace omkit {
namespace {

const bool kRegistered = acl::SetKernelRegistration([] {
  RegisterKernelsAndPlugins("");
  return absl::OkStatus();
});

}  // namespace
}  // namespace omkit
