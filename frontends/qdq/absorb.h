// A graph that carries its own quantization (ONNX QuantizeLinear and DequantizeLinear) into omkit's one representation: QuantParams on
// tensor types, int8 weights, int32 biases, operators on quantized operands. Floor 3, after import and shape inference, before fusion.
#ifndef OMKIT_FRONTENDS_QDQ_ABSORB_H_
#define OMKIT_FRONTENDS_QDQ_ABSORB_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/graph.h"

namespace omkit::frontends {

// True when the graph has a QuantizeLinear or DequantizeLinear node.
bool CarriesQuantization(const ir::Graph& graph);

// Rewrites the graph with the model's own parameters and returns true; false, and nothing changed, for a graph without quantization.
// Shapes and types must be inferred, and DequantizeLinear of constants must not be folded yet.
// Afterwards activations are uint8 per tensor (int8 ones move by 128, which changes no result), weights int8 in [-127, 127] with zero
// point 0 along axis 0, biases int32; what has no integer form stays in float between Quantize and Dequantize nodes. Each tensor that
// the model quantizes keeps its name and differs from the model's own float arithmetic by at most one step per requantization.
// Weights outside [-127, 127] around their zero point are requantized per channel with the least squared error, with a warning.
// Layers whose weights alone are quantized compute in float on int8 weights (W8A16) where weights and shape allow, unless
// calibration is to follow: then they get float weights, which it quantizes together with their activations.
// Nodes whose parameters are computed at run time (dynamic quantization) or whose integers have 16 bits stay operators on floats.
// Errors name node and tensor: INVALID_ARGUMENT for scales that are not finite, normal and positive; UNIMPLEMENTED for what a layer reads
// and has no INT8 form: activations with several scales, blocked quantization, floats of 8 bits.
enum class WeightOnlyLayers { kKeepInt8Weights, kAreCalibrated };
absl::StatusOr<bool> AbsorbQdq(ir::Graph& graph, WeightOnlyLayers weight_only = WeightOnlyLayers::kKeepInt8Weights);

// Takes operators that fusion made between Dequantize and Quantize nodes (HardSwish, Gelu, ...) into INT8. For graphs that AbsorbQdq has
// rewritten; others have no such nodes yet and stay as they are.
absl::Status AbsorbFused(ir::Graph& graph);

// For models that are quantized in part, when there is calibration data to complete them with. Before AbsorbQdq: takes dynamic quantization
// of activations away, so that calibration finds their ranges once; returns how many. Weights keep their integers' values.
absl::StatusOr<int> FreezeDynamicQuantization(ir::Graph& graph);

// After AbsorbQdq and fusion: convolutions and dense layers with constant weights that compute in float, in order of execution.
std::vector<std::string> FloatLayers(const ir::Graph& graph);

// After calibration has quantized those layers: joins their borders with those of the model's own quantization.
absl::Status JoinCompleted(ir::Graph& graph);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_QDQ_ABSORB_H_
