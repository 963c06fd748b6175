// Gives a float graph a quantization of its own, in the manners of many exporters: what training with fake quantization would have
// written. For tests.
#ifndef OMKIT_TESTS_QDQ_OWN_QUANTIZATION_H_
#define OMKIT_TESTS_QDQ_OWN_QUANTIZATION_H_

#include <memory>
#include <vector>

#include "ir/graph.h"

namespace omkit::testing {

// A copy of `graph` with QuantizeLinear and DequantizeLinear around most tensors; `inputs` give the ranges. The seed chooses, per tensor:
// uint8 or int8, scales of rank 0 or 1, zero points left out, quantized behind the layer, behind its activation, or not at all; per weight:
// int8 per channel, uint8 with a zero point, or float with a constant quantizer; per bias: float, int32 with the scale of the products, or
// int32 with its own scale. All weights stay within 127 steps of their zero point.
std::unique_ptr<ir::Graph> WithOwnQuantization(const ir::Graph& graph, const std::vector<Tensor>& inputs, uint32_t seed);

}  // namespace omkit::testing

#endif  // OMKIT_TESTS_QDQ_OWN_QUANTIZATION_H_
