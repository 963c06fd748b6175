// The command line of bench. Floor 5.
#ifndef OMKIT_TOOLS_BENCH_OPTIONS_H_
#define OMKIT_TOOLS_BENCH_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace omkit::bench {

struct Options {
  std::vector<std::string> models;
  std::vector<int> threads = {1};
  std::vector<int> batches;  // empty: what a model is fixed to, or its largest gear
  int loop = 100;
  double seconds = 0;  // above 0: replaces loop
  int burst = 10;
  bool layers = false;
  double int8_peak = 0;  // GOPS of one core; 0: to be measured
  double f32_peak = 0;   // GFLOPS of one core; 0: to be measured
  std::string json;      // empty: none
};

// What --help prints.
std::string Usage();

// `arguments` without the program's name. INVALID_ARGUMENT names the flag, its value and what would be right.
absl::StatusOr<Options> ParseOptions(absl::Span<const std::string> arguments);

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_OPTIONS_H_
