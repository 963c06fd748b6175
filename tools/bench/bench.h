// The bench command: measures offline models against each other. Floor 5.
#ifndef OMKIT_TOOLS_BENCH_BENCH_H_
#define OMKIT_TOOLS_BENCH_BENCH_H_

#include <ostream>
#include <string>

#include "absl/types/span.h"

namespace omkit::bench {

// `arguments` without the program's name. Results go to `out`, errors to `err`. Returns the exit code: 0, 1 after a failure, 2 for a
// wrong command line.
int RunBench(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err);

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_BENCH_H_
