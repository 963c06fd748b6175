// Thirty-two resized columns or sixty-four samples at a time; columns come out of a window of 256 source bytes by permutations, and the
// tables of bytes lie in registers.
#include "backends/kernels/aipp/stages.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

OMKIT_INLINE __mmask64 FirstBytes(int64_t count) { return count >= 64 ? ~0ull : count <= 0 ? 0 : (1ull << count) - 1; }

OMKIT_INLINE __m512i Factors(int32_t low, int32_t high) {
  return _mm512_set1_epi32(static_cast<int32_t>((static_cast<uint32_t>(high) << 16) | (static_cast<uint32_t>(low) & 0xffff)));
}

struct Converter {
  __m512i ab[3], c[3], offset[3];

  explicit OMKIT_INLINE Converter(const AippPlan& p) {
    for (int i = 0; i < 3; ++i) {
      ab[i] = Factors(p.matrix[3 * i], p.matrix[3 * i + 1]);
      c[i] = Factors(p.matrix[3 * i + 2], 0);
      offset[i] = _mm512_set1_epi32(p.offset[i]);
    }
  }
  // Sixteen results of component i from pairs of 16-bit samples (x, y) and (z, 0).
  OMKIT_INLINE __m512i Sum(int i, __m512i xy, __m512i z) const {
    return _mm512_srai_epi32(_mm512_dpwssd_epi32(_mm512_dpwssd_epi32(offset[i], xy, ab[i]), z, c[i]), 8);
  }
};

struct Table {
  __m512i part[4];

  explicit OMKIT_INLINE Table(const uint8_t* bytes) {
    for (int i = 0; i < 4; ++i) part[i] = _mm512_loadu_si512(bytes + 64 * i);
  }
  OMKIT_INLINE __m512i operator()(__m512i x) const {
    const __m512i low = _mm512_permutex2var_epi8(part[0], x, part[1]), high = _mm512_permutex2var_epi8(part[2], x, part[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
  }
};

// The unpacking and packing instructions work in each quarter on its own and undo one another.
struct Avx512Stages : PortableStages {
  template <bool kFar>
  struct Window {
    __m512i part[kFar ? 4 : 2];
    OMKIT_INLINE Window(const uint8_t* row, int64_t base, int64_t bytes) {
      for (int i = 0; i < (kFar ? 4 : 2); ++i) part[i] = _mm512_maskz_loadu_epi8(FirstBytes(bytes - base - 64 * i), row + base + 64 * i);
    }
    OMKIT_INLINE __m512i Pick(__m512i index) const {
      const __m512i near = _mm512_permutex2var_epi8(part[0], index, part[1]);
      if constexpr (!kFar) return near;
      else return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), near, _mm512_permutex2var_epi8(part[2], index, part[3]));
    }
  };

  template <bool kFar>
  OMKIT_INLINE static void FetchWindows(const AippPlan& p, const AippRow& row, uint8_t* const (&to)[3]) {
    const AippWindows& w = p.windows256;
    uint8_t* const u = to[p.spec.rbuv_swap != 0 ? 2 : 1];
    uint8_t* const v = to[p.spec.rbuv_swap != 0 ? 1 : 2];
    const bool chroma = row.second != nullptr;
    const int64_t bytes = p.spec.src_w;
    for (int64_t block = 0; block * kAippBlock < p.inner_w; ++block) {
      const int64_t at = 64 * block;
      const Window<kFar> luma(row.first, w.luma_base[block], bytes);
      _mm512_storeu_si512(to[0] + at, luma.Pick(_mm512_loadu_si512(w.luma_index + at)));
      if (!chroma) continue;
      const Window<kFar> pairs(row.second, w.chroma_base[block], bytes);
      const __m512i index = _mm512_loadu_si512(w.chroma_index + at);
      _mm512_storeu_si512(u + at, pairs.Pick(index));
      _mm512_storeu_si512(v + at, pairs.Pick(_mm512_add_epi8(index, _mm512_set1_epi8(1))));
    }
  }

  OMKIT_INLINE static void FetchTaps(const AippPlan& p, const AippRow& row, uint8_t* const (&to)[3]) {
    if (p.windows256.usable == 0) PortableStages::FetchTaps(p, row, to);
    else if (p.windows256.far != 0) FetchWindows<true>(p, row, to);
    else FetchWindows<false>(p, row, to);
  }

  OMKIT_INLINE static void FetchRow(const AippPlan& p, const AippRow& row, uint8_t* const (&to)[3]) {
    if (row.second == nullptr) return PortableStages::FetchRow(p, row, to);
    uint8_t* const u = to[p.spec.rbuv_swap != 0 ? 2 : 1];
    uint8_t* const v = to[p.spec.rbuv_swap != 0 ? 1 : 2];
    const __m512i twice = _mm512_set4_epi32(0x0e0e0c0c, 0x0a0a0808, 0x06060404, 0x02020000);
    for (int64_t x = 0; x < p.inner_w; x += 64) {
      // The last pair of an odd number of columns is whole in the source.
      const __mmask64 mask = FirstBytes(p.inner_w - x), pairs = FirstBytes((p.inner_w - x + 1) & ~int64_t{1});
      _mm512_storeu_si512(to[0] + x, _mm512_maskz_loadu_epi8(mask, row.first + p.crop_x + x));
      const __m512i uv = _mm512_maskz_loadu_epi8(pairs, row.second + p.crop_x + x);
      _mm512_storeu_si512(u + x, _mm512_shuffle_epi8(uv, twice));
      _mm512_storeu_si512(v + x, _mm512_shuffle_epi8(uv, _mm512_add_epi8(twice, _mm512_set1_epi8(1))));
    }
  }

