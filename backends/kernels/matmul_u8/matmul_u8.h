// Batched INT8 matrix product of two variable operands (attention): uint8 times uint8 with a zero point each, int32 accumulation, one
// multiplier, uint8 or float output (base/quant.h). Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_MATMUL_U8_MATMUL_U8_H_
#define OMKIT_BACKENDS_KERNELS_MATMUL_U8_MATMUL_U8_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// The longest inner dimension whose sums of products of centered bytes stay inside int32.
constexpr int64_t kLongestMatMulU8 = 33024;

// Operands: 0 a u8, 1 b u8, 2 output u8 or f32. Views have the same rank 2 to 6: a [batch..., M, K], b [batch..., K, N],
// out [batch..., M, N]; batch dims are equal (a broadcast dimension has stride 0). The last strides of a and out are 1; b may have
// any strides, so a transposed B costs nothing extra. K is at most kLongestMatMulU8.
struct MatMulU8Params {
  View a, b, out;
  int32_t a_zero, b_zero;
  float multiplier;
  int32_t float_output;  // 1: out = float(acc) * multiplier, clamped to [act_min, act_max]
  int32_t out_zero;      // u8 output: clamp(round(float(acc) * multiplier) + out_zero, clamp_min, clamp_max)
  int32_t clamp_min, clamp_max;
  float act_min, act_max;
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
};

// "matmul_u8.<isa>".
std::string MatMulU8Kernel(Isa isa);
void RegisterMatMulU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_MATMUL_U8_MATMUL_U8_H_
