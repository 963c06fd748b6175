// The atc program; atc.h says what it does.
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "tools/atc/atc.h"

namespace {

// Says so in the tool's own words; nothing can be allocated any more.
void OutOfMemory() {
  const char* const lines[] = {"...\n", omkit::atc::kFailure,
                               "\nResource_Error(E13023): The model is larger than the system's limit. Reason: out of memory.\n"};
  for (const char* line : lines) {
    if (write(STDOUT_FILENO, line, std::strlen(line)) < 0) break;
  }
  _exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  std::set_new_handler(OutOfMemory);
  return omkit::atc::RunAtc(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), std::cout, std::cerr);
}
