// Float normalization of rows by their own mean and variance: LayerNormalization, InstanceNormalization and RMSNormalization, which can
// round their result to uint8 at once. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_LAYERNORM_F32_LAYERNORM_F32_H_
#define OMKIT_BACKENDS_KERNELS_LAYERNORM_F32_LAYERNORM_F32_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// out[r][i] = (in[r][i] - mean(r)) / sqrt(var(r) + epsilon) * gamma[j] + beta[j] over dense data in[rows][inner].
// kLayer: j = i, tables of `inner` entries. kInstance (NCHW data): j = r % channels, tables of `channels` entries. kRms: as kLayer with 0 for the
// mean. Operands: 0 input f32, 1 gamma f32, 2 beta f32, 3 output f32 (may be the input), or u8 when quantized.
enum class NormForm : int32_t { kLayer = 0, kInstance = 1, kRms = 2 };

struct LayerNormF32Params {
  int64_t rows, inner, channels;
  NormForm form;
  float epsilon;
  int32_t quantized;  // 1: QuantizeValue(out, scale, zero_point, 0, 255)
  float scale;
  int32_t zero_point;
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
};

// "layernorm_f32.<isa>".
std::string LayerNormF32Kernel(Isa isa);
void RegisterLayerNormF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_LAYERNORM_F32_LAYERNORM_F32_H_
