#include <iostream>
#include <string>
#include <vector>

#include "tools/msprof/msprof.h"

int main(int argc, char** argv) { return omkit::msprof::RunMsprof(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr); }
