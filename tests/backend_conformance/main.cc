// backend_conformance: the conformance suite as a program, for backends that are built outside the tree.
#include <iostream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "backends/plugin/load.h"
#include "tests/backend_conformance/suite.h"

namespace {

constexpr char kUsage[] =
    "Usage: backend_conformance [flags]\n"
    "Runs networks on chips and compares every node with the reference meaning of its operator; exit status 1 when a chip fails.\n"
    "  --plugin_path=PATH:...  plugins, files or folders (also: OMKIT_PLUGIN_PATH, plugins/ of the SDK)\n"
    "  --soc_version=NAME      only this chip (default: every chip that this machine can run)\n"
    "  --graphs=N              random networks besides the operator cases, 0 to 100000 (default 50)\n";

}  // namespace

int main(int argc, char** argv) {
  std::string plugin_path, soc_version;
  int graphs = 50;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") return std::cout << kUsage, 0;
    if (absl::ConsumePrefix(&argument, "--plugin_path=")) plugin_path = std::string(argument);
    else if (absl::ConsumePrefix(&argument, "--soc_version=")) soc_version = std::string(argument);
    else if (!absl::ConsumePrefix(&argument, "--graphs=") || !absl::SimpleAtoi(argument, &graphs) || graphs < 0 || graphs > 100000)
      return std::cerr << "backend_conformance: wrong argument '" << argv[i] << "'\n" << kUsage, 2;
  }
  const omkit::runtime::PluginSet plugins = omkit::LoadBackendPlugins(plugin_path);
  bool failed = !plugins.refused.empty(), any = false;
  for (const omkit::runtime::RefusedPlugin& refused : plugins.refused) std::cerr << refused.reason.message() << "\n";
  for (const omkit::conformance::Chip& chip : omkit::conformance::Chips(plugins)) {
    if (!soc_version.empty() && chip.soc_version != soc_version) continue;
    any = true;
    const omkit::conformance::Report report = omkit::conformance::Conform(chip, graphs);
    for (const std::string& failure : report.failures) std::cout << chip.soc_version << ": " << failure << "\n";
    std::cout << absl::StrFormat("%-22s %s  %d networks, %d nodes%s\n", chip.soc_version, report.failures.empty() ? "passed" : "FAILED",
                                 report.networks, report.nodes,
                                 chip.plugin.empty() ? "" : absl::StrCat(", ", report.plugin_steps, " steps on ", chip.plugin));
    failed = failed || !report.failures.empty();
  }
  if (!any) std::cerr << "backend_conformance: no chip '" << soc_version << "' that this machine can run\n";
  return failed || !any ? 1 : 0;
}
