// What one thread keeps in its scratch, in floats: all keys and values of a head as panels, and the scores of a strip of rows. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ATTENTION_F32_SCRATCH_H_
#define OMKIT_BACKENDS_KERNELS_ATTENTION_F32_SCRATCH_H_

#include <cstdint>

#include "backends/kernels/attention_f32/attention_f32.h"

namespace omkit::kernels {

// A whole number of the tiles of AVX-512 and AVX2.
constexpr int64_t kStripRows = 84;
constexpr int64_t kPanel = 16;

struct AttentionScratch {
  explicit AttentionScratch(const AttentionF32Params& p)
      : width((p.k.dims[2] + kPanel - 1) / kPanel * kPanel),
        keys(width * p.k.dims[3]),
        values((p.v.dims[3] + kPanel - 1) / kPanel * kPanel * p.v.dims[2]),
        scores(width * (p.q.dims[2] < kStripRows ? p.q.dims[2] : kStripRows)) {}
  int64_t width;  // of a row of scores
  int64_t keys, values, scores;
  int64_t floats() const { return keys + values + scores; }
};

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ATTENTION_F32_SCRATCH_H_
