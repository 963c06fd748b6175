// Errors of atc: a catalogue code with its text. The rest of omkit speaks absl::Status; here statuses get the codes that scripts and
// manuals of the ATC tool know. Floor 5.
#ifndef OMKIT_TOOLS_ATC_ERRORS_H_
#define OMKIT_TOOLS_ATC_ERRORS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace omkit::atc {

enum class ErrorCode {
#define OMKIT_ATC_ERROR(code, title, text) code,
#include "tools/atc/atc_errors.inc"
#undef OMKIT_ATC_ERROR
};

// A status that carries the code; its message is the catalogue text with the arguments filled in.
absl::Status Error(ErrorCode code, const std::vector<std::string>& arguments);

// What atc was doing when a lower floor failed.
enum class Stage { kImport, kCalibrationData, kCompile, kWrite, kLoadOm };

// Gives a status of a lower floor its code; `subject` is the file concerned. Statuses that have a code already are returned as they are.
absl::Status WithCode(const absl::Status& status, Stage stage, const std::string& subject);

// "E10001"; E19999 when the status carries no code.
std::string CodeOf(const absl::Status& status);

// "[PID: 1] <time> Invalid_Argument(E10001): Value ..." with further lines of the message indented.
std::string FormatError(const absl::Status& status, int pid, absl::string_view time);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_ERRORS_H_
