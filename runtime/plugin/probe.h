// Tries a plugin in a child process before this one loads it. Floor 2, part of the loader.
#ifndef OMKIT_RUNTIME_PLUGIN_PROBE_H_
#define OMKIT_RUNTIME_PLUGIN_PROBE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace omkit::runtime {

// Runs `load` in a forked child and returns what it returned there. FAILED_PRECONDITION when the child died or hung instead: the
// message tells the signal, the exit status or the time. `load` must do without locks that other threads of this process may hold.
absl::Status ProbeInChild(const std::function<absl::Status()>& load);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_PLUGIN_PROBE_H_
