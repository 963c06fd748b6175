// What the tiers' code for conv_bf16 shares: the inner product of a few pixels and 16 or 32 output channels, kept in registers over all taps, what
// follows it, and the walk over units. `Products` has the multiply-adds and the form of the cells. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_BF16_TILE_H_
#define OMKIT_BACKENDS_KERNELS_CONV_BF16_TILE_H_

#include <cstdint>
#include <type_traits>
#include <utility>

#include "backends/kernels/conv_bf16/arithmetic.h"
#include "backends/kernels/conv_bf16/code.h"
#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// Calls fn(integral_constant) for 0 to kCount: no loop is left that would keep the accumulators in memory.
template <typename Fn, int... kIndex>
OMKIT_INLINE void Unroll(std::integer_sequence<int, kIndex...> /*indices*/, const Fn& fn) {
  (fn(std::integral_constant<int, kIndex>()), ...);
}
template <int kCount, typename Fn>
OMKIT_INLINE void Unroll(const Fn& fn) {
  Unroll(std::make_integer_sequence<int, kCount>(), fn);
}
#define OMKIT_UNROLLED(i) [&](auto i) __attribute__((always_inline))

OMKIT_INLINE int LanesOf(const TileArgs& d, int panel) { return d.lanes - kWidth * panel < kWidth ? d.lanes - kWidth * panel : kWidth; }

// Sums of products and bias, [kPixels][kPanels][16].
template <typename Products, int kPixels, int kPanels>
__attribute__((noinline)) void SumTile(const TileArgs& d, float* sums) {
  F32 acc[kPixels][kPanels];
  Unroll<kPanels>(OMKIT_UNROLLED(j) {
    const F32 bias = Flushed(LoadSome(d.bias + kWidth * j.value, LanesOf(d, j.value)));
    Unroll<kPixels>(OMKIT_UNROLLED(i) { acc[i.value][j.value] = bias; });
  });
  constexpr int kBases = (kPixels + 2) / 3;
  const uint32_t* w = d.weights;
  const int64_t s = d.pixel_stride;
  for (int64_t y = 0; y < d.taps_y; ++y) {
    for (int64_t x = 0; x < d.taps_x; ++x) {
      // Three pixels share a base register: addresses are base + {k, k + s, k + 2s}.
      const Cell* base[kBases];
      Unroll<kBases>(OMKIT_UNROLLED(b) { base[b.value] = d.in + y * d.step_y + x * d.step_x + 3 * b.value * s; });
      int64_t at[3] = {0, s, 2 * s};
      for (int64_t k = 0; k < d.pairs; ++k) {
        Products::template Add<kPixels, kPanels>(base, at, w, d.panel_stride, acc);
        at[0] += Products::kCellsOfPair;
        at[1] += Products::kCellsOfPair;
        at[2] += Products::kCellsOfPair;
        w += kWidth;
      }
    }
  }
  Unroll<kPixels>(
      OMKIT_UNROLLED(i) { Unroll<kPanels>(OMKIT_UNROLLED(j) { Store(sums + (i.value * kPanels + j.value) * kWidth, acc[i.value][j.value]); }); });
}

// Adds the residual, clamps and stores the pixels of all panels.
void Finish(const TileArgs& d, const float* sums, int panels) {
  const F32 lo = Set(d.act_min), hi = Set(d.act_max);
  for (int j = 0; j < panels; ++j, sums += kWidth) {
    const int lanes = LanesOf(d, j);
    const float* from = sums;
    float* to = d.out + kWidth * j;
    if (d.residual != nullptr) {
      const float* residual = d.residual + kWidth * j;
      for (int i = 0; i < d.pixels; ++i, from += panels * kWidth, to += d.out_stride, residual += d.residual_stride) {
        StoreSome(to, ClampTo(Flushed(Load(from) + Flushed(LoadSome(residual, lanes))), lo, hi), lanes);
      }
    } else {
      for (int i = 0; i < d.pixels; ++i, from += panels * kWidth, to += d.out_stride) StoreSome(to, ClampTo(Load(from), lo, hi), lanes);
    }
  }
}

template <typename Products>
void PackUnits(const UnitSource& s, int64_t units, int64_t pairs, Cell* to) {
  const bool solid = s.taps == 1 || s.tap_stride == s.channels;
  int64_t run = s.taps * s.channels;
  if (solid && s.stride == run && run % 2 == 0) {
    run *= units;
    units = 1;
  }
  float joined[64];
  for (int64_t u = 0; u < units; ++u, to += pairs * Products::kCellsOfPair) {
    const float* from = s.from + u * s.stride;
    if (!solid) {
      for (int64_t t = 0; t < s.taps; ++t) {
        for (int64_t c = 0; c < s.channels; ++c) joined[t * s.channels + c] = from[t * s.tap_stride + c];
      }
      from = joined;
    }
    Products::PackRun(from, run, to);
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_BF16_TILE_H_
