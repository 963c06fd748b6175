#include "runtime/kernel.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "absl/base/const_init.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace omkit::runtime {
namespace {

struct Registry {
  absl::Mutex mutex;
  std::map<std::string, const KernelDef*, std::less<>> kernels ABSL_GUARDED_BY(mutex);
};

// Made on first use and never destroyed: kernels register from static constructors of any file.
Registry& GetRegistry() {
  static Registry* const registry = new Registry();
  return *registry;
}

}  // namespace

void FailStep(const KernelContext& context, absl::string_view message) {
  if (context.failure == nullptr || context.failure->failed.exchange(true)) return;
  const size_t size = std::min(message.size(), sizeof(context.failure->message) - 1);
  std::memcpy(context.failure->message, message.data(), size);
  context.failure->message[size] = '\0';
}

absl::Status RegisterKernel(const KernelDef* kernel) {
  if (kernel == nullptr || kernel->name == nullptr || *kernel->name == '\0' || kernel->verify == nullptr || kernel->run == nullptr) {
    return absl::InvalidArgumentError("a kernel needs a name, verify and run");
  }
  Registry& registry = GetRegistry();
  absl::MutexLock lock(&registry.mutex);
  const bool added = registry.kernels.emplace(kernel->name, kernel).second;
  if (!added) return absl::AlreadyExistsError(absl::StrCat("kernel '", kernel->name, "' is registered twice"));
  return absl::OkStatus();
}

const KernelDef* FindKernel(absl::string_view name) {
  Registry& registry = GetRegistry();
  absl::MutexLock lock(&registry.mutex);
  const auto it = registry.kernels.find(name);
  return it == registry.kernels.end() ? nullptr : it->second;
}

std::vector<std::string> KernelNames() {
  Registry& registry = GetRegistry();
  absl::MutexLock lock(&registry.mutex);
  std::vector<std::string> names;
  for (const auto& [name, kernel] : registry.kernels) names.push_back(name);
  return names;
}

}  // namespace omkit::runtime
