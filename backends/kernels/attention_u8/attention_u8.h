// INT8 attention: products with the keys, mask, softmax, rounding of its shares and products with the values, in strips of query rows whose
// scores stay in the thread's scratch. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ATTENTION_U8_ATTENTION_U8_H_
#define OMKIT_BACKENDS_KERNELS_ATTENTION_U8_ATTENTION_U8_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

enum class ScoreMask : int32_t {
  kNone = 0,
  kAdded = 1,    // f32, added to the score
  kVisible = 2,  // a byte; where it is 0 the score is `low`
  kHidden = 3,   // a byte; where it is not 0 the score is `low`
};

// Operands: 0 q u8, 1 k u8, 2 v u8, 3 output u8 or f32, and 4 the mask. Views have rank 4: q [batch, heads, rows, size], k [batch, heads, keys,
// size], v [batch, heads, keys, values], output [batch, heads, rows, values], mask [batch, heads, rows, keys]; a broadcast dimension has stride
// 0. The last strides of q and of the output are 1. Sizes and keys are at most kLongestMatMulU8. The bits are those of matmul_u8, the mask's own
// step, softmax_f32 with its result rounded, and matmul_u8 again.
struct AttentionU8Params {
  View q, k, v, out, mask;
  int32_t q_zero, k_zero, v_zero;
  float score_multiplier;  // score = float(acc) * score_multiplier
  int32_t rounds_scores;   // 1: that is rounded to u8 with score_zero, and read as (byte - score_zero) * score_scale
  float score_scale;
  int32_t score_zero;
  ScoreMask masking;
  float low;
  float share_scale;  // QuantizeValue(share, share_scale, share_zero, 0, 255)
  int32_t share_zero;
  float out_multiplier;
  int32_t float_output;  // 1: out = float(acc) * out_multiplier
  int32_t out_zero;      // u8 output: clamp(round(float(acc) * out_multiplier) + out_zero, clamp_min, clamp_max)
  int32_t clamp_min, clamp_max;
};

// "attention_u8.<isa>".
std::string AttentionU8Kernel(Isa isa);
void RegisterAttentionU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ATTENTION_U8_ATTENTION_U8_H_
