// The parameter bytes of a plugin's step: a header with the version of their layout, then what the plugin's lowering gave. Floor 2,
// written by backends/plugin, read when an offline model is loaded.
#ifndef OMKIT_RUNTIME_PLUGIN_STEP_PARAMS_H_
#define OMKIT_RUNTIME_PLUGIN_STEP_PARAMS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace omkit::runtime {

std::string WithParamsVersion(uint32_t version, const void* params, size_t size);

// The bytes behind the header. FAILED_PRECONDITION when they were written for another version; INVALID_ARGUMENT without a header.
absl::StatusOr<absl::string_view> ParamsOfVersion(absl::string_view stored, uint32_t version);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_PLUGIN_STEP_PARAMS_H_
