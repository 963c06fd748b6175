// Sixteen pixels of one output channel at a time. Where a pixel has few input channels, each is read once, four channels in a word, for all taps
// that meet it, and sums run over pixels; where it has many, each tap is one long inner product.
#include "backends/kernels/conv_u8/epilogue.h"
#include "backends/kernels/conv_u8/grid.h"
#include "backends/kernels/wide_conv_u8/wide_conv_u8.h"
#if defined(__AVX2__)
#include "backends/kernels/x86.h"
#endif

namespace omkit::kernels {
namespace {

constexpr int64_t kTile = 16;
constexpr int64_t kLongDot = 32;  // input channels from which on inner products are faster
constexpr int64_t kWords = 2048;  // of input under one tile, at most; and of weights

template <typename Value>
OMKIT_INLINE Value At(const void* table, int64_t i) {
  Value value;
  __builtin_memcpy(&value, static_cast<const char*>(table) + i * static_cast<int64_t>(sizeof value), sizeof value);
  return value;
}

OMKIT_INLINE int32_t Dot(const uint8_t* x, const int16_t* w, int64_t count) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<int16_t>(x[i]) * w[i];
  return sum;
}

// One output channel.
struct Channel {
  const int16_t* weights;  // [kernel_h][kernel_w][ic]
  int32_t bias;
  LanesF32 multiplier;
};

void SumByTap(const ConvU8Params& p, const uint8_t* in, int64_t in_step, int64_t ic, const int16_t* w, int64_t pixels, int32_t* acc) {
  for (int32_t ky = 0; ky < p.kernel_h; ++ky) {
    for (int32_t kx = 0; kx < p.kernel_w; ++kx, w += ic) {
      const uint8_t* tap = in + ky * p.dilation_h * p.in.strides[1] + kx * p.dilation_w * p.in.strides[2];
      for (int64_t r = 0; r < pixels; ++r) acc[r] += Dot(tap + r * in_step, w, ic);
    }
  }
}

// Channels [0, count) of a pixel, at most 4; the bytes behind them may be another pixel's, but not the memory's end.
OMKIT_INLINE uint32_t LoadPixel(const uint8_t* from, int64_t count, bool last) {
  uint32_t word = 0;
  if (count >= 4 || !last) {
    __builtin_memcpy(&word, from, 4);
  } else {
    for (int64_t c = 0; c < count; ++c) word |= uint32_t{from[c]} << (8 * c);
  }
  return word;
}

// Sums of kTile pixels. A word holds four channels of a pixel, `even` and `odd` the weights of channels 0 and 2, and 1 and 3: each half of 16 bits.
#if defined(__AVX512BW__)
struct Sums {
  __m512i v;
};
OMKIT_INLINE Sums LoadSums(const int32_t* from) { return {_mm512_loadu_si512(from)}; }
OMKIT_INLINE void StoreSums(int32_t* to, Sums sums) { _mm512_storeu_si512(to, sums.v); }
OMKIT_INLINE Sums AddWords(Sums sums, const uint32_t* words, uint32_t even, uint32_t odd) {
  const __m512i x = _mm512_loadu_si512(words), low = _mm512_set1_epi32(0x00ff00ff);
  const __m512i first = _mm512_madd_epi16(_mm512_and_si512(x, low), _mm512_set1_epi32(static_cast<int32_t>(even)));
  const __m512i second = _mm512_madd_epi16(_mm512_and_si512(_mm512_srli_epi32(x, 8), low), _mm512_set1_epi32(static_cast<int32_t>(odd)));
  return {_mm512_add_epi32(sums.v, _mm512_add_epi32(first, second))};
}
#elif defined(__AVX2__)
struct Sums {
  __m256i v[2];
};
OMKIT_INLINE Sums LoadSums(const int32_t* from) {
  const auto* halves = reinterpret_cast<const __m256i*>(from);
  return {{_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)}};
}
OMKIT_INLINE void StoreSums(int32_t* to, Sums sums) {
  auto* halves = reinterpret_cast<__m256i*>(to);
  _mm256_storeu_si256(halves, sums.v[0]);
  _mm256_storeu_si256(halves + 1, sums.v[1]);
}
OMKIT_INLINE Sums AddWords(Sums sums, const uint32_t* words, uint32_t even, uint32_t odd) {
  const __m256i low = _mm256_set1_epi32(0x00ff00ff);
  for (int i = 0; i < 2; ++i) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words) + i);
    const __m256i first = _mm256_madd_epi16(_mm256_and_si256(x, low), _mm256_set1_epi32(static_cast<int32_t>(even)));
    const __m256i second = _mm256_madd_epi16(_mm256_and_si256(_mm256_srli_epi32(x, 8), low), _mm256_set1_epi32(static_cast<int32_t>(odd)));
    sums.v[i] = _mm256_add_epi32(sums.v[i], _mm256_add_epi32(first, second));
  }
  return sums;
}
#else
struct Sums {
  int32_t v[kTile];
};
OMKIT_INLINE Sums LoadSums(const int32_t* from) {
  Sums sums;
  __builtin_memcpy(sums.v, from, sizeof sums.v);
  return sums;
}
OMKIT_INLINE void StoreSums(int32_t* to, Sums sums) { __builtin_memcpy(to, sums.v, sizeof sums.v); }
OMKIT_INLINE int32_t Half(uint32_t pair, int half) { return static_cast<int16_t>(pair >> (16 * half)); }
OMKIT_INLINE Sums AddWords(Sums sums, const uint32_t* words, uint32_t even, uint32_t odd) {
  for (int64_t r = 0; r < kTile; ++r) {
    const auto channel = [&](int c) { return static_cast<int32_t>(words[r] >> (8 * c) & 255); };
    sums.v[r] += channel(0) * Half(even, 0) + channel(2) * Half(even, 1) + channel(1) * Half(odd, 0) + channel(3) * Half(odd, 1);
  }
  return sums;
}
#endif

