// The instruction itself: two bfloat16 times two for each of sixteen sums.
#include "backends/kernels/conv_bf16/tile.h"

namespace omkit::kernels {
namespace {

struct Products {
  static constexpr int kCellsOfPair = 1;

  // `count` values; writes whole vectors, with zeros behind the last value. The conversion puts the first of two values into the low half.
  static void PackRun(const float* from, int64_t count, Cell* to) {
    for (int64_t k = 0; k < count; k += 2 * kWidth, to += kWidth) {
      const int64_t rest = count - k;
      const F32 low = LoadSome(from + k, rest < kWidth ? static_cast<int>(rest) : kWidth);
      const F32 high = rest > kWidth ? LoadSome(from + k + kWidth, rest < 2 * kWidth ? static_cast<int>(rest - kWidth) : kWidth) : Set(0.0f);
      _mm512_storeu_si512(to, _mm512_rol_epi32((__m512i)_mm512_cvtne2ps_pbh(high.v, low.v), 16));
    }
  }

  template <int kPixels, int kPanels>
  OMKIT_INLINE static void Add(const Cell* const (&base)[(kPixels + 2) / 3], const int64_t (&at)[3], const uint32_t* w, int64_t panel,
                               F32 (&acc)[kPixels][kPanels]) {
    __m512bh weight[kPanels];
    Unroll<kPanels>(OMKIT_UNROLLED(j) {
      weight[j.value] = (__m512bh)_mm512_loadu_si512(w + j.value * panel);
      // The next panels come from memory while these are used. Addresses behind the end of the file are no fault for a prefetch.
      __builtin_prefetch(w + (kPanels + j.value) * panel, 0, 2);
    });
    Unroll<kPixels>(OMKIT_UNROLLED(i) {
      const __m512bh value = (__m512bh)_mm512_set1_epi32(static_cast<int>(base[i.value / 3][at[i.value % 3]]));
      Unroll<kPanels>(OMKIT_UNROLLED(j) { acc[i.value][j.value].v = _mm512_dpbf16_ps(acc[i.value][j.value].v, value, weight[j.value]); });
    });
  }
};

constexpr int kTilePixels = 14;

// Tiles of all widths would take more code than they are worth; those of one panel are rare.
OMKIT_INLINE void SumTwoPanels(const TileArgs& d, float* sums) {
  switch (d.pixels) {
    case 1: return SumTile<Products, 1, 2>(d, sums);
    case 2: return SumTile<Products, 2, 2>(d, sums);
    case 3:
    case 4: return SumTile<Products, 4, 2>(d, sums);
    case 5:
    case 6:
    case 7: return SumTile<Products, 7, 2>(d, sums);
    case 8: return SumTile<Products, 8, 2>(d, sums);
    case 9:
    case 10: return SumTile<Products, 10, 2>(d, sums);
    case 11:
    case 12: return SumTile<Products, 12, 2>(d, sums);
    default: return SumTile<Products, kTilePixels, 2>(d, sums);
  }
}
OMKIT_INLINE void SumOnePanel(const TileArgs& d, float* sums) {
  if (d.pixels <= 4) SumTile<Products, 4, 1>(d, sums);
  else if (d.pixels <= 8) SumTile<Products, 8, 1>(d, sums);
  else if (d.pixels <= 10) SumTile<Products, 10, 1>(d, sums);
  else SumTile<Products, kTilePixels, 1>(d, sums);
}

void RunTile(const TileArgs& d) {
  alignas(64) float sums[kTilePixels * 2 * kWidth];
  const int panels = d.lanes > kWidth ? 2 : 1;
  if (panels == 2) SumTwoPanels(d, sums);
  else SumOnePanel(d, sums);
  Finish(d, sums, panels);
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

// Flushed sums of residuals are MXCSR's work here too.
extern const ConvBf16Code kConvBf16;
const ConvBf16Code kConvBf16 = {Products::kCellsOfPair, kTilePixels, 2, true, PackUnits<Products>, RunTile};

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
