// The atc command: model file to offline model, with the console protocol of the ATC tool. Floor 5.
#ifndef OMKIT_TOOLS_ATC_ATC_H_
#define OMKIT_TOOLS_ATC_ATC_H_

#include <ostream>
#include <string>

#include "absl/types/span.h"

namespace omkit::atc {

// `arguments` without the program's name. Verdict and errors go to `out`, errors in the command line's form to `err` too, progress
// to `err`. Returns the exit code: 0, or 1 after a failure, which leaves an existing output file untouched.
int RunAtc(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err);

// What a failure prints before the error's text.
extern const char kFailure[];

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_ATC_H_
