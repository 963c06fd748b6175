#include <iostream>
#include <string>
#include <vector>

#include "tools/om/om.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return omkit::om::RunOm(arguments, std::cout, std::cerr);
}
