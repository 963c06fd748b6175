#include "backends/kernels/u8.h"

#include "backends/kernels/attention_u8/attention_u8.h"
#include "backends/kernels/binary_u8/binary_u8.h"
#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/copy/copy.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/pool_u8/pool_u8.h"
#include "backends/kernels/quantize/quantize.h"

namespace omkit::kernels {

void RegisterU8Kernels() {
  RegisterConvU8Kernels();
  RegisterDwConvU8Kernels();
  RegisterMatMulU8Kernels();
  RegisterAttentionU8Kernels();
  RegisterPoolU8Kernels();
  RegisterBinaryU8Kernels();
  RegisterLutU8Kernels();
  RegisterQuantizeKernels();
  RegisterCopyKernels();
}

}  // namespace omkit::kernels
