// The oneDNN plugin: Conv and Dense run as oneDNN primitives; the backends behind the plugin take every other node.
//
// One kind of step, "onednn.layer", in three precisions. Weights lie in the offline model in ONNX order and are brought into the order
// that oneDNN wants on this CPU when the model is loaded. INT8 layers take their int32 sums from oneDNN and are rounded here as
// base/quant.h says, so that their results are the same bytes as everywhere else.
#ifndef OMKIT_PLUGINS_ONEDNN_LAYER_H_
#define OMKIT_PLUGINS_ONEDNN_LAYER_H_

#include <cstdint>

#include "omkit/plugin.h"

namespace onednn {

constexpr uint32_t kParamsVersion = 1;
constexpr char kLayer[] = "onednn.layer";

enum Precision : int32_t {
  kFloat32 = 0,
  kBFloat16 = 1,  // operands rounded to bfloat16, sums in float32
  kInt8 = 2,      // uint8 times int8, sums in int32
};

// Operands: result (written), x, weights, bias (float32 or int32, one per output channel; without one: zeros), then with kInt8 a float
// multiplier per output channel, then with has_residual the residual. x and the result are float32, or uint8 with kInt8.
struct LayerParams {
  int64_t batch, in_channels, in_height, in_width;
  int64_t out_channels, out_height, out_width;
  int64_t kernel_height, kernel_width, stride_height, stride_width, dilation_height, dilation_width;
  int64_t pad_top, pad_left, pad_bottom, pad_right;
  int64_t group;
  int32_t precision;
  int32_t dense;  // a matrix product: batch rows of in_channels, no image
  int32_t has_residual;
  int32_t float_result;    // with kInt8: the result is float32, there is no residual
  int32_t x_zero, y_zero;  // with kInt8; x_zero is 0 for dense layers, whose bias holds it
  int32_t residual_zero, reserved;
  float residual_multiplier;
  float act_min, act_max;        // float results
  int32_t act_min_q, act_max_q;  // uint8 results
  int32_t reserved2;
};

inline int64_t ResultElements(const LayerParams& p) { return p.batch * p.out_channels * p.out_height * p.out_width; }
inline int64_t InputElements(const LayerParams& p) { return p.batch * p.in_channels * p.in_height * p.in_width; }
inline int64_t WeightElements(const LayerParams& p) { return p.out_channels * (p.in_channels / p.group) * p.kernel_height * p.kernel_width; }

extern const OmkitKernel kKernels[];
extern const OmkitCompiler kCompiler;
extern const OmkitHost* host;

int32_t Fail(OmkitError* error, int32_t code, const char* format, ...) __attribute__((format(printf, 3, 4)));

}  // namespace onednn

#endif  // OMKIT_PLUGINS_ONEDNN_LAYER_H_
