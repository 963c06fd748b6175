#include "tools/omkit_rt/omkit_rt.h"

#include <cstring>

#include "base/dtype.h"
#include "runtime/float_environment.h"
#include "runtime/program.h"
#include "tools/omkit_rt/image.h"
#include "tools/omkit_rt/kernels.h"

namespace {

using omkit::rt::Fail;
using omkit::rt::Image;
using omkit::rt::Kernel;
using omkit::runtime::Space;
namespace fbs = omkit::runtime::fbs;

struct Step {
  const Kernel* kernel;
  const void* params;
  void* const* operands;
  const void* state;
};

// An operand in a caller's buffer: its address is set at each execution.
struct IoOperand {
  void** slot;
  uint64_t offset;
  uint32_t index;
  bool output;
};

constexpr uint64_t kSlack = 64;  // vector loads may read so far behind the arena's end
constexpr uint64_t kMostBytes = 1ull << 40;

}  // namespace

struct omkit_rt_model {
  Image image;
  Step* steps;
  uint64_t step_count;
  IoOperand* io_operands;
  uint64_t io_count;
  void* scratch;
};

namespace {

// Cuts the caller's block into parts, or, without a block, adds their sizes up.
class Block {
 public:
  explicit Block(void* memory) : memory_(static_cast<uint8_t*>(memory)) {}
  template <typename T>
  T* Take(uint64_t count) {
    const uint64_t begin = size_;
    size_ += (count * sizeof(T) + OMKIT_RT_ALIGNMENT - 1) / OMKIT_RT_ALIGNMENT * OMKIT_RT_ALIGNMENT;
    if (size_ > kMostBytes) too_large_ = true;
    return memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + begin);
  }
  uint64_t size() const { return size_; }
  bool too_large() const { return too_large_; }

 private:
  uint8_t* memory_;
  uint64_t size_ = 0;
  bool too_large_ = false;
};

fbs::Operand OperandAt(const fbs::Step& step, uint32_t i) {
  fbs::Operand operand;  // copied: elements of a vector may lie anywhere
  std::memcpy(&operand, step.operands()->Data() + i * sizeof operand, sizeof operand);
  return operand;
}

// The operand lies inside its space, and the kernel does not write what is constant.
bool Fits(const Image& image, const fbs::Operand& o, bool written) {
  uint64_t size = 0;
  const fbs::Plan& plan = *image.plan;
  switch (static_cast<Space>(o.space())) {
    case Space::kArena: size = plan.arena_size(); break;
    case Space::kWeights: size = image.weights_size; break;
    case Space::kInput: size = o.index() < plan.inputs()->size() ? plan.inputs()->Get(o.index())->bytes() : 0; break;
    case Space::kOutput: size = o.index() < plan.outputs()->size() ? plan.outputs()->Get(o.index())->bytes() : 0; break;
    default: return false;
  }
  const bool planned = static_cast<Space>(o.space()) == Space::kArena || static_cast<Space>(o.space()) == Space::kWeights;
  const bool constant = static_cast<Space>(o.space()) == Space::kWeights || static_cast<Space>(o.space()) == Space::kInput;
  if (planned && o.offset() % 64 != 0) return false;
  return !(constant && written) && o.offset() <= size && o.size() <= size - o.offset();
}

omkit_rt_status CheckStep(const Image& image, const fbs::Step& step, omkit_rt_failure* failure) {
  const flatbuffers::String& name = *step.kernel();
  const Kernel* kernel = omkit::rt::FindKernel(name.c_str(), name.size());
  if (kernel == nullptr) return Fail(OMKIT_RT_UNSUPPORTED, "this runtime has no such kernel", failure, name.c_str(), name.size());
  const uint32_t operands = step.operands()->size();
  bool ok = step.params()->size() == kernel->params_size && operands >= kernel->least_operands && operands <= kernel->most_operands;
  for (uint32_t i = 0; ok && i < operands; ++i) ok = Fits(image, OperandAt(step, i), (kernel->writes >> i & 1) != 0);
  if (ok) return OMKIT_RT_OK;
  return Fail(OMKIT_RT_DAMAGED, "a step's parameters or data do not fit its kernel", failure, name.c_str(), name.size());
}

omkit_rt_status CheckModel(const Image& image, omkit_rt_failure* failure) {
  const flatbuffers::String& isa = *image.manifest->isa();
  if (!omkit::rt::HasTier(isa.c_str(), isa.size())) {
    return Fail(OMKIT_RT_WRONG_CHIP, "the processor lacks the model's instruction set", failure, isa.c_str(), isa.size());
  }
  for (const auto* list : {image.plan->inputs(), image.plan->outputs()}) {
    for (const fbs::Io* io : *list) {
      if (io->dims()->size() > OMKIT_RT_MAX_RANK)
        return Fail(OMKIT_RT_UNSUPPORTED, "a tensor has too many dimensions", failure, io->name()->c_str(), io->name()->size());
    }
  }
  for (const fbs::Step* step : *image.plan->steps()) {
    if (omkit_rt_status status = CheckStep(image, *step, failure); status != OMKIT_RT_OK) return status;
  }
  return OMKIT_RT_OK;
}