struct WordWeights {
  uint32_t even, odd;
};

// [kernel_h][kernel_w][words of ic channels]
void MakeWordWeights(const int16_t* w, int64_t taps, int64_t ic, WordWeights* to) {
  for (int64_t t = 0; t < taps; ++t, w += ic) {
    for (int64_t c = 0; c < ic; c += 4) {
      uint32_t half[4];
      for (int64_t i = 0; i < 4; ++i) half[i] = c + i < ic ? static_cast<uint16_t>(w[c + i]) : 0;
      *to++ = {half[0] | half[2] << 16, half[1] | half[3] << 16};
    }
  }
}

// Words of input under one tile of one row and four channels: columns that are a stride apart follow each other, phase by phase.
OMKIT_INLINE int64_t PhaseWords(const ConvU8Params& p) { return kTile + int64_t{p.kernel_w - 1} * p.dilation_w / p.stride_w + 1; }
OMKIT_INLINE int64_t TileWords(const ConvU8Params& p, int64_t ic) { return PhaseWords(p) * p.stride_w * p.kernel_h * ((ic + 3) / 4); }

void SumByColumn(const ConvU8Params& p, const uint8_t* in, int64_t ic, const WordWeights* w, int64_t pixels, int32_t* acc) {
  const int64_t stride = p.stride_w, groups = (ic + 3) / 4, phase_words = PhaseWords(p), step = p.in.strides[2];
  const int64_t columns = (pixels - 1) * stride + int64_t{p.kernel_w - 1} * p.dilation_w + 1;
  uint32_t word[kWords];
  uint32_t* to = word;
  for (int32_t ky = 0; ky < p.kernel_h; ++ky) {
    for (int64_t g = 0; g < groups; ++g) {
      const uint8_t* row = in + ky * p.dilation_h * p.in.strides[1] + 4 * g;
      const int64_t count = ic - 4 * g;
      for (int64_t phase = 0; phase < stride; ++phase, to += phase_words) {
        // The last column may be the memory's end, and so may the one before it where pixels are closer than three bytes.
        int64_t j = 0;
        for (int64_t x = phase; x < columns - 1; x += stride) to[j++] = LoadPixel(row + x * step, count, step < 3);
        if (phase < columns && (columns - 1 - phase) % stride == 0) to[j++] = LoadPixel(row + (columns - 1) * step, count, true);
        for (; j < phase_words; ++j) to[j] = 0;
      }
    }
  }
  Sums sums = LoadSums(acc);
  for (int32_t ky = 0; ky < p.kernel_h; ++ky) {
    for (int32_t kx = 0; kx < p.kernel_w; ++kx) {
      const int64_t offset = int64_t{kx} * p.dilation_w;
      const uint32_t* from = word + ky * groups * stride * phase_words + offset % stride * phase_words + offset / stride;
      for (int64_t g = 0; g < groups; ++g, ++w, from += stride * phase_words) sums = AddWords(sums, from, w->even, w->odd);
    }
  }
  StoreSums(acc, sums);
}

