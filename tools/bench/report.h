// bench's results as text and as JSON. Floor 5.
#ifndef OMKIT_TOOLS_BENCH_REPORT_H_
#define OMKIT_TOOLS_BENCH_REPORT_H_

#include <ostream>
#include <string>
#include <vector>

#include "tools/bench/measure.h"
#include "tools/bench/peak.h"

namespace omkit::bench {

struct Machine {
  std::string cpu;  // name of the processor, "" if the system does not tell
  int cores = 1;    // that this process may use
  std::string isa;  // best tier
  Peak peak;        // of one core
};

// Names of the processor and so on; `peak` is left empty.
Machine DescribeMachine();

// The peak that a kernel's arithmetic can reach on `threads` threads of the machine, in G operations per second: INT8 for kernels of names
// "..._u8...", FP32 for "..._f32...", 0 for others and where the peak is not known.
double PeakOf(const Machine& machine, const std::string& kernel, int threads);

void PrintReport(const Machine& machine, const std::vector<Result>& results, std::ostream& out);
// Keys carry their units: *_ms, *_us, *_bytes, *_gops.
std::string JsonReport(const Machine& machine, const std::vector<Result>& results);

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_REPORT_H_
