// The flags of gears: --dynamic_batch_size, --dynamic_image_size, --dynamic_dims. Floor 5.
#ifndef OMKIT_TOOLS_ATC_GEARS_H_
#define OMKIT_TOOLS_ATC_GEARS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/shapes.h"
#include "tools/atc/flags.h"
#include "tools/atc/input_shape.h"

namespace omkit::atc {

struct GearFlags {
  runtime::ShapeMode mode = runtime::ShapeMode::kFixed;
  std::vector<std::vector<int64_t>> gears;  // as written; numbers of dims gears follow the -1 of --input_shape
};

// Reads the flags and checks them against --input_shape. Errors: E10009 (two of them, or --input_shape_range with one), E10003 and E10020 (what
// may stand in them), E10035 to E10039 (number, width, values, repetition), E10012, E10018, E10019, E10031, E10040 (what --input_shape must be),
// E10001 (--input_format, --insert_op_conf beside --dynamic_dims).
absl::StatusOr<GearFlags> ReadGears(const Flags& flags, const InputShapes& shapes);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_GEARS_H_
