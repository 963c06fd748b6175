// The block that --mode=6 and --display_model_info print. Floor 5.
#ifndef OMKIT_TOOLS_ATC_MODEL_INFO_H_
#define OMKIT_TOOLS_ATC_MODEL_INFO_H_

#include <string>

#include "absl/status/statusor.h"

namespace omkit::atc {

// Reads the offline model. Errors have codes of errors.h.
absl::StatusOr<std::string> ModelInfo(const std::string& om_path);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_MODEL_INFO_H_
