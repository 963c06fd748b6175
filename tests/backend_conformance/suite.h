// What every backend must do, whoever wrote it: run graphs node by node and in whole, and give what the operators' reference meaning
// gives. Chips come from the registries, so a plugin is tested as soon as it is found.
#ifndef OMKIT_TESTS_BACKEND_CONFORMANCE_SUITE_H_
#define OMKIT_TESTS_BACKEND_CONFORMANCE_SUITE_H_

#include <ostream>
#include <string>
#include <vector>

#include "runtime/plugin/plugin.h"

namespace omkit::conformance {

struct Chip {
  std::string soc_version;
  std::string plugin;  // name of its plugin; empty: part of omkit
  double tolerance;    // largest error of a float result of one node, relative to the node's largest sum of magnitudes
};

// The chips that this machine can run: omkit's own, then those of the plugins that can compile.
std::vector<Chip> Chips(const runtime::PluginSet& plugins);

inline std::ostream& operator<<(std::ostream& out, const Chip& chip) { return out << chip.soc_version; }

struct Report {
  int networks = 0;                   // compiled and run, in float or INT8
  int nodes = 0;                      // compared with their reference meaning
  int plugin_steps = 0;               // steps that ran on the plugin's kernels
  std::vector<std::string> failures;  // at most 20: network, node, what
};

// Networks are the operator cases (operators.h) and `random_graphs` random ones, each in float and in INT8. For each:
//   * compiling twice gives the same offline model;
//   * every node's result equals the reference meaning on the same operands: integers exactly, floats within the tolerance;
//   * the whole program gives the same bytes with one thread and with three.
// For a plugin, at least one step must be its own.
Report Conform(const Chip& chip, int random_graphs);

}  // namespace omkit::conformance

#endif  // OMKIT_TESTS_BACKEND_CONFORMANCE_SUITE_H_
