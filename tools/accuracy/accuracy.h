// The accuracy command: what INT8 costs, output by output and layer by layer. Floor 5.
#ifndef OMKIT_TOOLS_ACCURACY_ACCURACY_H_
#define OMKIT_TOOLS_ACCURACY_ACCURACY_H_

#include <ostream>
#include <string>

#include "absl/types/span.h"

namespace omkit::accuracy {

// `arguments` without the program's name. Returns the exit code: 0, 1 after a failure, 2 for a wrong command line.
int RunAccuracy(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err);

}  // namespace omkit::accuracy

#endif  // OMKIT_TOOLS_ACCURACY_ACCURACY_H_
