#include "backends/reference/run.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "backends/reference/node_codec.h"
#include "base/status.h"
#include "ir/op.h"
#include "runtime/kernel.h"

namespace omkit::reference {
namespace {

uint64_t BytesOf(const TensorType& type) { return type.shape.elements() * SizeOf(type.dtype); }

// Operand index of each present input, then of each output, follows the order in NodeSpec.
absl::Status CheckOperands(const NodeSpec& spec, const runtime::Step& step) {
  std::vector<const TensorType*> types;
  std::vector<bool> constant;
  for (const NodeSpec::Input& input : spec.inputs) {
    if (!input.present) continue;
    types.push_back(&input.type);
    constant.push_back(input.constant);
  }
  for (const TensorType& type : spec.outputs) types.push_back(&type);
  if (types.size() != step.operands.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the operator has ", types.size(), " tensors, the step ", step.operands.size(), " operands"));
  }
  for (size_t i = 0; i < types.size(); ++i) {
    if (step.operands[i].size < BytesOf(*types[i])) {
      return absl::InvalidArgumentError(absl::StrCat("operand ", i, " has ", step.operands[i].size, " bytes, its tensor ", BytesOf(*types[i])));
    }
    if (i < constant.size() && constant[i] != (step.operands[i].space == runtime::Space::kWeights)) {
      return absl::InvalidArgumentError(absl::StrCat("operand ", i, " is constant in one place and not in the other"));
    }
    const bool writable = step.operands[i].space == runtime::Space::kArena || step.operands[i].space == runtime::Space::kOutput;
    if (i >= constant.size() && !writable) return absl::InvalidArgumentError("a result lies in read-only memory");
  }
  return absl::OkStatus();
}

struct State {
  NodeSpec spec;
  std::vector<Tensor> constants;  // by input; undefined for variable inputs
};

// Shape inference is the operator's contract with its evaluation: with its checks passed and the same types, evaluation stays
// inside its tensors.
absl::Status CheckByInference(const State& state) {
  ir::Graph graph;
  std::vector<ir::ValueId> inputs;
  for (size_t i = 0; i < state.spec.inputs.size(); ++i) {
    const NodeSpec::Input& input = state.spec.inputs[i];
    const std::string name = absl::StrCat("input", i);
    if (!input.present) inputs.push_back(ir::kNoValue);
    else if (input.constant) inputs.push_back(graph.AddConstant(name, state.constants[i]));
    else inputs.push_back(graph.AddInput(name, input.type));
  }
  const ir::NodeId id = graph.AddNode(state.spec.op, "step", inputs, state.spec.attrs, static_cast<int>(state.spec.outputs.size()));
  graph.SetBodies(id, state.spec.bodies);
  for (size_t i = 0; i < state.spec.outputs.size(); ++i) {
    if (state.spec.outputs[i].quantized()) graph.SetType(graph.node(id).outputs[i], state.spec.outputs[i]);
  }
  OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, id));
  for (size_t i = 0; i < state.spec.outputs.size(); ++i) {
    const TensorType& inferred = graph.value(graph.node(id).outputs[i]).type;
    const TensorType& stored = state.spec.outputs[i];
    if (inferred.dtype != stored.dtype || inferred.shape != stored.shape) {
      return absl::InvalidArgumentError(absl::StrCat("output ", i, " is stored as ", stored.ToString(), " but is ", inferred.ToString()));
    }
  }
  return absl::OkStatus();
}

absl::Status Verify(const runtime::Step& step) {
  OMKIT_ASSIGN_OR_RETURN(const NodeSpec spec, DecodeNode(step.params));
  return CheckOperands(spec, step);
}

absl::StatusOr<std::shared_ptr<const void>> Prepare(const runtime::Step& step, void* const* operands) {
  auto state = std::make_shared<State>();
  OMKIT_ASSIGN_OR_RETURN(state->spec, DecodeNode(step.params));
  state->constants.resize(state->spec.inputs.size());
  int operand = 0;
  for (size_t i = 0; i < state->spec.inputs.size(); ++i) {
    if (!state->spec.inputs[i].present) continue;
    if (state->spec.inputs[i].constant) state->constants[i] = Tensor::View(state->spec.inputs[i].type, operands[operand]);
    ++operand;
  }
  OMKIT_RETURN_IF_ERROR(CheckByInference(*state));
  return std::shared_ptr<const void>(std::move(state));
}

void Run(const runtime::Step&, const runtime::KernelContext& context) {
  if (context.thread != 0) return;
  const auto& state = *static_cast<const State*>(context.state);
  std::vector<Tensor> tensors;
  tensors.reserve(state.spec.inputs.size() + state.spec.outputs.size());
  std::vector<const Tensor*> inputs;
  std::vector<Tensor*> outputs;
  int operand = 0;
  for (const NodeSpec::Input& input : state.spec.inputs) {
    if (!input.present) {
      inputs.push_back(nullptr);
      continue;
    }
    tensors.push_back(Tensor::View(input.type, context.operands[operand++]));
    inputs.push_back(&tensors.back());
  }
  for (const TensorType& type : state.spec.outputs) {
    tensors.push_back(Tensor::View(type, context.operands[operand++]));
    outputs.push_back(&tensors.back());
  }
  const absl::Status status = ir::EvalOp(state.spec.op, {state.spec.attrs, inputs, outputs, state.spec.bodies});
  if (!status.ok()) runtime::FailStep(context, status.message());
}

}  // namespace

void RegisterReferenceKernels() {
  static const runtime::KernelDef kernel = {"reference.op", Verify, nullptr, Prepare, Run};
  (void)runtime::RegisterKernel(&kernel);
}

}  // namespace omkit::reference
