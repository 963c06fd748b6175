#include <iostream>
#include <string>
#include <vector>

#include "tools/aipp/aipp.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return omkit::aipp_tool::RunAippTool(arguments, std::cout, std::cerr);
}
