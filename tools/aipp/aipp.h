// The tool `aipp`: makes AIPP configurations from plain words, and shows what one does to a picture. Floor 5.
#ifndef OMKIT_TOOLS_AIPP_AIPP_H_
#define OMKIT_TOOLS_AIPP_AIPP_H_

#include <map>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "frontends/aipp/config.h"
#include "frontends/aipp/source_image.h"
#include "frontends/image_file.h"

namespace omkit::aipp_tool {

// Flags by name; those that are not given are missing.
using Flags = std::map<std::string, std::string>;

// The program without its name. Returns the exit status: 0, 1 (the work failed) or 2 (wrong command line).
int RunAippTool(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err);

// make.cc: INVALID_ARGUMENT names the flag, its value and what is expected. Notes for the user go to `notes`.
absl::StatusOr<aipp::Stage> MakeStage(const Flags& flags, std::ostream& notes);
absl::Status Make(const Flags& flags, std::ostream& out, std::ostream& notes);
// "1920x1080".
bool ParseSize(absl::string_view text, int32_t* w, int32_t* h);

// preview.cc
absl::Status Preview(const Flags& flags, std::ostream& out);

}  // namespace omkit::aipp_tool

#endif  // OMKIT_TOOLS_AIPP_AIPP_H_
