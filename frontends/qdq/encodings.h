// AIMET's exports: a float network beside a JSON file of encodings, one per quantized tensor. Floor 3, between import and AbsorbQdq.
#ifndef OMKIT_FRONTENDS_QDQ_ENCODINGS_H_
#define OMKIT_FRONTENDS_QDQ_ENCODINGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/graph.h"

namespace omkit::frontends {

// Writes the encodings into the graph: QuantizeLinear and DequantizeLinear behind activations, 8-bit integers and DequantizeLinear in the
// place of weights. Takes the formats 0.6.1 (a list per tensor name), 1.0.0 (a list of named encodings) and 2.0.0 (y_scale, y_zero_point).
// Tensors of dtype float and 32-bit biases stay as they are. Returns the number of tensors. Errors name the tensor: unknown names (with
// the nearest), scales that are not finite, normal and positive, activations with several scales, bit widths other than 8 (weights: up to 8).
absl::StatusOr<int> ApplyEncodings(absl::string_view json, ir::Graph& graph);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_QDQ_ENCODINGS_H_
