#include <iostream>
#include <string>
#include <vector>

#include "tools/accuracy/accuracy.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return omkit::accuracy::RunAccuracy(arguments, std::cout, std::cerr);
}
