// Depthwise convolution on 256-bit registers for the AVX2 and AVX-VNNI tiers: a slot is two vertical taps as 16-bit words (strip.h).
#include "backends/kernels/conv_u8/x86_ymm.h"

#include "backends/kernels/dwconv_u8/strip.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

struct Pairs {
  struct Slots {
    __m256i v[2];
  };
  using Sums = Slots;
  using Column = Slots;
  using Finish = YmmFinish;
  static constexpr int kGroupRows = 2;

  static OMKIT_INLINE Finish MakeFinish(const DwConvU8Params& p) { return MakeYmmFinish(p); }

  static OMKIT_INLINE void Bias(const Strip<Pairs>& s, Sums* acc) {
    acc->v[0] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(s.bias));
    acc->v[1] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(s.bias + 8));
  }

  template <bool kWhole>
  static OMKIT_INLINE __m256i LoadWords(const uint8_t* from, int count) {
    return _mm256_cvtepu8_epi16(kWhole ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)) : LoadBytes(from, count));
  }

  template <bool kWhole>
  static OMKIT_INLINE Column Load(const Strip<Pairs>& s, const uint8_t* from, int pair, int kernel_h) {
    const __m256i a = LoadWords<kWhole>(from + 2 * pair * s.row_step, s.count);
    const __m256i b = 2 * pair + 1 < kernel_h ? LoadWords<kWhole>(from + (2 * pair + 1) * s.row_step, s.count) : _mm256_setzero_si256();
    return {{_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)}};
  }

  static OMKIT_INLINE void MultiplyAdd(const Column& x, const int8_t* w, int /*rows*/, Sums* acc) {
    acc->v[0] = MultiplyAddWords(acc->v[0], x.v[0], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
    acc->v[1] = MultiplyAddWords(acc->v[1], x.v[1], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 32)));
  }

  template <bool kWhole>
  static OMKIT_INLINE void Store(const Strip<Pairs>& s, const Sums& acc, const uint8_t* residual, uint8_t* out) {
    __m256 v[2];
    ScaleYmm(s.finish, acc.v[0], acc.v[1], s.multiplier, residual, s.count, v);
    if (s.to_float) return StoreYmmFloats(s.finish, v, out, s.count);
    const __m256i words = RoundYmm(s.finish, v);
    StoreYmm(s.finish, words, words, out, nullptr, s.count);
  }
};

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void DwConvU8(const KernelArgs& args) { RunStrips<Pairs>(args); }

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