// Rounds the sums of `pixels` neighbours and writes them to `out`.
void Finish(const ConvU8Params& p, const Channel& channel, const int32_t* acc, int64_t pixels, const uint8_t* residual, int64_t residual_step,
            uint8_t* out, int64_t out_step, const Rounding& rounding) {
  uint8_t beside[kTile] = {};
  if (p.has_residual) {
    for (int64_t r = 0; r < pixels; ++r) beside[r] = residual[r * residual_step];
  }
  float result[kTile];
  FinishLanes(Load<LanesS32>(acc), channel.multiplier, p, rounding, beside, reinterpret_cast<uint8_t*>(result), kTile);
  const int bytes = p.float_output ? 4 : 1;
  for (int64_t r = 0; r < pixels; ++r) {
    if (p.float_output) __builtin_memcpy(out + r * out_step * bytes, reinterpret_cast<uint8_t*>(result) + r * bytes, 4);
    else out[r * out_step] = reinterpret_cast<uint8_t*>(result)[r];
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void WideConvU8(const KernelArgs& args) {
  WideConvU8Params wide;
  LoadParams(args, &wide);
  const ConvU8Params& p = wide.conv;
  const Grid grid = GridOf(p);
  const int out_bytes = p.float_output ? 4 : 1;
  const GridRow origin = {
      static_cast<const uint8_t*>(args.operands[0]) + p.in.offset - p.pad_top * p.in.strides[1] - p.pad_left * p.in.strides[2],
      static_cast<uint8_t*>(args.operands[4]) + p.out.offset * out_bytes,
      p.has_residual ? static_cast<const uint8_t*>(args.operands[6]) + p.residual.offset : static_cast<const uint8_t*>(args.operands[0])};
  const Rounding rounding = MakeRounding(p.out_zero, p.clamp_min, p.clamp_max);
  const int64_t ic = p.in.dims[3] / p.groups, per_group = p.out.dims[3] / p.groups, tiles = (grid.dims[2] + kTile - 1) / kTile;
  const bool by_tap = ic >= kLongDot || TileWords(p, ic) > kWords || int64_t{p.kernel_h} * p.kernel_w * ((ic + 3) / 4) > kWords;
  WordWeights words[kWords];
  const Part part = SplitWork(grid.rows() * tiles, 1, args.thread, args.threads);
  for (int32_t i = 0; i < wide.count; ++i) {
    const int64_t number = At<int32_t>(args.operands[5], i);
    const Channel channel = {static_cast<const int16_t*>(args.operands[1]) + i * ic * p.kernel_h * p.kernel_w, At<int32_t>(args.operands[2], i),
                             Splat(At<float>(args.operands[3], i))};
    if (!by_tap) MakeWordWeights(channel.weights, int64_t{p.kernel_h} * p.kernel_w, ic, words);
    int64_t line = part.begin / tiles, tile = part.begin % tiles;
    GridRow row = RowOf(grid, line, out_bytes, origin);
    for (int64_t at = part.begin; at < part.end; ++at, ++tile) {
      if (tile == tiles) {
        tile = 0;
        row = RowOf(grid, ++line, out_bytes, origin);
      }
      const int64_t x = tile * kTile, left = grid.dims[2] - x, pixels = left < kTile ? left : kTile;
      const uint8_t* in = row.in + x * grid.in_step[2] + number / per_group * ic;
      alignas(64) int32_t acc[kTile];
      for (int64_t r = 0; r < kTile; ++r) acc[r] = channel.bias;
      if (by_tap) SumByTap(p, in, grid.in_step[2], ic, channel.weights, pixels, acc);
      else SumByColumn(p, in, ic, words, pixels, acc);
      Finish(p, channel, acc, pixels, row.residual + x * grid.residual_step[2] + number, grid.residual_step[2],
             row.out + (x * grid.out_step[2] + number) * out_bytes, grid.out_step[2], rounding);
    }
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