  OMKIT_INLINE static void Convert(const AippPlan& p, int64_t count, uint8_t* const (&in)[3]) {
    const Converter convert(p);
    const __m512i zero = _mm512_setzero_si512();
    for (int64_t i = 0; i < count; i += 64) {
      const __m512i x = _mm512_loadu_si512(in[0] + i), y = _mm512_loadu_si512(in[1] + i), z = _mm512_loadu_si512(in[2] + i);
      __m512i words[3][2];
      for (int half = 0; half < 2; ++half) {
        const __m512i xw = half == 0 ? _mm512_unpacklo_epi8(x, zero) : _mm512_unpackhi_epi8(x, zero);
        const __m512i yw = half == 0 ? _mm512_unpacklo_epi8(y, zero) : _mm512_unpackhi_epi8(y, zero);
        const __m512i zw = half == 0 ? _mm512_unpacklo_epi8(z, zero) : _mm512_unpackhi_epi8(z, zero);
        const __m512i xy[2] = {_mm512_unpacklo_epi16(xw, yw), _mm512_unpackhi_epi16(xw, yw)};
        const __m512i z0[2] = {_mm512_unpacklo_epi16(zw, zero), _mm512_unpackhi_epi16(zw, zero)};
        for (int k = 0; k < 3; ++k) words[k][half] = _mm512_packs_epi32(convert.Sum(k, xy[0], z0[0]), convert.Sum(k, xy[1], z0[1]));
      }
      for (int k = 0; k < 3; ++k) _mm512_storeu_si512(in[k] + i, _mm512_packus_epi16(words[k][0], words[k][1]));
    }
  }

  OMKIT_INLINE static void Along(const AippPlan& p, const uint8_t* taps, int16_t* sums) {
    for (int64_t x = 0; x < p.inner_w; x += kAippBlock) {
      const __m512i a = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(taps + 2 * x)));
      const __m512i b = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(taps + 2 * x + kAippBlock)));
      const __m512i difference = _mm512_slli_epi16(_mm512_sub_epi16(b, a), 7);
      const __m512i weight = _mm512_loadu_si512(p.weight + x);
      _mm512_storeu_si512(sums + x, _mm512_add_epi16(_mm512_slli_epi16(a, 7), _mm512_mulhrs_epi16(difference, weight)));
    }
  }

  OMKIT_INLINE static void Between(const int16_t* upper, const int16_t* lower, int32_t weight, int64_t count, uint8_t* to) {
    const __m512i w = _mm512_set1_epi16(static_cast<int16_t>(weight));
    for (int64_t i = 0; i < count; i += 32) {
      const __m512i a = _mm512_loadu_si512(upper + i), b = _mm512_loadu_si512(lower + i);
      const __m512i sum = _mm512_add_epi16(a, _mm512_mulhrs_epi16(_mm512_sub_epi16(b, a), w));
      const __m512i words = _mm512_srli_epi16(_mm512_add_epi16(sum, _mm512_set1_epi16(64)), 7);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), _mm512_cvtepi16_epi8(words));
    }
  }

  // Sixteen pixels of four bytes each, the fourth zero.
  OMKIT_INLINE static __m512i Pixels(const uint8_t* a, const uint8_t* b, const uint8_t* c) {
    const auto widen = [](const uint8_t* from) { return _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(from))); };
    return _mm512_or_si512(widen(a), _mm512_or_si512(_mm512_slli_epi32(widen(b), 8), _mm512_slli_epi32(widen(c), 16)));
  }

  OMKIT_INLINE static void StoreBytes(const AippPlan& p, const uint8_t* const (&from)[3], int64_t count, int64_t stride, bool spare, uint8_t* to) {
    if (stride > 4) return PortableStages::StoreBytes(p, from, count, stride, spare, to);
    const Table tables[3] = {Table(p.bytes[0]), Table(p.bytes[1]), Table(p.bytes[2])};
    // Bytes 0, 1, 2 of each group of four, close together.
    const __m512i close =
        _mm512_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 62, 61, 60, 58, 57, 56, 54, 53, 52, 50, 49, 48, 46, 45, 44, 42, 41, 40, 38,
                        37, 36, 34, 33, 32, 30, 29, 28, 26, 25, 24, 22, 21, 20, 18, 17, 16, 14, 13, 12, 10, 9, 8, 6, 5, 4, 2, 1, 0);
    const __mmask64 kept = stride == 3 ? (1ull << 48) - 1 : spare ? ~0ull : 0x7777777777777777ull;
    alignas(64) uint8_t mapped[3][64];
    for (int64_t x = 0; x < count; x += 64) {
      for (int c = 0; c < 3; ++c) {
        const __m512i v = _mm512_loadu_si512(from[c] + x);
        _mm512_store_si512(mapped[c], p.identity != 0 ? v : tables[c](v));
      }
      for (int64_t i = 0; i < 64 && x + i < count; i += 16) {
        const __m512i pixels = Pixels(mapped[0] + i, mapped[1] + i, mapped[2] + i);
        const __mmask64 mask = kept & FirstBytes((count - x - i) * stride);
        _mm512_mask_storeu_epi8(to + (x + i) * stride, mask, stride == 3 ? _mm512_permutexvar_epi8(close, pixels) : pixels);
      }
    }
  }
};

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void AippRows(const AippPlan& plan, const AippRowsArgs& args) { Rows<Avx512Stages>(plan, args); }

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
