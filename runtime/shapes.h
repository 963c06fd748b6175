// Models whose shapes are chosen at run time: several plans, or none yet, over one set of weights. Floor 2, between program.h and whoever
// writes, verifies, loads or runs whole models.
//
// A gear is a row of numbers that stands for one shape of every input (the ATC options dynamic_batch_size, dynamic_image_size and
// dynamic_dims). Its model has one more input, INT32 with one element per number, through which clients of the C API set the gear.
#ifndef OMKIT_RUNTIME_SHAPES_H_
#define OMKIT_RUNTIME_SHAPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/program.h"

namespace omkit::runtime {

// What runs once the shapes of all inputs are known: a program of which nothing but inputs, outputs, steps, records and arena is looked at. The
// rest is that of the model that it belongs to.
using Plan = Program;

// How the shapes of inputs are chosen at run time.
enum class ShapeMode : uint8_t {
  kFixed = 0,       // not at all
  kBatchGears = 1,  // one of some batch sizes
  kImageGears = 2,  // one of some pairs of height and width
  kDimsGears = 3,   // one of some combinations of all dimensions that change
  kRanges = 4,      // anything inside the ranges; plans are made when they are needed
};

struct DimRange {
  int64_t least = 0;
  int64_t most = -1;  // -1: no bound
};

// A choice of shapes with a plan of its own. All plans use the same weights.
struct Gear {
  std::vector<int64_t> values;  // what the client sets: one batch size, height and width, or every dimension that changes
  Plan plan;                    // of the largest gear: empty, it is the program itself
};

// Inputs whose shapes are chosen at run time. They are the first inputs of every plan; inputs that the compiler appends follow.
struct RuntimeShapes {
  ShapeMode mode = ShapeMode::kFixed;
  std::vector<std::vector<int64_t>> dims;     // by input, -1 where they change
  std::vector<std::vector<DimRange>> ranges;  // kRanges: by input
  std::vector<Gear> gears;                    // in the order of the command line
  uint32_t largest = 0;                       // index of the largest gear
  std::string graph;                          // kRanges: what plans are made from, in the form of whoever makes them
};

// A whole model. A fixed one and the largest gear have their plan in the program. With kRanges it has inputs and outputs only, with -1 where
// dims change and bytes 0.
struct ShapedProgram : Program {
  ShapedProgram() = default;
  ShapedProgram(Program fixed) : Program(std::move(fixed)) {}  // implicit: a program alone has fixed shapes

  RuntimeShapes shapes;
};

constexpr char kGearInput[] = "ascend_mbatch_shape_data";
constexpr size_t kFewestGears = 2;
constexpr size_t kMostGears = 100;

constexpr bool HasGears(ShapeMode mode) { return mode == ShapeMode::kBatchGears || mode == ShapeMode::kImageGears || mode == ShapeMode::kDimsGears; }

// The shape of every input in a gear: `values` put in place of the -1 of `dims`. A batch size goes to all of them, height and width to the
// first and second of each input, other values one by one. INVALID_ARGUMENT when counts differ or a value is below 1.
absl::StatusOr<std::vector<std::vector<int64_t>>> GearDims(ShapeMode mode, const std::vector<std::vector<int64_t>>& dims,
                                                           absl::Span<const int64_t> values);
// Numbers in a gear of inputs with these dims.
size_t GearWidth(ShapeMode mode, const std::vector<std::vector<int64_t>>& dims);
// The gear with these values.
std::optional<size_t> FindGear(const RuntimeShapes& shapes, absl::Span<const int64_t> values);
// The plan of a gear; `gear` < program.shapes.gears.size(). For a fixed model: the program for gear 0.
const Plan& GearPlan(const ShapedProgram& program, size_t gear);
// The description of the input that sets the gear.
IoDesc GearInput(size_t width);

// INVALID_ARGUMENT, naming the input, when a shape has another rank than the model or a dimension outside its range.
absl::Status CheckRanges(const RuntimeShapes& shapes, absl::Span<const IoDesc> inputs, const std::vector<std::vector<int64_t>>& dims);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_SHAPES_H_
