#include "runtime/acl/gears.h"

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/acl/errors.h"

namespace omkit::acl {
namespace {

using runtime::Executor;
using runtime::IoDesc;
using runtime::ShapeMode;

std::vector<std::vector<int64_t>> DimsOf(const std::vector<IoDesc>& list, size_t count) {
  std::vector<std::vector<int64_t>> dims;
  for (size_t i = 0; i < count; ++i) dims.push_back(list[i].dims);
  return dims;
}

void TakeMost(const std::vector<IoDesc>& list, std::vector<size_t>* bytes) {
  bytes->resize(list.size());
  for (size_t i = 0; i < list.size(); ++i) (*bytes)[i] = std::max((*bytes)[i], static_cast<size_t>(list[i].bytes));
}

// The shapes of a dataset's tensor descriptions. An input whose shape is fixed needs none.
aclError DescribedDims(const runtime::ShapedProgram& program, const Dataset& input, std::vector<std::vector<int64_t>>* dims) {
  for (size_t i = 0; i < program.inputs.size() && i < input.entries.size(); ++i) {
    const Dataset::Entry& entry = input.entries[i];
    const std::shared_ptr<TensorDesc> desc = entry.desc_set ? TensorDescTable::Get().Find(entry.desc) : nullptr;
    if (desc != nullptr) {
      dims->push_back(desc->dims);
      continue;
    }
    const std::vector<int64_t>& known = program.inputs[i].dims;
    if (std::count(known.begin(), known.end(), -1) > 0) {
      return Fail(ACL_ERROR_GE_PARAM_INVALID, "the shape of input %zu '%.200s' is not known; call aclmdlSetDatasetTensorDesc", i,
                  program.inputs[i].name.c_str());
    }
    dims->push_back(known);
  }
  return ACL_SUCCESS;
}

aclError ChooseBound(runtime::Model* model, const Dataset& input, std::shared_ptr<const Executor>* executor) {
  // Reused, so that a shape that is known allocates nothing.
  static thread_local std::vector<std::vector<int64_t>> dims;
  dims.clear();
  ACL_RETURN_IF_ERROR(DescribedDims(model->program(), input, &dims));
  absl::StatusOr<std::shared_ptr<const Executor>> bound = model->Bind(dims);
  if (bound.ok()) {
    *executor = *std::move(bound);
    return ACL_SUCCESS;
  }
  const std::string message(bound.status().message());
  if (absl::IsResourceExhausted(bound.status())) return Fail(ACL_ERROR_GE_MEMORY_ALLOCATION, "%.800s", message.c_str());
  return Fail(ACL_ERROR_GE_SHAPE_INVALID, "%.800s", message.c_str());
}

}  // namespace

bool IsGearInput(const IoDesc& io) { return io.name == runtime::kGearInput; }

ShapeInfo MakeShapeInfo(const runtime::ShapedProgram& program) {
  ShapeInfo info;
  const runtime::RuntimeShapes& shapes = program.shapes;
  info.mode = shapes.mode;
  info.dims = shapes.dims;
  info.ranges = shapes.ranges;
  info.largest = shapes.largest;
  TakeMost(program.inputs, &info.input_bytes);
  TakeMost(program.outputs, &info.output_bytes);
  for (size_t i = 0; i < shapes.gears.size(); ++i) {
    const runtime::Plan& plan = runtime::GearPlan(program, i);
    info.gears.push_back({shapes.gears[i].values, DimsOf(plan.inputs, shapes.dims.size()), DimsOf(plan.outputs, plan.outputs.size())});
    TakeMost(plan.inputs, &info.input_bytes);
    TakeMost(plan.outputs, &info.output_bytes);
  }
  info.current = std::make_shared<std::atomic<size_t>>(info.largest);
  return info;
}

aclError ChoosePlan(runtime::Model* model, const Dataset& input, std::shared_ptr<const Executor>* executor) {
  const runtime::RuntimeShapes& shapes = model->program().shapes;
  if (shapes.mode == ShapeMode::kRanges) return ChooseBound(model, input, executor);
  size_t gear = shapes.largest;
  if (!input.gear.empty()) {
    const std::optional<size_t> found = runtime::FindGear(shapes, input.gear);
    if (!found)
      return Fail(ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID, "the gear set in the input dataset is none of model '%.200s'",
                  model->program().model_name.c_str());
    gear = *found;
  }
  *executor = std::shared_ptr<const Executor>(std::shared_ptr<void>(), &model->gear(gear));
  return ACL_SUCCESS;
}

}  // namespace omkit::acl
