// Convolution on 256-bit registers for the AVX2 and AVX-VNNI tiers: a few pixels by 16 output channels accumulate over all taps in
// registers. AVX-VNNI multiplies bytes; AVX2 splits each dword of four input bytes into its even and odd bytes, which as 16-bit
// words multiply exactly (VPMADDUBSW would saturate).
#include "backends/kernels/conv_u8/x86_ymm.h"

#include "backends/kernels/conv_u8/generic.h"
#include "backends/kernels/conv_u8/tiles.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

#if defined(__AVXVNNI__) || defined(OMKIT_DOT_EVEX)
constexpr int kTile = 6;
constexpr BlockLayout kLayout = kYmmLayout;

OMKIT_INLINE __m256i Dot(__m256i acc, __m256i x, __m256i w) {
#if defined(OMKIT_DOT_EVEX)
  return _mm256_dpbusd_epi32(acc, x, w);
#else
  return _mm256_dpbusd_avx_epi32(acc, x, w);
#endif
}

template <int kPixels>
OMKIT_INLINE void Step(const uint8_t* const (&p)[kPixels], int64_t k, const int8_t* w, __m256i (&acc)[kPixels][2]) {
  const __m256i w0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)), w1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 32));
#pragma GCC unroll 6
  for (int r = 0; r < kPixels; ++r) {
    const __m256i x = _mm256_set1_epi32(LoadDword(p[r] + k));
    acc[r][0] = Dot(acc[r][0], x, w0);
    acc[r][1] = Dot(acc[r][1], x, w1);
  }
}
#else
constexpr int kTile = 4;
constexpr BlockLayout kLayout = kPairLayout;

template <int kPixels>
OMKIT_INLINE void Step(const uint8_t* const (&p)[kPixels], int64_t k, const int8_t* w, __m256i (&acc)[kPixels][2]) {
  const __m256i* weight = reinterpret_cast<const __m256i*>(w);
  const __m256i even0 = _mm256_loadu_si256(weight), even1 = _mm256_loadu_si256(weight + 1);
  const __m256i odd0 = _mm256_loadu_si256(weight + 2), odd1 = _mm256_loadu_si256(weight + 3);
#pragma GCC unroll 4
  for (int r = 0; r < kPixels; ++r) {
    const __m256i x = _mm256_set1_epi32(LoadDword(p[r] + k));
    const __m256i even = _mm256_and_si256(x, _mm256_set1_epi32(0x00ff00ff)), odd = _mm256_srli_epi16(x, 8);
    acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_add_epi32(_mm256_madd_epi16(even, even0), _mm256_madd_epi16(odd, odd0)));
    acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_add_epi32(_mm256_madd_epi16(even, even1), _mm256_madd_epi16(odd, odd1)));
  }
}
#endif

template <int kPixels>
OMKIT_INLINE void Accumulate(const Block& b, const uint8_t* const* in, __m256i (&acc)[kPixels][2]) {
  const uint8_t* p[kPixels];
#pragma GCC unroll 6
  for (int r = 0; r < kPixels; ++r) {
    p[r] = in[r] + b.in_offset;
    acc[r][0] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b.bias));
    acc[r][1] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b.bias + 8));
  }
  const int8_t* w = b.weights;
  for (int64_t i = 0; i < b.runs; ++i) {
    for (int64_t j = 0; j < b.inner_runs; ++j) {
      const int64_t begin = i * b.run_step + j * b.inner_run_step;
      for (int64_t k = begin; k < begin + b.run_bytes; k += 4, w += 16 * kLayout.step_bytes) Step<kPixels>(p, k, w, acc);
    }
  }
  for (int i = 0; i < b.remainder_count; ++i) Step<kPixels>(p, b.remainders[i].begin, b.remainders[i].weights, acc);
}

template <int kPixels>
__attribute__((noinline)) void Tile(const Block& b, const YmmFinish& f, bool to_float, const uint8_t* const* in, uint8_t* const* out,
                                    const uint8_t* const* residual) {
  __m256i acc[kPixels][2];
  Accumulate<kPixels>(b, in, acc);
  __m256i words[kPixels];
#pragma GCC unroll 6
  for (int r = 0; r < kPixels; ++r) {
    __m256 v[2];
    ScaleYmm(f, acc[r][0], acc[r][1], b.multiplier, residual[r] + b.oc, b.count, v);
    if (to_float) StoreYmmFloats(f, v, out[r] + b.oc * 4, b.count);
    else words[r] = RoundYmm(f, v);
  }
  if (to_float) return;
#pragma GCC unroll 3
  for (int r = 0; r < kPixels; r += 2) {
    const bool pair = r + 1 < kPixels;
    StoreYmm(f, words[r], words[pair ? r + 1 : r], out[r] + b.oc, pair ? out[r + 1] + b.oc : nullptr, b.count);
  }
}

typedef void (*TileFunction)(const Block&, const YmmFinish&, bool, const uint8_t* const*, uint8_t* const*, const uint8_t* const*);
constexpr TileFunction kTiles[] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>, Tile < kTile<5 ? 4 : 5>, Tile<kTile>};

void Run(const ConvU8Params& p, const KernelArgs& args) {
  const YmmFinish f = MakeYmmFinish(p);
  ForBlocks(p, args, kLayout, kTile, [&](const Block& b, const Pixels& pixels, int count) {
    for (int i = 0; i < count; i += kTile) {
      const int n = count - i < kTile ? count - i : kTile;
      kTiles[n - 1](b, f, p.float_output != 0, pixels.in + i, pixels.out + i, pixels.residual + i);
    }
  });
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ConvU8(const KernelArgs& args) {
  ConvU8Params p;
  LoadParams(args, &p);
  if (UsesBlocks(p.in.dims[3] / p.groups, p.groups)) Run(p, args);
  else GenericConvU8(p, args);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
