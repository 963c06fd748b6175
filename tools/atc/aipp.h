// --insert_op_conf: the AIPP configuration as stages in front of the network's inputs, and as the preprocessing of calibration pictures. Floor 5.
#ifndef OMKIT_TOOLS_ATC_AIPP_H_
#define OMKIT_TOOLS_ATC_AIPP_H_

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontends/aipp/config.h"
#include "frontends/calibration_data.h"
#include "ir/graph.h"
#include "passes/insert_aipp.h"

namespace omkit::atc {

// Errors have codes of errors.h.
absl::StatusOr<frontends::AippConfig> ReadAipp(const std::string& path);

// The stages for the network's inputs, whose shapes are bound. Warnings go to `out`, whatever the log level: they tell of results that may not
// be what is meant.
std::function<absl::StatusOr<std::vector<passes::AippInput>>(const ir::Graph&)> AippFrom(const frontends::AippConfig& config,
                                                                                         const frontends::AippRules& rules, std::ostream& out);

// What turns a picture into what the network sees behind its static stage: scaled to the source size, brought into the source format, and
// through the stage. By input; inputs without a stage and with a dynamic one have none. Empty when the configuration is not valid, which
// AippFrom tells.
std::map<int, frontends::PictureReader> AippPictures(const frontends::AippConfig& config, const frontends::AippRules& rules, const ir::Graph& graph);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_AIPP_H_
