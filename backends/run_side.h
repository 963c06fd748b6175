// The run side of all backends: call once before loading programs. Floor 4; runtime and acl reach kernels only through the registry.
#ifndef OMKIT_BACKENDS_RUN_SIDE_H_
#define OMKIT_BACKENDS_RUN_SIDE_H_

#include "absl/strings/string_view.h"

namespace omkit {

// Registers every kernel of every backend that is linked in. Further calls do nothing. Thread-safe.
void RegisterAllKernels();

// RegisterAllKernels, then the plugins that runtime::PluginFiles(plugin_path) finds; files that are refused are logged as errors and the
// others still work. Thread-safe.
void RegisterKernelsAndPlugins(absl::string_view plugin_path);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_RUN_SIDE_H_
