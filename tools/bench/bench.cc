#include "tools/bench/bench.h"

#include "backends/run_side.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/status.h"
#include "tools/bench/measure.h"
#include "tools/bench/options.h"
#include "tools/bench/peak.h"
#include "tools/bench/report.h"

namespace omkit::bench {
namespace {

absl::Status Run(const Options& options, std::ostream& out) {
  RegisterKernelsAndPlugins("");
  Machine machine = DescribeMachine();
  if (options.int8_peak == 0 || options.f32_peak == 0) machine.peak = MeasurePeak(BestIsa());
  if (options.int8_peak > 0) machine.peak.int8 = options.int8_peak;
  if (options.f32_peak > 0) machine.peak.f32 = options.f32_peak;
  OMKIT_ASSIGN_OR_RETURN(const std::vector<Result> results, Measure(options));
  PrintReport(machine, results, out);
  return options.json.empty() ? absl::OkStatus() : WriteFile(options.json, JsonReport(machine, results));
}

}  // namespace

int RunBench(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err) {
  for (const std::string& argument : arguments) {
    if (argument == "help" || argument == "--help" || argument == "-h") {
      out << Usage();
      return 0;
    }
  }
  const absl::StatusOr<Options> options = ParseOptions(arguments);
  if (!options.ok()) {
    err << "bench: " << options.status().message() << "\nTry 'bench --help'.\n";
    return 2;
  }
  const absl::Status status = Run(*options, out);
  if (status.ok()) return 0;
  err << "bench: " << status.message() << "\n";
  return 1;
}

}  // namespace omkit::bench
