// The output pixels of a convolution as up to three merged loops, shared by conv_u8 and dwconv_u8. Floor 4. Internal linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_GRID_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_GRID_H_

#include <cstdint>

#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// Pixel (i0, i1, i2) reads its first tap at in + sum(i_k * in_step[k]), writes at out + ..., adds the residual at ....
// Neighbouring loops whose steps agree in all tensors are merged, so a 1x1 convolution over dense tensors is one long row.
struct Grid {
  int64_t dims[3];
  int64_t in_step[3];
  int64_t out_step[3];
  int64_t residual_step[3];
  int64_t rows() const { return dims[0] * dims[1]; }
};

// Nothing merged: N, OH, OW.
[[maybe_unused]] static Grid GridOf(const ConvU8Params& p) {
  return {{p.out.dims[0], p.out.dims[1], p.out.dims[2]},
          {p.in.strides[0], p.in.strides[1] * p.stride_h, p.in.strides[2] * p.stride_w},
          {p.out.strides[0], p.out.strides[1], p.out.strides[2]},
          {p.residual.strides[0], p.residual.strides[1], p.residual.strides[2]}};
}

[[maybe_unused]] static Grid MakeGrid(const ConvU8Params& p) {
  Grid g = GridOf(p);
  for (int i = 1; i >= 0; --i) {
    // The inner loop is at 2 after a merge of 1 into 2; dims[1] is then 1 and its steps do not matter.
    const int inner = g.dims[i + 1] == 1 && i == 0 ? 2 : i + 1;
    const bool merges = g.dims[i] == 1 || g.dims[inner] == 1 ||
                        (g.in_step[i] == g.in_step[inner] * g.dims[inner] && g.out_step[i] == g.out_step[inner] * g.dims[inner] &&
                         (!p.has_residual || g.residual_step[i] == g.residual_step[inner] * g.dims[inner]));
    if (!merges) continue;
    if (g.dims[inner] == 1) {
      g.in_step[inner] = g.in_step[i];
      g.out_step[inner] = g.out_step[i];
      g.residual_step[inner] = g.residual_step[i];
    }
    g.dims[inner] *= g.dims[i];
    g.dims[i] = 1;
  }
  return g;
}

// Where one row of pixels starts.
struct GridRow {
  const uint8_t* in;
  uint8_t* out;  // bytes; float outputs have element steps of four bytes
  const uint8_t* residual;
};

OMKIT_INLINE GridRow RowOf(const Grid& g, int64_t row, int out_bytes, const GridRow& origin) {
  const int64_t a = row / g.dims[1], b = row % g.dims[1];
  return {origin.in + a * g.in_step[0] + b * g.in_step[1], origin.out + (a * g.out_step[0] + b * g.out_step[1]) * out_bytes,
          origin.residual + a * g.residual_step[0] + b * g.residual_step[1]};
}

// Pixel (0, 0, 0): its first tap, which may lie in the halo; its output; its residual (null without one).
OMKIT_INLINE GridRow OriginOf(const ConvU8Params& p, const KernelArgs& args) {
  return {static_cast<const uint8_t*>(args.operands[0]) + p.in.offset - p.pad_top * p.in.strides[1] - p.pad_left * p.in.strides[2],
          static_cast<uint8_t*>(args.operands[4]) + p.out.offset * (p.float_output ? 4 : 1),
          p.has_residual ? static_cast<const uint8_t*>(args.operands[5]) + p.residual.offset : static_cast<const uint8_t*>(args.operands[0])};
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_GRID_H_
