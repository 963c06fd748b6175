// Models whose shapes are chosen at run time, in the words of this API: what descriptions tell of them, and which plan a dataset asks for.
#ifndef OMKIT_RUNTIME_ACL_GEARS_H_
#define OMKIT_RUNTIME_ACL_GEARS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "acl/acl.h"
#include "runtime/acl/tensor.h"
#include "runtime/model.h"
#include "runtime/shapes.h"

namespace omkit::acl {

// Part of ModelInfo; lives on after the model.
struct ShapeInfo {
  struct Gear {
    std::vector<int64_t> values;                // in the order of the model's input that sets them
    std::vector<std::vector<int64_t>> inputs;   // dims of the data inputs
    std::vector<std::vector<int64_t>> outputs;  // dims
  };
  runtime::ShapeMode mode = runtime::ShapeMode::kFixed;
  std::vector<std::vector<int64_t>> dims;              // of the data inputs, -1 where they change
  std::vector<std::vector<runtime::DimRange>> ranges;  // kRanges: by data input
  std::vector<Gear> gears;
  size_t largest = 0;
  std::vector<size_t> input_bytes, output_bytes;  // of all: the most of any gear; 0 where there is no bound

  // The gear that was set last for any dataset of this model; shared by its descriptions.
  std::shared_ptr<std::atomic<size_t>> current;
};

ShapeInfo MakeShapeInfo(const runtime::ShapedProgram& program);

// The plan that the dataset asks for: the gear set in it, the largest one, or that of its tensor descriptions. It is good as long as the model
// is. ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID: no such gear; ACL_ERROR_GE_PARAM_INVALID: a description is missing; ACL_ERROR_GE_SHAPE_INVALID:
// the model does not take the shape; ACL_ERROR_GE_MEMORY_ALLOCATION: it needs too much memory.
aclError ChoosePlan(runtime::Model* model, const Dataset& input, std::shared_ptr<const runtime::Executor>* executor);

// True for the input through which gears are set: it need not have memory unless one is set.
bool IsGearInput(const runtime::IoDesc& io);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_GEARS_H_
