// Finds plugins, checks them and puts their kernels and chips into the registries. Floor 2: the run side of plugins; the compile side
// (backends/plugin) builds on the tables that are loaded here. The interface itself is include/omkit/plugin.h.
#ifndef OMKIT_RUNTIME_PLUGIN_PLUGIN_H_
#define OMKIT_RUNTIME_PLUGIN_PLUGIN_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "omkit/plugin.h"

namespace omkit::runtime {

struct LoadedPlugin {
  std::string path;
  const OmkitPlugin* table;  // checked; lives for ever
};

struct RefusedPlugin {
  std::string path;
  absl::Status reason;  // names the file
};

struct PluginSet {
  std::vector<LoadedPlugin> loaded;  // in the order they were found
  std::vector<RefusedPlugin> refused;
};

// The files that a process looks at, in order: the entries of `plugin_path` (files or folders, separated by ':'), those of the
// environment variable OMKIT_PLUGIN_PATH, and the folder plugins/ beside the folder of this program or library (in an SDK:
// SDK/plugins). A folder stands for its *.so files by name. Entries that do not exist are kept, to be reported.
std::vector<std::string> PluginFiles(absl::string_view plugin_path);

// Loads the files and registers kernels and chips of each plugin that passes all checks; a plugin is taken whole or not at all. A new
// file is first loaded and checked in a child process, so that a crash or hang of its initialisation ends that process and not this
// one (OMKIT_PLUGIN_PROBE=0 skips that). A file that this process has loaded already is not loaded again. Returns all plugins of this
// process and the files that were refused now. Plugins stay for the life of the process. Thread-safe.
PluginSet LoadPlugins(const std::vector<std::string>& files, const OmkitHost& host);

// The table of a process that compiles nothing: only `log`.
const OmkitHost& RunOnlyHost();

// Reasons to refuse a table: its version, missing functions, names that are taken. Messages do not name the file.
absl::Status CheckPlugin(const OmkitPlugin* plugin);

// Entry `i` of an array in a plugin's table: arrays are walked in steps of their first entry's struct_size.
template <typename T>
const T& EntryAt(const T* array, uint32_t i) {
  return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(array) + static_cast<size_t>(array->struct_size) * i);
}

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_PLUGIN_PLUGIN_H_
