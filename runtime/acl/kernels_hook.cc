#include "runtime/acl/kernels_hook.h"

namespace omkit::acl {
namespace {

RegisterKernelsFunction register_kernels = nullptr;

}  // namespace

bool SetKernelRegistration(RegisterKernelsFunction function) {
  register_kernels = function;
  return true;
}

absl::Status RegisterKernelsOnce() {
  static const absl::Status* const status = new absl::Status(register_kernels != nullptr ? register_kernels() : absl::OkStatus());
  return *status;
}

}  // namespace omkit::acl
