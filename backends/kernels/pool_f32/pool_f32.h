// Float max and average pooling over NHWC views. Taps are summed in row-major order. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_POOL_F32_POOL_F32_H_
#define OMKIT_BACKENDS_KERNELS_POOL_F32_POOL_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input f32, 1 output f32. Windows are clipped to the image (no halo needed), so ceil mode needs nothing special.
// Average divides by the taps inside the image, or with count_include_pad by the taps inside the padded image. A window
// without any tap gives -infinity (max) or 0 (average). Max ignores NaN.
struct PoolF32Params {
  View in, out;  // N, H, W, C and N, OH, OW, C
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t dilation_h, dilation_w;
  int32_t pad_top, pad_left;
  int32_t pad_bottom, pad_right;  // average with count_include_pad only
  int32_t average;                // 0: max
  int32_t count_include_pad;
};

// "pool_f32.<isa>".
std::string PoolF32Kernel(Isa isa);
void RegisterPoolF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_POOL_F32_POOL_F32_H_
