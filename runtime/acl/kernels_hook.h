// How kernels reach the loader: this room stands below the backends, so the shared library (tools/libascendcl) or a test hands in the
// function that registers their kernels, and the first aclInit calls it.
#ifndef OMKIT_RUNTIME_ACL_KERNELS_HOOK_H_
#define OMKIT_RUNTIME_ACL_KERNELS_HOOK_H_

#include "absl/status/status.h"

namespace omkit::acl {

using RegisterKernelsFunction = absl::Status (*)();

// Sets the function; may be called during static initialisation. Returns true, so that a variable's initialiser can call it.
bool SetKernelRegistration(RegisterKernelsFunction function);
// Calls the function the first time; OK when none was set.
absl::Status RegisterKernelsOnce();

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_KERNELS_HOOK_H_
