// Sixteen resized columns or thirty-two samples at a time in 256-bit registers.
#include "backends/kernels/aipp/stages.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

OMKIT_INLINE __m256i LoadBlock(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
OMKIT_INLINE __m256i LoadBoth(const uint8_t* from) { return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))); }
OMKIT_INLINE void StoreBlock(void* to, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(to), v); }

// A pair of 16-bit factors for _mm256_madd_epi16.
OMKIT_INLINE __m256i Factors(int32_t low, int32_t high) {
  return _mm256_set1_epi32(static_cast<int32_t>((static_cast<uint32_t>(high) << 16) | (static_cast<uint32_t>(low) & 0xffff)));
}

struct Converter {
  __m256i ab[3], c[3], offset[3];

  explicit OMKIT_INLINE Converter(const AippPlan& p) {
    for (int i = 0; i < 3; ++i) {
      ab[i] = Factors(p.matrix[3 * i], p.matrix[3 * i + 1]);
      c[i] = Factors(p.matrix[3 * i + 2], 0);
      offset[i] = _mm256_set1_epi32(p.offset[i]);
    }
  }
  // Eight results of component i from pairs of 16-bit samples (x, y) and (z, 0).
  OMKIT_INLINE __m256i Sum(int i, __m256i xy, __m256i z) const {
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(_mm256_madd_epi16(xy, ab[i]), _mm256_madd_epi16(z, c[i])), offset[i]);
    return _mm256_srai_epi32(sum, 8);
  }
};

// The unpacking and packing instructions work in each half on its own and undo one another.
struct Avx2Stages : PortableStages {
  OMKIT_INLINE static __m256i Columns(const uint8_t* row, const int32_t* base, const uint8_t* index, __m256i step) {
    __m256i all = _mm256_setzero_si256();
    for (int g = 0; g < 4; ++g) {
      all = _mm256_or_si256(all, _mm256_shuffle_epi8(LoadBoth(row + base[g]), _mm256_add_epi8(LoadBlock(index + 32 * g), step)));
    }
    return all;
  }

  OMKIT_INLINE static void StoreTaps(uint8_t* to, int64_t x, __m256i taps) {
    uint8_t* left = to + 2 * (x & ~(kAippBlock - 1)) + (x & (kAippBlock - 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(left), _mm256_castsi256_si128(taps));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(left + kAippBlock), _mm256_extracti128_si256(taps, 1));
  }

  OMKIT_INLINE static void FetchTaps(const AippPlan& p, const AippRow& row, uint8_t* const (&to)[3]) {
    const AippWindows& w = p.windows16;
    if (w.usable == 0) return PortableStages::FetchTaps(p, row, to);
    uint8_t* const u = to[p.spec.rbuv_swap != 0 ? 2 : 1];
    uint8_t* const v = to[p.spec.rbuv_swap != 0 ? 1 : 2];
    const bool chroma = row.second != nullptr;
    for (int64_t x = 0; x < p.inner_w; x += 16) {
      StoreTaps(to[0], x, Columns(row.first, w.luma_base + x / 4, w.luma_index + 8 * x, _mm256_setzero_si256()));
      if (!chroma) continue;
      StoreTaps(u, x, Columns(row.second, w.chroma_base + x / 4, w.chroma_index + 8 * x, _mm256_setzero_si256()));
      StoreTaps(v, x, Columns(row.second, w.chroma_base + x / 4, w.chroma_index + 8 * x, _mm256_set1_epi8(1)));
    }
  }

