// Without VDPBF16PS: packed values are floats whose low halves are 0, and weights become such on their way into the registers.
#include "backends/kernels/conv_bf16/tile.h"

namespace omkit::kernels {
namespace {

#if defined(__AVX2__)
constexpr int kTilePixels = 6;
constexpr bool kUsesMxcsr = true;
#elif defined(__aarch64__)
constexpr int kTilePixels = 4;
constexpr bool kUsesMxcsr = false;
#else
constexpr int kTilePixels = 2;
constexpr bool kUsesMxcsr = false;
#endif

OMKIT_INLINE S32 LoadWords(const uint32_t* from) { return Bits(Load(reinterpret_cast<const float*>(from))); }
OMKIT_INLINE F32 SetCell(const Cell* from) {
  float x;
  __builtin_memcpy(&x, from, sizeof x);
  return Set(x);
}

struct Products {
  static constexpr int kCellsOfPair = 2;

  // `count` values; writes whole vectors, with zeros behind the last value.
  static void PackRun(const float* from, int64_t count, Cell* to) {
    for (int64_t k = 0; k < count; k += kWidth) {
      const F32 x = RoundToBFloat16(LoadSome(from + k, count - k < kWidth ? static_cast<int>(count - k) : kWidth));
      __builtin_memcpy(to + k, &x, sizeof x);
    }
  }

  template <int kPixels, int kPanels>
  OMKIT_INLINE static void Add(const Cell* const (&base)[(kPixels + 2) / 3], const int64_t (&at)[3], const uint32_t* w, int64_t panel,
                               F32 (&acc)[kPixels][kPanels]) {
    Unroll<kPanels>(OMKIT_UNROLLED(j) {
      const F32 first = FromBits(LoadWords(w + j.value * panel) & SetInt(-0x10000));
      Unroll<kPixels>(OMKIT_UNROLLED(i) {
        F32& sum = acc[i.value][j.value];
        sum = AddProduct(SetCell(base[i.value / 3] + at[i.value % 3]), first, sum);
      });
      const F32 second = FromBits(ShiftLeft<16>(LoadWords(w + j.value * panel)));
      Unroll<kPixels>(OMKIT_UNROLLED(i) {
        F32& sum = acc[i.value][j.value];
        sum = AddProduct(SetCell(base[i.value / 3] + at[i.value % 3] + 1), second, sum);
      });
    });
  }
};

void RunTile(const TileArgs& d) {
  alignas(64) float sums[kTilePixels * kWidth];
  if constexpr (kTilePixels == 2) {
    SumTile<Products, 2, 1>(d, sums);
  } else {
    if (d.pixels > 2) SumTile<Products, kTilePixels, 1>(d, sums);
    else SumTile<Products, 2, 1>(d, sums);
  }
  Finish(d, sums, 1);
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

extern const ConvBf16Code kConvBf16;
const ConvBf16Code kConvBf16 = {Products::kCellsOfPair, kTilePixels, 1, kUsesMxcsr, PackUnits<Products>, RunTile};

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
