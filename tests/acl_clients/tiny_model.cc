#include "tests/acl_clients/tiny_model.h"

#include <cmath>
#include <cstring>

#include "runtime/kernel.h"
#include "runtime/om_file.h"

namespace omkit {
namespace {

using runtime::KernelContext;
using runtime::KernelDef;
using runtime::Operand;
using runtime::Space;
using runtime::Step;

absl::Status Verify(const Step& step) {
  if (step.operands.size() != 3 || !step.params.empty()) return absl::InvalidArgumentError("scale: wants input, bias, output and no parameters");
  if (step.operands[0].size != step.operands[2].size || step.operands[0].size % 4 != 0 || step.operands[1].size != 4) {
    return absl::InvalidArgumentError("scale: operand sizes do not fit");
  }
  return absl::OkStatus();
}

void Run(const Step& step, const KernelContext& context) {
  if (context.thread != 0) return;
  const char* x = static_cast<const char*>(context.operands[0]);
  char* y = static_cast<char*>(context.operands[2]);
  float bias;
  std::memcpy(&bias, context.operands[1], 4);
  for (size_t i = 0; i < step.operands[0].size; i += 4) {
    float value;
    std::memcpy(&value, x + i, 4);
    if (std::isnan(value)) runtime::FailStep(context, "an element is NaN");
    value = 2 * value + bias;
    std::memcpy(y + i, &value, 4);
  }
}

constexpr KernelDef kScale = {"test.scale", &Verify, nullptr, nullptr, &Run};

}  // namespace

absl::Status RegisterTinyKernels() { return runtime::RegisterKernel(&kScale); }

runtime::Program TinyProgram(bool long_output_name) {
  runtime::Program program;
  program.model_name = "tiny";
  program.soc_version = "cpu-reference";
  program.isa = "generic";
  program.inputs = {{"x", DType::kFloat32, {1, 4, 4, 4}, "NCHW", kTinyBytes}};
  program.outputs = {{long_output_name ? std::string(140, 'y') : "scale:0:y", DType::kFloat32, {1, 4, 4, 4}, "NCHW", kTinyBytes}};
  program.weights.assign(64, 0);
  std::memcpy(program.weights.data(), &kTinyBias, 4);
  Step step;
  step.kernel = "test.scale";
  step.node = "scale";
  step.op = "Mul";
  step.operands = {{Space::kInput, 0, 0, kTinyBytes}, {Space::kWeights, 0, 0, 4}, {Space::kOutput, 0, 0, kTinyBytes}};
  program.steps.push_back(step);
  program.tensors.resize(2);
  program.tensors[0].name = "x";
  program.tensors[0].space = Space::kInput;
  program.tensors[1].name = "y";
  program.tensors[1].space = Space::kOutput;
  for (runtime::TensorRecord& tensor : program.tensors) {
    tensor.dims = {1, 4, 4, 4};
    tensor.in_memory = true;
  }
  program.layers = {{0, 0, {0}, {1}}};
  return program;
}

bool WriteTinyModel(const std::string& path, const runtime::Program& program) { return runtime::WriteOm(program, path).ok(); }

}  // namespace omkit
