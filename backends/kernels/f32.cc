#include "backends/kernels/f32.h"

#include "backends/kernels/argmax/argmax.h"
#include "backends/kernels/attention_f32/attention_f32.h"
#include "backends/kernels/cast/cast.h"
#include "backends/kernels/conv_bf16/conv_bf16.h"
#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/dwconv_f32/dwconv_f32.h"
#include "backends/kernels/elementwise_f32/elementwise_f32.h"
#include "backends/kernels/gather/gather.h"
#include "backends/kernels/layernorm_f32/layernorm_f32.h"
#include "backends/kernels/matmul_f32/matmul_f32.h"
#include "backends/kernels/pool_f32/pool_f32.h"
#include "backends/kernels/recurrent_f32/recurrent_f32.h"
#include "backends/kernels/reduce_f32/reduce_f32.h"
#include "backends/kernels/resize/resize.h"
#include "backends/kernels/softmax_f32/softmax_f32.h"

namespace omkit::kernels {

void RegisterF32Kernels() {
  RegisterConvF32Kernels();
  RegisterConvBf16Kernels();
  RegisterDwConvF32Kernels();
  RegisterPoolF32Kernels();
  RegisterElementwiseF32Kernels();
  RegisterRecurrentF32Kernels();
  RegisterReduceF32Kernels();
  RegisterSoftmaxF32Kernels();
  RegisterMatMulF32Kernels();
  RegisterAttentionF32Kernels();
  RegisterLayerNormF32Kernels();
  RegisterResizeKernels();
  RegisterGatherKernels();
  RegisterArgMaxKernels();
  RegisterCastKernels();
}

}  // namespace omkit::kernels
