// AMCT's record of an INT8 network: per layer the scale and offset of its data and the scales of its weights. Floor 3.
#ifndef OMKIT_FRONTENDS_AMCT_LAYER_RECORD_H_
#define OMKIT_FRONTENDS_AMCT_LAYER_RECORD_H_

#include "absl/status/statusor.h"
#include "frontends/amct/amct.pb.h"
#include "ir/graph.h"

namespace omkit::frontends {

// The convolutions and dense layers that compute in INT8, in order of execution. AMCT's data are int8: offset_d is the zero point - 128.
absl::StatusOr<amct::ScaleOffsetRecord> RecordOf(const ir::Graph& graph);

struct DataRange {
  float min = 0;
  float max = 0;
};

// The reals that int8 data with this record cover. INVALID_ARGUMENT for scales that are not finite, normal and positive, offsets outside
// int8, weight offsets that are not 0, and types other than INT8.
absl::StatusOr<DataRange> RangeOf(const amct::SingleLayerRecord& record);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_AMCT_LAYER_RECORD_H_
