// Is a program safe to run? The questions that hashes cannot answer, because whoever wrote the file may be hostile. Floor 2: om_file
// asks the first half after parsing and before writing, Model asks the second once the machine is known to be the right one.
#ifndef OMKIT_RUNTIME_VERIFY_PROGRAM_H_
#define OMKIT_RUNTIME_VERIFY_PROGRAM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "runtime/shapes.h"

namespace omkit::runtime {

struct ProgramLimits {
  uint64_t arena_size = uint64_t{8} << 30;  // bytes of working memory per execution
};

// Names, counts, dims and byte sizes are consistent, and in every plan every operand and every tensor record lies inside its space;
// `weights_size` is the real size of the weights, wherever they are. INVALID_ARGUMENT names the step or tensor, the value and the limit;
// RESOURCE_EXHAUSTED when the arena is larger than the limit.
absl::Status VerifyProgram(const ShapedProgram& program, uint64_t weights_size, const ProgramLimits& limits = {});

// The same for a plan that was made at run time.
absl::Status VerifyPlan(const Plan& plan, uint64_t weights_size, const ProgramLimits& limits = {});

// Every step's kernel exists, accepts its parameters and operands, and writes neither to the weights nor to inputs.
// INVALID_ARGUMENT names the step.
absl::Status VerifyKernels(const Plan& plan);

// "step 12 (node 'layer3.conv2', Conv, kernel conv_u8.avx2)", with control characters escaped.
std::string StepLabel(const Plan& plan, size_t step);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_VERIFY_PROGRAM_H_