  OMKIT_INLINE static void FetchRow(const AippPlan& p, const AippRow& row, uint8_t* const (&to)[3]) {
    if (row.second == nullptr) return PortableStages::FetchRow(p, row, to);
    uint8_t* const u = to[p.spec.rbuv_swap != 0 ? 2 : 1];
    uint8_t* const v = to[p.spec.rbuv_swap != 0 ? 1 : 2];
    const uint8_t* luma = row.first + p.crop_x;
    const uint8_t* pairs = row.second + p.crop_x;
    const __m256i twice =
        _mm256_setr_epi8(0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14);
    int64_t x = 0;
    for (; x + 32 <= p.inner_w; x += 32) {
      StoreBlock(to[0] + x, LoadBlock(luma + x));
      const __m256i uv = LoadBlock(pairs + x);
      StoreBlock(u + x, _mm256_shuffle_epi8(uv, twice));
      StoreBlock(v + x, _mm256_shuffle_epi8(uv, _mm256_add_epi8(twice, _mm256_set1_epi8(1))));
    }
    for (; x < p.inner_w; ++x) {
      to[0][x] = luma[x];
      u[x] = pairs[x & ~int64_t{1}];
      v[x] = pairs[x | 1];
    }
  }

  OMKIT_INLINE static void Convert(const AippPlan& p, int64_t count, uint8_t* const (&in)[3]) {
    const Converter convert(p);
    const __m256i zero = _mm256_setzero_si256();
    for (int64_t i = 0; i < count; i += 32) {
      const __m256i x = LoadBlock(in[0] + i), y = LoadBlock(in[1] + i), z = LoadBlock(in[2] + i);
      __m256i words[3][2];
      for (int half = 0; half < 2; ++half) {
        const __m256i xw = half == 0 ? _mm256_unpacklo_epi8(x, zero) : _mm256_unpackhi_epi8(x, zero);
        const __m256i yw = half == 0 ? _mm256_unpacklo_epi8(y, zero) : _mm256_unpackhi_epi8(y, zero);
        const __m256i zw = half == 0 ? _mm256_unpacklo_epi8(z, zero) : _mm256_unpackhi_epi8(z, zero);
        const __m256i xy[2] = {_mm256_unpacklo_epi16(xw, yw), _mm256_unpackhi_epi16(xw, yw)};
        const __m256i z0[2] = {_mm256_unpacklo_epi16(zw, zero), _mm256_unpackhi_epi16(zw, zero)};
        for (int k = 0; k < 3; ++k) words[k][half] = _mm256_packs_epi32(convert.Sum(k, xy[0], z0[0]), convert.Sum(k, xy[1], z0[1]));
      }
      for (int k = 0; k < 3; ++k) StoreBlock(in[k] + i, _mm256_packus_epi16(words[k][0], words[k][1]));
    }
  }

  OMKIT_INLINE static void Along(const AippPlan& p, const uint8_t* taps, int16_t* sums) {
    for (int64_t x = 0; x < p.inner_w; x += 16) {
      const uint8_t* left = taps + 2 * (x & ~(kAippBlock - 1)) + (x & (kAippBlock - 1));
      const __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(left)));
      const __m256i b = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(left + kAippBlock)));
      const __m256i difference = _mm256_slli_epi16(_mm256_sub_epi16(b, a), 7);
      StoreBlock(sums + x, _mm256_add_epi16(_mm256_slli_epi16(a, 7), _mm256_mulhrs_epi16(difference, LoadBlock(p.weight + x))));
    }
  }

  OMKIT_INLINE static __m256i Blend(const int16_t* upper, const int16_t* lower, __m256i weight) {
    const __m256i a = LoadBlock(upper), b = LoadBlock(lower);
    const __m256i sum = _mm256_add_epi16(a, _mm256_mulhrs_epi16(_mm256_sub_epi16(b, a), weight));
    return _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(64)), 7);
  }

  OMKIT_INLINE static void Between(const int16_t* upper, const int16_t* lower, int32_t weight, int64_t count, uint8_t* to) {
    const __m256i w = _mm256_set1_epi16(static_cast<int16_t>(weight));
    for (int64_t i = 0; i < count; i += 32) {
      const __m256i bytes = _mm256_packus_epi16(Blend(upper + i, lower + i, w), Blend(upper + i + 16, lower + i + 16, w));
      StoreBlock(to + i, _mm256_permute4x64_epi64(bytes, 0xd8));
    }
  }
};

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void AippRows(const AippPlan& plan, const AippRowsArgs& args) { Rows<Avx2Stages>(plan, args); }

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
