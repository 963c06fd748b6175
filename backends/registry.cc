#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "backends/aipp/aipp.h"
#include "backends/backend.h"
#include "backends/control/control.h"
#include "backends/npu_int8/npu_int8.h"
#include "backends/reference/reference.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

struct Added {
  absl::Mutex mutex;
  std::map<std::string, const Backend*, std::less<>> by_soc ABSL_GUARDED_BY(mutex);
};

Added& AddedBackends() {
  static auto* const added = new Added;
  return *added;
}

}  // namespace

void AddBackend(absl::string_view soc_version, const Backend* backend) {
  Added& added = AddedBackends();
  absl::MutexLock lock(&added.mutex);
  added.by_soc[std::string(soc_version)] = backend;
}

std::vector<const Backend*> BackendsFor(absl::string_view soc_version) {
  {
    Added& added = AddedBackends();
    absl::MutexLock lock(&added.mutex);
    const auto it = added.by_soc.find(soc_version);
    if (it != added.by_soc.end()) {
      return {it->second, &npu_int8::NpuInt8Backend(), &aipp::AippBackend(), &control::ControlBackend(), &reference::ReferenceBackend()};
    }
  }
  if (soc_version == runtime::kReferenceSoc) return {&reference::ReferenceBackend()};
  return {&npu_int8::NpuInt8Backend(), &aipp::AippBackend(), &control::ControlBackend(), &reference::ReferenceBackend()};
}

}  // namespace omkit
