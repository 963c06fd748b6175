// The function of one element behind a convolution (ConvU8ReadsTable): results are replaced by what a table of 256 bytes says, with VPERMI2B.
// Floor 4. Internal linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_X86_TABLE_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_X86_TABLE_H_

#include "backends/kernels/conv_u8/tiles.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

// table[x]: the table sits in four registers, two permutations cover its halves and bit 7 picks one.
OMKIT_INLINE __m512i LookUp(const __m512i (&t)[4], __m512i x) {
  const __m512i low = _mm512_permutex2var_epi8(t[0], x, t[1]), high = _mm512_permutex2var_epi8(t[2], x, t[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
}
OMKIT_INLINE void LookUpBytes(const __m512i (&t)[4], uint8_t* bytes, int64_t count) {
  int64_t i = 0;
  for (; i + 64 <= count; i += 64) _mm512_storeu_si512(bytes + i, LookUp(t, _mm512_loadu_si512(bytes + i)));
  if (i == count) return;
  const __mmask64 mask = (1ull << (count - i)) - 1;
  _mm512_mask_storeu_epi8(bytes + i, mask, LookUp(t, _mm512_maskz_loadu_epi8(mask, bytes + i)));
}
// 32 bytes of two pixels.
OMKIT_INLINE void LookUpTwo(const __m512i (&t)[4], uint8_t* first, uint8_t* second) {
  __m256i *a = reinterpret_cast<__m256i*>(first), *b = reinterpret_cast<__m256i*>(second);
  const __m512i y = LookUp(t, _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(a)), _mm256_loadu_si256(b), 1));
  _mm256_storeu_si256(a, _mm512_castsi512_si256(y));
  _mm256_storeu_si256(b, _mm512_extracti64x4_epi64(y, 1));
}

// The function behind the layer, one chunk late: stores of the chunk itself are still on their way to the cache, and loads would wait for
// them.
class LookUpBehind {
 public:
  explicit LookUpBehind(const uint8_t* table) {
    for (int i = 0; i < 4; ++i) table_[i] = _mm512_loadu_si512(table + 64 * i);
  }
  void Next(const Pixels& pixels, int count, int64_t begin, int64_t end) {
    Finish();
    count_ = count;
    width_ = end - begin;
    for (int i = 0; i < count; ++i) out_[i] = pixels.out[i] + begin;
  }
  void Finish() {
    for (int i = 0; i < count_;) {
      const int run = RunFrom(i);
      if (run == 1 && width_ % 64 == 32 && i + 1 < count_) {
        LookUpBytes(table_, out_[i], width_ - 32);
        LookUpBytes(table_, out_[i + 1], width_ - 32);
        LookUpTwo(table_, out_[i] + width_ - 32, out_[i + 1] + width_ - 32);
        i += 2;
      } else {
        LookUpBytes(table_, out_[i], run * width_);
        i += run;
      }
    }
  }

 private:
  // Pixels from `first` on that lie side by side: a gap never closes again.
  int RunFrom(int first) const {
    const auto joined = [&](int last) { return out_[last] - out_[first] == (last - first) * width_; };
    if (first + 1 == count_ || !joined(first + 1)) return 1;
    int in = first + 1, behind = count_;
    while (behind - in > 1) {
      const int middle = in + (behind - in) / 2;
      (joined(middle) ? in : behind) = middle;
    }
    return in - first + 1;
  }

  __m512i table_[4];
  uint8_t* out_[kChunk];
  int count_ = 0;
  int64_t width_ = 0;
};

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_X86_TABLE_H_
