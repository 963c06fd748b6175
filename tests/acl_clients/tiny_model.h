// A model small enough to check by hand, and the kernel that runs it: y = 2 * x + bias over [1,4,4,4] floats, which fails on NaN. For tests of the C
// API that must not depend on the compiler and the backends.
#ifndef OMKIT_TESTS_ACL_CLIENTS_TINY_MODEL_H_
#define OMKIT_TESTS_ACL_CLIENTS_TINY_MODEL_H_

#include <string>

#include "absl/status/status.h"
#include "runtime/program.h"

namespace omkit {

constexpr int kTinyElements = 64;
constexpr int kTinyBytes = kTinyElements * 4;
constexpr float kTinyBias = 0.5f;

absl::Status RegisterTinyKernels();
// Input "x" float [1,4,4,4]; output "scale:0:y", or a name of 140 characters.
runtime::Program TinyProgram(bool long_output_name = false);
// Writes the program to `path`; true on success.
bool WriteTinyModel(const std::string& path, const runtime::Program& program);

}  // namespace omkit

#endif  // OMKIT_TESTS_ACL_CLIENTS_TINY_MODEL_H_
