#include <iostream>
#include <string>
#include <vector>

#include "tools/bench/bench.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return omkit::bench::RunBench(arguments, std::cout, std::cerr);
}
