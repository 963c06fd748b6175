// Lets the executor run a plugin's kernels: one KernelDef per kernel of a checked plugin. Floor 2.
#ifndef OMKIT_RUNTIME_PLUGIN_KERNELS_H_
#define OMKIT_RUNTIME_PLUGIN_KERNELS_H_

#include "absl/status/status.h"
#include "omkit/plugin.h"

namespace omkit::runtime {

// The plugin must have passed CheckPlugin and live for ever.
absl::Status RegisterPluginKernels(const OmkitPlugin& plugin);

// The kernel of a loaded plugin, or nullptr.
const OmkitKernel* FindPluginKernel(absl::string_view name);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_PLUGIN_KERNELS_H_
