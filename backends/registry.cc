#include "backends/backend.h"
#include "backends/npu_int8/npu_int8.h"
#include "backends/reference/reference.h"
#include "runtime/soc.h"

namespace omkit {

std::vector<const Backend*> BackendsFor(absl::string_view soc_version) {
  if (soc_version == runtime::kReferenceSoc) return {&reference::ReferenceBackend()};
  return {&npu_int8::NpuInt8Backend(), &reference::ReferenceBackend()};
}

}  // namespace omkit
