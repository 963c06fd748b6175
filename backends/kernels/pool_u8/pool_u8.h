// INT8 pooling over NHWC views. Max keeps quantization parameters; average sums in int32 and requantizes once. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_POOL_U8_POOL_U8_H_
#define OMKIT_BACKENDS_KERNELS_POOL_U8_POOL_U8_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input u8, 1 output u8. Windows are clipped to the image (no halo needed).
// Average: q = Requantize(sum(x) - count * in_zero, multiplier_of_count, out_zero, 0, 255) where count is the number of taps
// that divide: kernel area when count_include_pad, else taps inside the image, and multiplier_of_count =
// float(double(in_scale) / (double(out_scale) * count)).
struct PoolU8Params {
  View in, out;
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t dilation_h, dilation_w;
  int32_t pad_top, pad_left;
  int32_t pad_bottom, pad_right;  // average with count_include_pad: windows are clipped to the padded image
  int32_t average;                // 0: max
  int32_t count_include_pad;
  int32_t in_zero, out_zero;
  float in_scale, out_scale;
};

// "pool_u8.<isa>".
std::string PoolU8Kernel(Isa isa);
void RegisterPoolU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_POOL_U8_POOL_U8_H_
