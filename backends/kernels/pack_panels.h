// Matrices as the panels that dot_tile.h reads: what the kernels of MatMul and of Attention share. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_PACK_PANELS_H_
#define OMKIT_BACKENDS_KERNELS_PACK_PANELS_H_

#include <cstdint>

#include "backends/kernels/lanes_f32.h"

namespace omkit::kernels {
namespace {

// b[depth][columns] with any strides into panels [depth][16], zeros beyond `columns`.
void PackPanels(const float* b, int64_t row_stride, int64_t column_stride, int64_t depth, int64_t columns, float* packed) {
  for (int64_t c = 0; c < columns; c += kWidth) {
    const int lanes = columns - c < kWidth ? static_cast<int>(columns - c) : kWidth;
    const float* from = b + c * column_stride;
    if (column_stride == 1 || row_stride != 1) {
      for (int64_t k = 0; k < depth; ++k) Store(packed + k * kWidth, LoadStrided(from + k * row_stride, column_stride, lanes));
    } else {
      for (int i = 0; i < kWidth; ++i) {
        for (int64_t k = 0; k < depth; ++k) packed[k * kWidth + i] = i < lanes ? from[i * column_stride + k] : 0.0f;
      }
    }
    packed += depth * kWidth;
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_PACK_PANELS_H_
