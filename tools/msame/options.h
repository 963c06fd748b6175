// The command line of msame: long options, --name value or --name=value. Floor 5.
#ifndef OMKIT_TOOLS_MSAME_OPTIONS_H_
#define OMKIT_TOOLS_MSAME_OPTIONS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace omkit::msame {

using NamedDims = std::vector<std::pair<std::string, std::vector<int64_t>>>;

struct Options {
  bool help = false;
  std::string model, output;
  std::vector<std::string> input;
  bool text = false;  // outfmt TXT
  int loop = 1;
  bool debug = false, profiler = false, dump = false;
  int device = 0;
  int64_t batch = 0;            // 0: none
  std::vector<int64_t> hw;      // height, width; empty: none
  NamedDims gear_dims, shapes;  // empty: none
  std::vector<int64_t> output_sizes;
};

// False with a message for people in `error`.
bool ParseOptions(int argc, char** argv, Options* options, std::string* error);
std::string Usage();

}  // namespace omkit::msame

#endif  // OMKIT_TOOLS_MSAME_OPTIONS_H_
