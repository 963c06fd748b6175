#include <iostream>
#include <string>
#include <vector>

#include "backends/run_side.h"
#include "tools/amct/amct.h"

int main(int argc, char** argv) {
  omkit::RegisterAllKernels();
  return omkit::amct_tool::RunAmct(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
