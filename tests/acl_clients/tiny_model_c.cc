// The tiny model for clients in C.
#include "runtime/acl/kernels_hook.h"
#include "tests/acl_clients/tiny_model.h"

namespace {

const bool kHook = omkit::acl::SetKernelRegistration(&omkit::RegisterTinyKernels);

}  // namespace

extern "C" int omkit_test_write_tiny_model(const char* path) { return kHook && omkit::WriteTinyModel(path, omkit::TinyProgram()) ? 1 : 0; }
