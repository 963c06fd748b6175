// Layers of dynamically quantized models (ONNX Runtime's quantize_dynamic) in the form of all other quantized models. Floor 3, before import.
#ifndef OMKIT_FRONTENDS_ONNX_DYNAMIC_QUANTIZATION_H_
#define OMKIT_FRONTENDS_ONNX_DYNAMIC_QUANTIZATION_H_

#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {

//   DynamicQuantizeLinear(x) -> MatMulInteger or ConvInteger with constant weights -> Cast to FLOAT -> Mul by (x's scale * w's scale)
// becomes MatMul or Conv of DequantizeLinear(x) and DequantizeLinear(weights): the same function, since the float operator is linear.
// Chains of any other form stay as they are. Returns the number of layers rewritten.
int JoinDynamicQuantization(onnx::ModelProto* model);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_DYNAMIC_QUANTIZATION_H_
