// Float normalization of rows by their own mean and variance: LayerNormalization, InstanceNormalization and RMSNormalization. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_LAYERNORM_F32_LAYERNORM_F32_H_
#define OMKIT_BACKENDS_KERNELS_LAYERNORM_F32_LAYERNORM_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// out[r][i] = (in[r][i] - mean(r)) / sqrt(var(r) + epsilon) * gamma[j] + beta[j] over dense data in[rows][inner].
// kLayer: j = i, tables of `inner` entries. kInstance (NCHW data): j = r % channels, tables of `channels` entries. kRms: as kLayer with 0 for the
// mean. Operands: 0 input f32, 1 gamma f32, 2 beta f32, 3 output f32 (may be the input).
enum class NormForm : int32_t { kLayer = 0, kInstance = 1, kRms = 2 };

struct LayerNormF32Params {
  int64_t rows, inner, channels;
  NormForm form;
  float epsilon;
};

// "layernorm_f32.<isa>".
std::string LayerNormF32Kernel(Isa isa);
void RegisterLayerNormF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_LAYERNORM_F32_LAYERNORM_F32_H_
