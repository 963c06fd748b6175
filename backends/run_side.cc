#include "backends/run_side.h"

#include "backends/control/run.h"
#include "backends/kernels/aipp/aipp.h"
#include "backends/kernels/f32.h"
#include "backends/kernels/u8.h"
#include "backends/reference/run.h"
#include "base/log.h"
#include "runtime/plugin/plugin.h"

namespace omkit {

void RegisterAllKernels() {
  static const bool registered = [] {
    kernels::RegisterU8Kernels();
    kernels::RegisterF32Kernels();
    kernels::RegisterAippKernels();
    control::RegisterControlKernels();
    reference::RegisterReferenceKernels();
    return true;
  }();
  (void)registered;
}

void RegisterKernelsAndPlugins(absl::string_view plugin_path) {
  RegisterAllKernels();
  const runtime::PluginSet plugins = runtime::LoadPlugins(runtime::PluginFiles(plugin_path), runtime::RunOnlyHost());
  for (const runtime::RefusedPlugin& refused : plugins.refused) Log(LogLevel::kError, refused.reason.message());
}

}  // namespace omkit