// Takes the step's parts from the block; fills them in when there is one.
void PlaceStep(const Image& image, const fbs::Step& from, uint8_t* arena, Block* block, Step* step, omkit_rt_model* model) {
  const Kernel* kernel = omkit::rt::FindKernel(from.kernel()->c_str(), from.kernel()->size());
  const uint32_t count = from.operands()->size();
  void** operands = block->Take<void*>(count);
  const int64_t bytes = kernel->constants_bytes == nullptr ? 0 : kernel->constants_bytes(kernel->isa, from.params()->data());
  void* constants = block->Take<uint8_t>(bytes > 0 ? bytes : 0);
  if (step == nullptr) return;
  for (uint32_t i = 0; i < count; ++i) {
    const fbs::Operand o = OperandAt(from, i);
    const Space space = static_cast<Space>(o.space());
    operands[i] = nullptr;
    if (space == Space::kArena) operands[i] = arena + o.offset();
    if (space == Space::kWeights) operands[i] = const_cast<uint8_t*>(image.weights) + o.offset();
    if (space == Space::kInput || space == Space::kOutput) {
      model->io_operands[model->io_count++] = {&operands[i], o.offset(), o.index(), space == Space::kOutput};
    }
  }
  const void* state = bytes > 0 ? kernel->lay_out_constants(kernel->isa, from.params()->data(), operands, constants) : nullptr;
  *step = {kernel, from.params()->data(), operands, state};
}

// The most that a step asks for.
uint64_t Scratch(const fbs::Plan& plan) {
  int64_t most = 0;
  for (const fbs::Step* step : *plan.steps()) {
    const Kernel* kernel = omkit::rt::FindKernel(step->kernel()->c_str(), step->kernel()->size());
    const int64_t bytes = kernel->scratch_bytes == nullptr ? 0 : kernel->scratch_bytes(step->params()->data());
    if (bytes > most) most = bytes;
  }
  return static_cast<uint64_t>(most) < kMostBytes ? static_cast<uint64_t>(most) : kMostBytes;
}

uint64_t IoOperands(const fbs::Plan& plan) {
  uint64_t count = 0;
  for (const fbs::Step* step : *plan.steps()) {
    for (uint32_t i = 0; i < step->operands()->size(); ++i) {
      const Space space = static_cast<Space>(OperandAt(*step, i).space());
      count += space == Space::kInput || space == Space::kOutput;
    }
  }
  return count;
}

// The whole block, in one order for measuring and for loading.
omkit_rt_model* Place(const Image& image, Block* block) {
  const fbs::Plan& plan = *image.plan;
  omkit_rt_model* model = block->Take<omkit_rt_model>(1);
  Step* steps = block->Take<Step>(plan.steps()->size());
  IoOperand* io = block->Take<IoOperand>(IoOperands(plan));
  const uint64_t arena_size = plan.arena_size() < kMostBytes ? plan.arena_size() : kMostBytes;
  uint8_t* arena = block->Take<uint8_t>(arena_size + kSlack);
  void* scratch = block->Take<uint8_t>(Scratch(plan));
  if (model != nullptr) {
    std::memset(arena, 0, arena_size + kSlack);
    *model = {image, steps, plan.steps()->size(), io, 0, scratch};
  }
  for (uint32_t i = 0; i < plan.steps()->size(); ++i)
    PlaceStep(image, *plan.steps()->Get(i), arena, block, steps == nullptr ? nullptr : &steps[i], model);
  return model;
}

omkit_rt_status Measure(const void* bytes, size_t size, Image* image, uint64_t* needed, omkit_rt_failure* failure) {
  if (omkit_rt_status status = omkit::rt::ReadImage(bytes, size, image, failure); status != OMKIT_RT_OK) return status;
  if (omkit_rt_status status = CheckModel(*image, failure); status != OMKIT_RT_OK) return status;
  Block measure(nullptr);
  Place(*image, &measure);
  *needed = measure.size();
  return measure.too_large() ? Fail(OMKIT_RT_DAMAGED, "the model asks for more than 2^40 bytes", failure) : OMKIT_RT_OK;
}

// aclDataType of an omkit::DType.
int AclType(omkit::DType type) {
  using omkit::DType;
  switch (type) {
    case DType::kFloat32: return 0;
    case DType::kFloat16: return 1;
    case DType::kInt8: return 2;
    case DType::kInt32: return 3;
    case DType::kUInt8: return 4;
    case DType::kInt16: return 6;
    case DType::kUInt16: return 7;
    case DType::kUInt32: return 8;
    case DType::kInt64: return 9;
    case DType::kUInt64: return 10;
    case DType::kFloat64: return 11;
    case DType::kBool: return 12;
    case DType::kBFloat16: return 27;
    default: return -1;
  }
}

