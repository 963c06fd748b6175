// Convolution: inputs x[N,C,spatial...], w[M,C/group,kernel...], optional bias[M], optional residual of the output's shape.
//
// Attributes of ONNX Conv, plus two that fusion passes set: act_min and act_max (floats), a clamp of the result in real units.
// Quantized form (base/quant.h): x uint8 or int8 per tensor, w int8 per tensor or per output channel, bias int32 with scale
// scale_x * scale_w[m], residual uint8 or int8. The output is quantized, or float32: then it is float(acc) * float(scale_x * scale_w[m])
// plus the dequantized residual, clamped.
#include "ir/op.h"
