// The end of a convolution on sixteen output channels of one pixel, portable. Floor 4. Internal linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_EPILOGUE_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_EPILOGUE_H_

#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/lanes.h"

namespace omkit::kernels {
namespace {

// Writes `count` channels at `out` (uint8, or float when p.float_output); `residual` points to the same channels or is not read.
OMKIT_INLINE void FinishLanes(const LanesS32& acc, const LanesF32& multiplier, const ConvU8Params& p, const Rounding& rounding,
                              const uint8_t* residual, uint8_t* out, int count) {
  LanesF32 v = ToFloat(acc) * multiplier;
  if (p.has_residual) {
    const LanesF32 side = ToFloat(Widen(LoadSome<LanesU8>(residual, count)) - Splat(p.residual_zero)) * Splat(p.residual_multiplier);
    v = v + side;
  }
  if (p.float_output) StoreSome(out, Clamp(v, p.act_min, p.act_max), count);
  else StoreSome(out, Round(v, rounding), count);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_EPILOGUE_H_
