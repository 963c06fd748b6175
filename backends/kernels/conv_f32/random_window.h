// Test support: random windows and results of float convolutions, for the tests of conv_f32 and conv_bf16.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_F32_RANDOM_WINDOW_H_
#define OMKIT_BACKENDS_KERNELS_CONV_F32_RANDOM_WINDOW_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/tier_agreement.h"

namespace omkit::kernels {

// Kernel (1x1 when `pointwise`), strides, dilations and padding.
inline void RandomWindow(Random& random, bool pointwise, int64_t most_kernel, ConvF32Params* p) {
  p->kernel_h = pointwise ? 1 : static_cast<int32_t>(Pick(random, 1, most_kernel));
  p->kernel_w = pointwise ? 1 : static_cast<int32_t>(Pick(random, 1, most_kernel));
  p->stride_h = static_cast<int32_t>(Pick(random, 1, 3));
  p->stride_w = static_cast<int32_t>(Pick(random, 1, 3));
  p->dilation_h = static_cast<int32_t>(Pick(random, 1, 2));
  p->dilation_w = static_cast<int32_t>(Pick(random, 1, 2));
  p->pad_top = static_cast<int32_t>(Pick(random, 0, p->kernel_h - 1));
  p->pad_left = static_cast<int32_t>(Pick(random, 0, p->kernel_w - 1));
}

// Views of `n` results of `oc` channels for images of h x w, and perhaps of residuals, with random gaps and edges; a clamp or none.
inline void RandomResult(Random& random, int64_t n, int64_t h, int64_t w, int64_t oc, ConvF32Params* p, std::vector<float>* out,
                         std::vector<float>* residual) {
  const int64_t reach_h = (p->kernel_h - 1) * p->dilation_h, reach_w = (p->kernel_w - 1) * p->dilation_w;
  const int64_t oh = std::max<int64_t>(1, (h + 2 * p->pad_top - reach_h - 1) / p->stride_h + 1);
  const int64_t ow = std::max<int64_t>(1, (w + 2 * p->pad_left - reach_w - 1) / p->stride_w + 1);
  int64_t elements;
  const int64_t edge = Pick(random, 0, 1);
  p->out = ImageView(n, oh, ow, oc, Pick(random, 0, 1) * 5, edge, edge, edge, edge, Pick(random, 0, 3), 4, &elements);
  *out = RandomFloats(random, elements);
  p->has_residual = static_cast<int32_t>(Pick(random, 0, 1));
  if (p->has_residual) {
    p->residual = ImageView(n, oh, ow, oc, Pick(random, 0, 1) * 2, 0, 0, 0, edge, 0, 4, &elements);
    *residual = RandomFloats(random, elements);
  }
  constexpr float kNoClamp = std::numeric_limits<float>::infinity();
  p->act_min = Pick(random, 0, 1) ? 0.0f : -kNoClamp;
  p->act_max = Pick(random, 0, 1) ? 1.5f : kNoClamp;
}

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_F32_RANDOM_WINDOW_H_
