// QuantizeValue of base/quant.h on sixteen lanes for kernels that compute in float and write bytes. Floor 4. Internal linkage only, see
// tier.h.
//
// Where a fused multiply-add is an instruction, the quotient comes from the reciprocal and one correction by the remainder (P. Markstein,
// "Computation of elementary functions on the IBM RISC System/6000", 1990). Tried with all 2^23 mantissas of the scale and all numbers
// within 3 ulp of a half between two bytes, where rounding decides: it is the float that the division gives.
#ifndef OMKIT_BACKENDS_KERNELS_ROUNDER_H_
#define OMKIT_BACKENDS_KERNELS_ROUNDER_H_

#include "backends/kernels/lanes.h"
#include "backends/kernels/math_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

struct Rounder {
  F32 scale, minus_scale, reciprocal;
  bool corrects;
  Rounding to;

  // kShares: of numbers in [0, 1] or NaN.
  template <bool kShares = false>
  OMKIT_INLINE LanesU8 Bytes(F32 x) const {
    F32 quotient;
#if defined(__FMA__) || defined(__aarch64__)
    if (corrects) {
      const F32 near = x * reciprocal;
      quotient = Fma(Fma(near, minus_scale, x), reciprocal, near);
      // The remainder of an infinite quotient is no number; one of this size saturates anyway.
      if constexpr (!kShares) quotient = Select(Abs(near) < Set(1024.0f), quotient, near);
    } else  // NOLINT(readability/braces)
#endif
      quotient = x / scale;
    LanesF32 lanes;
    static_assert(sizeof lanes == sizeof quotient, "sixteen floats");
    __builtin_memcpy(&lanes, &quotient, sizeof lanes);
    return Round(ZeroIfNan(lanes), to);
  }
};

OMKIT_INLINE Rounder MakeRounder(float scale, int32_t zero_point) {
  return {Set(scale), Set(-scale), Set(1.0f / scale), scale > 1e-30f && scale < 1e30f, MakeRounding(zero_point, 0, 255)};
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ROUNDER_H_
