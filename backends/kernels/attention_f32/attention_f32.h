// Float attention: products with the keys, mask, softmax and products with the values, in strips of query rows whose scores stay in the
// thread's scratch. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ATTENTION_F32_ATTENTION_F32_H_
#define OMKIT_BACKENDS_KERNELS_ATTENTION_F32_ATTENTION_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

enum class AttentionMask : int32_t { kNone = 0, kAdded = 1, kVisible = 2 };

// Operands: 0 q, 1 k, 2 v, 3 output, all f32, and 4 the mask: f32 that is added, or bytes that are not 0 where a key is visible. Views have rank
// 4: q [batch, heads, rows, size], k [batch, kv heads, keys, size], v [batch, kv heads, keys, values], output [batch, heads, rows, values], mask
// [batch, heads, rows, keys]. Query head h reads head h / (heads / kv heads). The last strides of q and of the output are 1. Causal: row i sees the
// keys up to i. The bits are those of matmul_f32 with alpha = scale, an addition, softmax_f32 and matmul_f32 again; but a row that sees no
// key gives zeros.
struct AttentionF32Params {
  View q, k, v, out, mask;
  float scale;
  int32_t causal;  // 0 or 1
  AttentionMask masking;
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
};

// "attention_f32.<isa>".
std::string AttentionF32Kernel(Isa isa);
void RegisterAttentionF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ATTENTION_F32_ATTENTION_F32_H_
