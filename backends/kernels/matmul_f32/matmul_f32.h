// Batched float matrix product of two variable operands (attention, Gemm with a variable B). Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_MATMUL_F32_MATMUL_F32_H_
#define OMKIT_BACKENDS_KERNELS_MATMUL_F32_MATMUL_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 a f32, 1 b f32, 2 output f32. Views have the same rank 2 to 6: a [batch..., M, K], b [batch..., K, N],
// out [batch..., M, N]; batch dims are equal (a broadcast dimension has stride 0). The last strides of a and out are 1; b may have
// any strides, so a transposed B costs nothing extra. Each output is alpha * (one fused multiply-add per k in order), clamped.
struct MatMulF32Params {
  View a, b, out;
  float alpha;
  float act_min, act_max;  // -infinity and infinity: no clamp
  int32_t reserved = 0;    // no padding, whose bytes would differ from file to file
};

// "matmul_f32.<isa>".
std::string MatMulF32Kernel(Isa isa);
void RegisterMatMulF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_MATMUL_F32_MATMUL_F32_H_
