// msprof: runs a program that uses libascendcl and collects where its time went, without a change to the program. The library in the program
// writes the files (runtime/acl/profiling.h); this tool asks for them through the environment and shows where they are.
#ifndef OMKIT_TOOLS_MSPROF_MSPROF_H_
#define OMKIT_TOOLS_MSPROF_MSPROF_H_

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace omkit::msprof {

struct Options {
  bool help = false;
  std::string export_folder;             // --export: only list the files of this PROF_ folder
  std::string output;                    // folder for PROF_*/
  std::vector<std::string> program;      // and its arguments
  std::string record;                    // "ascendcl=on,task-time=l1"
  std::vector<std::string> environment;  // "A=b"
};

// INVALID_ARGUMENT with a message for people.
absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments);
// Words of a command line: blanks separate, '...' and "..." hold together, \ takes the next character as it is.
absl::StatusOr<std::vector<std::string>> SplitCommand(const std::string& command);

// The whole program. Exit status: that of the program it ran, when that is not 0; 1 when there is no profile; 2 for wrong options.
int RunMsprof(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace omkit::msprof

#endif  // OMKIT_TOOLS_MSPROF_MSPROF_H_
