// The output of a convolution as rows of pixels, merged where memory allows: what conv_f32 and conv_bf16 walk. Floor 4. Internal linkage only,
// see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_F32_PIXELS_H_
#define OMKIT_BACKENDS_KERNELS_CONV_F32_PIXELS_H_

#include <cstdint>

#include "backends/kernels/conv_f32/conv_f32.h"

namespace omkit::kernels {

// Output pixels as rows of `width` pixels at equal distances.
struct Pixels {
  int64_t dims[3];                     // N, OH, width
  int64_t in[3], out[3], residual[3];  // strides in elements
};

namespace {

inline void MergeDim(Pixels* p, int inner) {
  const int outer = inner - 1;
  if (p->dims[outer] == 1) return;
  const int64_t n = p->dims[inner];
  const bool merges =
      n == 1 || (p->in[outer] == n * p->in[inner] && p->out[outer] == n * p->out[inner] && p->residual[outer] == n * p->residual[inner]);
  if (!merges) return;
  if (n == 1) {
    p->in[inner] = p->in[outer];
    p->out[inner] = p->out[outer];
    p->residual[inner] = p->residual[outer];
  }
  p->dims[inner] *= p->dims[outer];
  p->dims[outer] = 1;
}

inline Pixels OutputPixels(const ConvF32Params& p) {
  Pixels pixels;
  const int64_t steps[3] = {1, p.stride_h, p.stride_w};
  for (int i = 0; i < 3; ++i) {
    pixels.dims[i] = p.out.dims[i];
    pixels.in[i] = p.in.strides[i] * steps[i];
    pixels.out[i] = p.out.strides[i];
    pixels.residual[i] = p.has_residual ? p.residual.strides[i] : p.out.strides[i];
  }
  return pixels;
}

inline Pixels MergedPixels(const ConvF32Params& p) {
  Pixels pixels = OutputPixels(p);
  MergeDim(&pixels, 2);
  MergeDim(&pixels, 1);
  MergeDim(&pixels, 2);
  return pixels;
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_F32_PIXELS_H_
