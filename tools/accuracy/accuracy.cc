#include "tools/accuracy/accuracy.h"

#include <memory>

#include "base/file.h"
#include "base/progress.h"
#include "base/status.h"
#include "tools/accuracy/measure.h"
#include "tools/accuracy/options.h"
#include "tools/accuracy/report.h"

namespace omkit::accuracy {
namespace {

absl::Status Run(const Options& options, std::ostream& out) {
  std::string stage;
  std::unique_ptr<Progress> line;
  OMKIT_ASSIGN_OR_RETURN(const Result result, Measure(options, [&](const char* now, double done) {
                           if (stage != now) line = std::make_unique<Progress>(stage = now);
                           line->Update(done);
                         }));
  line.reset();
  out << TextReport(result);
  if (!options.json.empty()) OMKIT_RETURN_IF_ERROR(WriteFile(options.json, JsonReport(result)));
  if (!options.html.empty()) OMKIT_RETURN_IF_ERROR(WriteFile(options.html, HtmlReport(result)));
  return absl::OkStatus();
}

}  // namespace

int RunAccuracy(absl::Span<const std::string> arguments, std::ostream& out, std::ostream& err) {
  for (const std::string& argument : arguments) {
    if (argument == "help" || argument == "--help" || argument == "-h") {
      out << Usage();
      return 0;
    }
  }
  const absl::StatusOr<Options> options = ParseOptions(arguments);
  if (!options.ok()) {
    err << "accuracy: " << options.status().message() << "\nTry 'accuracy --help'.\n";
    return 2;
  }
  const absl::Status status = Run(*options, out);
  if (status.ok()) return 0;
  err << "accuracy: " << status.message() << "\n";
  return 1;
}

}  // namespace omkit::accuracy
