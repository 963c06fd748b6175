// The command line of AMCT: calibration writes the fake-quant model, the deploy model and the record of a network, save_model writes the
// models again from an edited record. Floor 5.
#ifndef OMKIT_TOOLS_AMCT_AMCT_H_
#define OMKIT_TOOLS_AMCT_AMCT_H_

#include <ostream>
#include <string>

#include "absl/types/span.h"

namespace omkit::amct_tool {

// Arguments without the program's name. Returns the exit status: 0 done, 1 failed (why stands on `err`), 2 wrong usage.
int RunAmct(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err);

}  // namespace omkit::amct_tool

#endif  // OMKIT_TOOLS_AMCT_AMCT_H_
