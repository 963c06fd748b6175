// Plugins of a program that compiles: their kernels and chips are registered as on a device, and their compile side becomes a Backend
// for each of their chips. Floor 4, called by the tools before they use soc_version names.
#ifndef OMKIT_BACKENDS_PLUGIN_LOAD_H_
#define OMKIT_BACKENDS_PLUGIN_LOAD_H_

#include "absl/strings/string_view.h"
#include "runtime/plugin/plugin.h"

namespace omkit {

// Loads what runtime::PluginFiles(plugin_path) finds. May be called again with other paths. Refused files are for the caller to report.
runtime::PluginSet LoadBackendPlugins(absl::string_view plugin_path);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_PLUGIN_LOAD_H_
