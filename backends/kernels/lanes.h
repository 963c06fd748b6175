// Sixteen lanes of portable vector arithmetic (GCC vector extensions) and the rounding steps of base/quant.h on them: the
// generic kernels are written on these once and compiled per tier. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_LANES_H_
#define OMKIT_BACKENDS_KERNELS_LANES_H_

#include <cstdint>

#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

constexpr int kLanes = 16;
typedef uint8_t LanesU8 __attribute__((vector_size(16)));
typedef int8_t LanesS8 __attribute__((vector_size(16)));
typedef int16_t LanesS16 __attribute__((vector_size(32)));
typedef int32_t LanesS32 __attribute__((vector_size(64)));
typedef uint32_t LanesU32 __attribute__((vector_size(64)));
typedef float LanesF32 __attribute__((vector_size(64)));

template <typename Lanes>
OMKIT_INLINE Lanes Load(const void* from) {
  Lanes lanes;
  __builtin_memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
// The first `count` elements, zeros behind them; touches no other byte.
template <typename Lanes>
OMKIT_INLINE Lanes LoadSome(const void* from, int count) {
  constexpr int kSize = sizeof(Lanes) / kLanes;
  Lanes lanes = {};
  if (count >= kLanes) __builtin_memcpy(&lanes, from, sizeof lanes);
  else __builtin_memcpy(&lanes, from, static_cast<unsigned>(count * kSize));
  return lanes;
}
template <typename Lanes>
OMKIT_INLINE void StoreSome(void* to, const Lanes& lanes, int count) {
  constexpr int kSize = sizeof(Lanes) / kLanes;
  if (count >= kLanes) __builtin_memcpy(to, &lanes, sizeof lanes);
  else __builtin_memcpy(to, &lanes, static_cast<unsigned>(count * kSize));
}

OMKIT_INLINE LanesF32 ToFloat(const LanesS32& v) { return __builtin_convertvector(v, LanesF32); }
OMKIT_INLINE LanesS32 Widen(const LanesU8& v) { return __builtin_convertvector(v, LanesS32); }
OMKIT_INLINE LanesF32 Splat(float v) { return LanesF32{} + v; }
OMKIT_INLINE LanesF32 Clamp(const LanesF32& v, float lo, float hi) {
  const LanesF32 low = v < lo ? Splat(lo) : v;
  return low > hi ? Splat(hi) : low;
}

// The clamped end of an INT8 operator: RoundToQuantized of base/quant.h on 16 values.
struct Rounding {
  float lo, hi;  // clamp bounds minus the zero point
  int32_t zero_point;
};
OMKIT_INLINE Rounding MakeRounding(int32_t zero_point, int32_t clamp_min, int32_t clamp_max) {
  return {static_cast<float>(clamp_min - zero_point), static_cast<float>(clamp_max - zero_point), zero_point};
}
// Values inside [-255, 255] plus 1.5 * 2^23 are rounded to nearest even by the addition itself.
OMKIT_INLINE LanesU8 Round(const LanesF32& v, const Rounding& to) {
  const LanesF32 shifted = Clamp(v, to.lo, to.hi) + 12582912.0f;
  LanesU32 bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  bits += static_cast<uint32_t>(to.zero_point) - 0x4B400000u;
  return __builtin_convertvector(bits, LanesU8);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_LANES_H_
