// Passes that bring a float graph into the form backends run well: fewer, larger operators with the same meaning. Floor 3.
// All of them run before calibration, so that only tensors which exist at run time are observed.
#ifndef OMKIT_PASSES_FUSE_H_
#define OMKIT_PASSES_FUSE_H_

#include "passes/pass.h"

namespace omkit::passes {

// Drops operators without effect: Identity, Cast to the same type, Reshape/Transpose/Slice/Pad/... that change nothing, chains of
// Transpose or of Reshape.
Pass Simplify();

// Gemm and MatMul with a constant right side become Dense; Add of a constant vector becomes its bias.
Pass FormDense();

// BatchNormalization, and Mul, Div, Add, Sub with a per-channel constant, fold into the Conv, ConvTranspose or Dense before them.
// A BatchNormalization without one becomes Mul and Add.
Pass FuseBatchNorm();

// ConvTranspose with constant weights becomes a Conv of stride * stride times the channels, DepthToSpace and, with pads, a crop. Over
// one dimension, or with strides that differ, Reshape and Transpose take the place of DepthToSpace. kInteger is for weights behind a
// DequantizeLinear, before a model's own quantization is read: it then reaches the Conv.
enum class WeightForm { kFloat, kInteger };
Pass FormConv(WeightForm form);

// Conv with constant weights, MaxPool and AveragePool over one dimension, in float or INT8, become those over two, of height 1, between
// Reshapes: kernels are made for planes. Behind the fusions, which the Reshapes would keep apart.
Pass FormPlanes();

// A constant zero Pad of the spatial dimensions folds into the Conv or the counting AveragePool behind it.
Pass FusePad();

// Decomposed activations become one operator: x*Sigmoid(x) -> Swish, x*HardSigmoid(x) and x*Clip(x+3,0,6)/6 -> HardSwish,
// Clip(x+3,0,6)/6 -> HardSigmoid, x*0.5*(1+Erf(x/sqrt 2)) and its approximation with Tanh -> Gelu.
Pass FuseComposite();

// Means, squares and roots over the last dimensions become LayerNormalization or RMSNormalization, with the constant factors and summands behind
// them. The forms of torch and paddle2onnx ((x - mean) / sqrt(var + eps) * g + b) and of tf2onnx (x * m + (b - mean * m), m = g / sqrt(...)).
Pass FuseNormalization();

// Add(Conv(x), y) -> Conv(x, residual y) when the convolution's result has no other reader. Dense likewise.
Pass FuseResidual();

// Mul and Div by a scalar before or behind a MatMul of two variable operands become its attribute alpha (the scale of attention).
Pass FuseScale();

// MatMul(Softmax(MatMul(Q, K^T) * scale + mask), V) becomes Attention. Only in float: quantized products have kernels of their own; and not
// over few keys. Behind quantization and FuseScale, for backends that have a kernel for it.
Pass FuseAttention();

// Relu and Clip become the act_min, act_max clamp of the Conv, Dense, Add, Sub or Mul before them.
Pass FuseActivation();

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_FUSE_H_
