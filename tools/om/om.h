// The om command: looks into offline models and runs them. Floor 5.
#ifndef OMKIT_TOOLS_OM_OM_H_
#define OMKIT_TOOLS_OM_OM_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace omkit::om {

// `arguments` without the program's name. Results go to `out`, errors to `err`. Returns the exit code: 0, 1 after a failure, 2 for a
// wrong command line.
int RunOm(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err);

// om info: what a file holds. Needs no kernels and accepts models of any chip.
absl::Status Info(const std::string& path, std::ostream& out);

struct RunRequest {
  std::string model;
  std::vector<std::string> inputs;  // one file of raw bytes per model input; empty: zeros
  std::string output;               // folder for output_<i>.bin, made if missing; empty: outputs are dropped
  int loop = 1;
  int warmup = 0;
  int threads = 0;  // as runtime::ModelOptions
  bool profile = false;
  std::string plugin_path;
};
// om backends: every backend with its chips and file, and the plugin files that were refused. OK when none was.
absl::Status Backends(const std::string& plugin_path, std::ostream& out);
struct CompareRequest {
  std::string model, reference;
  std::string samples;
  double min_cosine = 0, min_same_class = 0;
  int threads = 0;
  std::string plugin_path;
};
// om compare: runs two models with the same inputs on the same samples and reports how close the first one's results are to the
// second's. FAILED_PRECONDITION when they are less close than asked.
absl::Status Compare(const CompareRequest& request, std::ostream& out);
// om ops: every ONNX operator that is imported, with its opsets, types and kernels; as text, or as the table of docs/operators.md.
absl::Status Ops(bool markdown, std::ostream& out);
// om run: executes a model and reports latencies.
absl::Status Run(const RunRequest& request, std::ostream& out);

}  // namespace omkit::om

#endif  // OMKIT_TOOLS_OM_OM_H_