using IoList = flatbuffers::Vector<flatbuffers::Offset<fbs::Io>>;

omkit_rt_status Describe(const IoList* list, size_t index, omkit_rt_tensor* tensor) {
  if (list == nullptr || tensor == nullptr || index >= list->size()) return OMKIT_RT_INVALID_ARGUMENT;
  const fbs::Io& io = *list->Get(static_cast<uint32_t>(index));
  *tensor = {};
  tensor->name = io.name()->c_str();
  tensor->data_type = AclType(static_cast<omkit::DType>(io.dtype()));
  tensor->bytes = io.bytes();
  tensor->rank = io.dims()->size();
  if (tensor->rank > 0) std::memcpy(tensor->dims, io.dims()->Data(), tensor->rank * sizeof(int64_t));
  return OMKIT_RT_OK;
}

bool AnyNull(const void* const* addresses, const IoList& list) {
  if (list.size() > 0 && addresses == nullptr) return true;
  for (uint32_t i = 0; i < list.size(); ++i) {
    if (addresses[i] == nullptr && list.Get(i)->bytes() > 0) return true;
  }
  return false;
}

}  // namespace

omkit_rt_status omkit_rt_memory_size(const void* model, size_t model_size, size_t* bytes, omkit_rt_failure* failure) {
  if (bytes == nullptr) return Fail(OMKIT_RT_INVALID_ARGUMENT, "no place for the size", failure);
  Image image;
  uint64_t needed = 0;
  const omkit_rt_status status = Measure(model, model_size, &image, &needed, failure);
  *bytes = status == OMKIT_RT_OK ? needed : 0;
  return status;
}

omkit_rt_status omkit_rt_load(const void* model, size_t model_size, void* memory, size_t memory_size, omkit_rt_model** loaded,
                              omkit_rt_failure* failure) {
  if (loaded == nullptr) return Fail(OMKIT_RT_INVALID_ARGUMENT, "no place for the loaded model", failure);
  *loaded = nullptr;
  if (memory == nullptr || reinterpret_cast<uintptr_t>(memory) % OMKIT_RT_ALIGNMENT != 0) {
    return Fail(OMKIT_RT_INVALID_ARGUMENT, "the memory's address is null or no multiple of 64", failure);
  }
  Image image;
  uint64_t needed = 0;
  if (omkit_rt_status status = Measure(model, model_size, &image, &needed, failure); status != OMKIT_RT_OK) return status;
  if (needed > memory_size) return Fail(OMKIT_RT_MEMORY_TOO_SMALL, "omkit_rt_memory_size tells how much the model needs", failure);
  Block block(memory);
  *loaded = Place(image, &block);
  return OMKIT_RT_OK;
}

size_t omkit_rt_num_inputs(const omkit_rt_model* model) { return model == nullptr ? 0 : model->image.plan->inputs()->size(); }
size_t omkit_rt_num_outputs(const omkit_rt_model* model) { return model == nullptr ? 0 : model->image.plan->outputs()->size(); }
omkit_rt_status omkit_rt_input(const omkit_rt_model* model, size_t index, omkit_rt_tensor* tensor) {
  return Describe(model == nullptr ? nullptr : model->image.plan->inputs(), index, tensor);
}
omkit_rt_status omkit_rt_output(const omkit_rt_model* model, size_t index, omkit_rt_tensor* tensor) {
  return Describe(model == nullptr ? nullptr : model->image.plan->outputs(), index, tensor);
}

omkit_rt_status omkit_rt_execute(omkit_rt_model* model, const void* const* inputs, void* const* outputs) {
  if (model == nullptr || AnyNull(inputs, *model->image.plan->inputs()) || AnyNull(outputs, *model->image.plan->outputs())) {
    return OMKIT_RT_INVALID_ARGUMENT;
  }
  for (uint64_t i = 0; i < model->io_count; ++i) {
    const IoOperand& o = model->io_operands[i];
    uint8_t* base = static_cast<uint8_t*>(o.output ? outputs[o.index] : const_cast<void*>(inputs[o.index]));
    *o.slot = base + o.offset;
  }
  const omkit::runtime::DefaultFloatEnvironment environment;
  for (uint64_t i = 0; i < model->step_count; ++i) {
    const Step& step = model->steps[i];
    step.kernel->run({step.params, step.operands, model->scratch, step.state, 0, 1});
  }
  return OMKIT_RT_OK;
}

const char* omkit_rt_status_text(omkit_rt_status status) {
  switch (status) {
    case OMKIT_RT_OK: return "OK";
    case OMKIT_RT_INVALID_ARGUMENT: return "invalid argument";
    case OMKIT_RT_NOT_A_MODEL: return "not an offline model";
    case OMKIT_RT_DAMAGED: return "damaged model";
    case OMKIT_RT_UNSUPPORTED: return "model not supported by this runtime";
    case OMKIT_RT_WRONG_CHIP: return "model for another processor";
    case OMKIT_RT_MEMORY_TOO_SMALL: return "memory too small";
  }
  return "unknown status";
}
