// How a plugin adds the steps of a node.
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "backends/plugin/handles.h"
#include "ir/op.h"
#include "runtime/plugin/plugin.h"
#include "runtime/plugin/step_params.h"

namespace omkit::plugin {
namespace {

int32_t Fail(OmkitEmitter* emitter, absl::Status status) {
  if (emitter->status.ok()) emitter->status = std::move(status);
  return OMKIT_INVALID;
}

int32_t EmitInput(OmkitEmitter* emitter, uint32_t input, OmkitBlock* block) {
  const ir::Node& node = *emitter->node;
  if (input >= node.inputs.size() || node.inputs[input] == ir::kNoValue) return OMKIT_ABSENT;
  const absl::StatusOr<Place> place = emitter->builder->WholeBlock(node.inputs[input]);
  if (!place.ok()) return Fail(emitter, place.status());
  *block = place->block;
  return OMKIT_OK;
}

int32_t EmitOutput(OmkitEmitter* emitter, uint32_t output, OmkitBlock* block) {
  if (output >= emitter->node->outputs.size()) return OMKIT_ABSENT;
  *block = emitter->builder->NewPlain(emitter->node->outputs[output]).block;
  return OMKIT_OK;
}

int32_t EmitTemporary(OmkitEmitter* emitter, uint64_t bytes, OmkitBlock* block) {
  constexpr uint64_t kMost = uint64_t{1} << 40;
  if (bytes > kMost) return Fail(emitter, absl::ResourceExhaustedError(absl::StrCat("a temporary of ", bytes, " bytes, limit ", kMost)));
  *block = emitter->builder->NewTemporary(bytes);
  return OMKIT_OK;
}

int32_t EmitWeights(OmkitEmitter* emitter, const void* data, uint64_t bytes, OmkitBlock* block) {
  if (data == nullptr && bytes > 0) return Fail(emitter, absl::InvalidArgumentError("weights at a null address"));
  *block = emitter->builder->AddWeights(data, bytes);
  return OMKIT_OK;
}

const OmkitKernel* FindOwnKernel(const OmkitPlugin& plugin, const char* name) {
  for (uint32_t i = 0; name != nullptr && i < plugin.kernel_count; ++i) {
    const OmkitKernel& kernel = runtime::EntryAt(plugin.kernels, i);
    if (absl::string_view(name) == kernel.name) return &kernel;
  }
  return nullptr;
}

int32_t EmitStep(OmkitEmitter* emitter, const char* name, const void* params, uint64_t params_size, const OmkitBlock* blocks, uint32_t block_count,
                 int64_t operations) {
  const OmkitKernel* kernel = FindOwnKernel(*emitter->plugin, name);
  if (kernel == nullptr)
    return Fail(emitter, absl::InvalidArgumentError(absl::StrCat("the plugin has no kernel '", name == nullptr ? "" : name, "'")));
  if (operations < 0) return Fail(emitter, absl::InvalidArgumentError("operations is negative"));
  std::vector<BlockId> operands(blocks, blocks + block_count);
  for (BlockId b : operands) {
    if (!emitter->builder->IsBlock(b)) return Fail(emitter, absl::InvalidArgumentError(absl::StrCat("there is no block ", b)));
  }
  const ir::Node& node = *emitter->node;
  emitter->builder->AddStepBytes(node.name, ir::OpName(node.op), name, runtime::WithParamsVersion(kernel->params_version, params, params_size),
                                 std::move(operands), operations);
  return OMKIT_OK;
}

}  // namespace

void OfferEmitter(OmkitHost* host) {
  host->emit_input = EmitInput;
  host->emit_output = EmitOutput;
  host->emit_temporary = EmitTemporary;
  host->emit_weights = EmitWeights;
  host->emit_step = EmitStep;
}

}  // namespace omkit::plugin
