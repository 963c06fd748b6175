// Depthwise convolution with VPDPBUSD: the vertical taps of 64 channels are interleaved into dwords once per input column, and each
// interleaved column feeds every output that needs it. The unpacks and the packs of the epilogue cancel, so no permutation is needed.
#include "backends/kernels/conv_u8/grid.h"
#include "backends/kernels/dwconv_u8/blocks.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

constexpr int kStripRows = 8;

// One block of channels over up to kStripRows output rows.
struct Strip {
  const uint8_t* in[kStripRows];
  uint8_t* out[kStripRows];
  const uint8_t* residual[kStripRows];
  int count;  // rows; the addresses behind them repeat the last row, up to a multiple of 4
  const int8_t* weights;
  const int32_t* bias;
  const float* multiplier;
  int beyond;           // bit v is set when accumulator v has remainders; 0: there are none
  int remainders;       // arrays of remainders behind the weights, 1 for the tiles of Fast
  int64_t array_bytes;  // from one to the next
  __mmask64 mask;       // channels of one row that exist
  int64_t pixels;
  int64_t column_step, row_step;             // bytes between neighbouring taps
  int64_t in_step, out_step, residual_step;  // bytes between neighbouring output pixels
  __m512i zero_point, clamp_min, clamp_max;
  bool has_residual;
  const DwConvU8Params* params;
};

// 64 bytes: the block's channels of each joined row.
template <int kJoined, bool kWhole>
OMKIT_INLINE __m512i Gather(const uint8_t* const* p, int64_t offset, __mmask64 mask) {
  if constexpr (kJoined == 1) {
    return kWhole ? _mm512_loadu_si512(p[0] + offset) : _mm512_maskz_loadu_epi8(mask, p[0] + offset);
  } else if constexpr (kJoined == 2) {
    __m256i row[2];
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      row[i] = kWhole ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p[i] + offset))
                      : _mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), p[i] + offset);
    }
    return _mm512_inserti64x4(_mm512_castsi256_si512(row[0]), row[1], 1);
  } else {
    __m128i row[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      row[i] = kWhole ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[i] + offset))
                      : _mm_maskz_loadu_epi8(static_cast<__mmask16>(mask), p[i] + offset);
    }
    const __m512i low = _mm512_inserti32x4(_mm512_castsi128_si512(row[0]), row[1], 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(row[2]), row[3], 1);
    return _mm512_inserti64x4(low, high, 1);
  }
}

template <int kJoined, bool kWhole>
OMKIT_INLINE void Scatter(const Strip& s, uint8_t* const* out, __m512i bytes) {
  if constexpr (kJoined == 1) {
    if constexpr (kWhole) _mm512_storeu_si512(out[0], bytes);
    else _mm512_mask_storeu_epi8(out[0], s.mask, bytes);
  } else if constexpr (kJoined == 2) {
    const __m256i row[2] = {_mm512_castsi512_si256(bytes), _mm512_extracti64x4_epi64(bytes, 1)};
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) _mm256_mask_storeu_epi8(out[i], static_cast<__mmask32>(s.mask), row[i]);
  } else {
    const __m128i row[4] = {_mm512_castsi512_si128(bytes), _mm512_extracti32x4_epi32(bytes, 1), _mm512_extracti32x4_epi32(bytes, 2),
                            _mm512_extracti32x4_epi32(bytes, 3)};
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) _mm_mask_storeu_epi8(out[i], static_cast<__mmask16>(s.mask), row[i]);
  }
}

struct Slots {
  __m512i v[4];
};

OMKIT_INLINE Slots Interleave(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
  const __m512i cd_low = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
  return {{_mm512_unpacklo_epi16(ab_low, cd_low), _mm512_unpackhi_epi16(ab_low, cd_low), _mm512_unpacklo_epi16(ab_high, cd_high),
           _mm512_unpackhi_epi16(ab_high, cd_high)}};
}

// Where a strip has arrived: the addresses of the joined rows.
template <int kJoined>
struct Cursor {
  const uint8_t* in[kJoined];
  uint8_t* out[kJoined];
  const uint8_t* residual[kJoined];
  OMKIT_INLINE Cursor(const Strip& s, int row) {
    for (int i = 0; i < kJoined; ++i) in[i] = s.in[row + i], out[i] = s.out[row + i], residual[i] = s.residual[row + i];
  }
  OMKIT_INLINE void AdvanceIn(int64_t bytes) {
    for (int i = 0; i < kJoined; ++i) in[i] += bytes;
  }
  OMKIT_INLINE void AdvanceOut(const Strip& s) {
    for (int i = 0; i < kJoined; ++i) out[i] += s.out_step, residual[i] += s.residual_step;
  }
};

// Kernel rows [4 * group, 4 * group + 4) of one input column; rows the kernel does not have are zero.
template <int kJoined, bool kWhole>
OMKIT_INLINE Slots LoadColumn(const Strip& s, const Cursor<kJoined>& at, int64_t offset, int group, int kernel_h) {
  __m512i row[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const int y = group * 4 + i;
    row[i] = y < kernel_h ? Gather<kJoined, kWhole>(at.in, offset + y * s.row_step, s.mask) : _mm512_setzero_si512();
    // Both unpacks of a row would otherwise load it again.
    asm("" : "+v"(row[i]));
  }
  return Interleave(row[0], row[1], row[2], row[3]);
}

OMKIT_INLINE void Bias(const Strip& s, Slots* acc) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) acc->v[v] = _mm512_loadu_si512(s.bias + 16 * v);
}

OMKIT_INLINE Slots LoadWeights(const int8_t* from) {
  return {{_mm512_loadu_si512(from), _mm512_loadu_si512(from + 64), _mm512_loadu_si512(from + 128), _mm512_loadu_si512(from + 192)}};
}

OMKIT_INLINE void MultiplyAdd(const Slots& x, const Slots& weights, Slots* acc) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) acc->v[v] = _mm512_dpbusd_epi32(acc->v[v], x.v[v], weights.v[v]);
}

// Floats in slot order to floats in channel order, row by row.
template <int kJoined>
__attribute__((noinline)) void ScatterFloats(const Strip& s, uint8_t* const* out, const __m512 (&value)[4]) {
  float ordered[4][kDwBlock];
  float slots[kDwBlock];
  for (int v = 0; v < 4; ++v) _mm512_storeu_ps(slots + 16 * v, value[v]);
  for (int slot = 0; slot < kDwBlock; ++slot) {
    const int position = slot % 16 / 4 * 16 + slot / 16 * 4 + slot % 4;
    ordered[position / (kDwBlock / kJoined)][position % (kDwBlock / kJoined)] = slots[slot];
  }
  const int count = __builtin_popcountll(s.mask);
  for (int i = 0; i < kJoined; ++i) __builtin_memcpy(out[i], ordered[i], static_cast<unsigned>(count) * sizeof(float));
}

template <int kJoined, bool kWhole, bool kFloat>
OMKIT_INLINE void Finish(const Strip& s, const Cursor<kJoined>& at, const Slots& acc) {
  __m512 value[4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) value[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc.v[v]), _mm512_loadu_ps(s.multiplier + 16 * v));
  if (__builtin_expect(s.has_residual, 0)) {
    const __m512i zero = _mm512_setzero_si512(), residual_zero = _mm512_set1_epi32(s.params->residual_zero);
    const Slots q = Interleave(Gather<kJoined, false>(at.residual, 0, s.mask), zero, zero, zero);
    for (int v = 0; v < 4; ++v) {
      const __m512 side = _mm512_cvtepi32_ps(_mm512_sub_epi32(q.v[v], residual_zero));
      value[v] = _mm512_add_ps(value[v], _mm512_mul_ps(side, _mm512_set1_ps(s.params->residual_multiplier)));
    }
  }
  if constexpr (kFloat) {
    const __m512 lo = _mm512_set1_ps(s.params->act_min), hi = _mm512_set1_ps(s.params->act_max);
    for (int v = 0; v < 4; ++v) value[v] = _mm512_min_ps(hi, _mm512_max_ps(lo, value[v]));
    ScatterFloats<kJoined>(s, at.out, value);
  } else {
    const __m512i low = _mm512_packs_epi32(RoundBelow(value[0]), RoundBelow(value[1]));
    const __m512i high = _mm512_packs_epi32(RoundBelow(value[2]), RoundBelow(value[3]));
    const __m512i bytes = _mm512_packus_epi16(_mm512_adds_epi16(low, s.zero_point), _mm512_adds_epi16(high, s.zero_point));
    Scatter<kJoined, kWhole>(s, at.out, _mm512_min_epu8(_mm512_max_epu8(bytes, s.clamp_min), s.clamp_max));
  }
}

// Square kernels of a known size, dilation 1 in x, at least kDepth pixels. Output t takes input columns t * kStride ...
// t * kStride + kKernel - 1. kDepth outputs are under way at once, each in its own accumulators: step t starts output t in the
// accumulators kPhase, which step t - 1 has ended, and ends output t - kDepth + 1.
//
// kMore: the block has one array of remainders.
template <int kKernel, int kStride, int kJoined, bool kWhole, bool kMore = false>
struct Fast {
  static constexpr int kGroups = (kKernel + 3) / 4;
  static constexpr int kDepth = (kKernel + kStride - 1) / kStride;
  // Kernel columns whose weights stay in registers: with all of them in memory the loads bound the loop.
  static constexpr int kKept = kKernel == 3 ? 2 : 0;
  // kDepth steps in a row, with the sums where they are. Otherwise sums move down by one at each step, which takes a tenth of the code and is
  // no slower where a step does more.
  static constexpr bool kUnrolled = kKernel == 3 && kStride == 1 && !kMore;
  struct Kept {
    Slots columns[kKept + 1];
  };

  static OMKIT_INLINE void Keep(const Strip& s, Kept* kept) {
#pragma GCC unroll 2
    for (int x = 0; x < kKept; ++x) {
      kept->columns[x] = LoadWeights(s.weights + x * 256);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) asm("" : "+v"(kept->columns[x].v[v]));  // hides that they could be loaded again
    }
  }

  // The products with the remainders, in the vectors that have some.
  template <int kVector, int kPhase>
  static OMKIT_INLINE void AddRemainders(const Strip& s, int c, int g, const Slots& column, Slots (&acc)[kDepth]) {
    if (s.beyond >> kVector & 1) {
#pragma GCC unroll 5
      for (int d = 0; d < kDepth; ++d) {
        const int x = d * kStride + c;
        if (x >= kKernel) break;
        __m512i& sum = acc[(kPhase - d + kDepth) % kDepth].v[kVector];
        sum = _mm512_dpbusd_epi32(sum, column.v[kVector], _mm512_loadu_si512(s.weights + s.array_bytes + (x * kGroups + g) * 256 + kVector * 64));
      }
    }
    if constexpr (kVector < 3) AddRemainders<kVector + 1, kPhase>(s, c, g, column, acc);
  }

  // `columns`: how many of the step's input columns exist.
  template <int kPhase>
  static OMKIT_INLINE void Step(const Strip& s, int columns, Cursor<kJoined>* at, const Kept& kept, Slots (&acc)[kDepth]) {
    Bias(s, &acc[kPhase]);
#pragma GCC unroll 2
    for (int c = 0; c < kStride; ++c) {
      if (c >= columns) break;
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const Slots column = LoadColumn<kJoined, kWhole>(s, *at, c * s.column_step, g, kKernel);
#pragma GCC unroll 5
        for (int d = 0; d < kDepth; ++d) {
          const int x = d * kStride + c;
          if (x >= kKernel) break;
          const Slots& weights = x < kKept ? kept.columns[x] : LoadWeights(s.weights + (x * kGroups + g) * 256);
          MultiplyAdd(column, weights, &acc[(kPhase - d + kDepth) % kDepth]);
        }
        if constexpr (kMore) AddRemainders<0, kPhase>(s, c, g, column, acc);
      }
    }
    at->AdvanceIn(kStride * s.column_step);
  }

  template <int kPhase>
  static OMKIT_INLINE void Begin(const Strip& s, Cursor<kJoined>* at, const Kept& kept, Slots (&acc)[kDepth]) {
    if constexpr (kPhase < kDepth - 1) {
      Step<kPhase>(s, kStride, at, kept, acc);
      Begin<kPhase + 1>(s, at, kept, acc);
    }
  }

  // kDepth steps, the first with kPhase == kDepth - 1.
  template <int kDone>
  static OMKIT_INLINE void Round(const Strip& s, Cursor<kJoined>* at, const Kept& kept, Slots (&acc)[kDepth]) {
    if constexpr (kDone < kDepth) {
      Step<(kDepth - 1 + kDone) % kDepth>(s, kStride, at, kept, acc);
      Finish<kJoined, kWhole, false>(s, *at, acc[kDone]);
      at->AdvanceOut(s);
      Round<kDone + 1>(s, at, kept, acc);
    }
  }

  static void Run(const Strip& strip) {
    const Strip s = strip;  // a local copy cannot be changed by the stores of bytes
    for (int row = 0; row < strip.count; row += kJoined) RunRow(s, Cursor<kJoined>(strip, row));
  }

  static OMKIT_INLINE void RunRow(const Strip& s, Cursor<kJoined> at) {
    Kept kept;
    Keep(s, &kept);
    Slots acc[kDepth];
#pragma GCC unroll 5
    for (int d = 0; d < kDepth; ++d) Bias(s, &acc[d]);
    int64_t t = 0;
    if constexpr (kUnrolled) {
      Begin<0>(s, &at, kept, acc);
      for (t = kDepth - 1; t + kDepth <= s.pixels; t += kDepth) Round<0>(s, &at, kept, acc);
    }
    for (; t < s.pixels + kDepth - 1; ++t) {
      const int64_t left = (s.pixels - 1) * kStride + kKernel - t * kStride;
      Step<kDepth - 1>(s, left < kStride ? static_cast<int>(left) : kStride, &at, kept, acc);
      if (t >= kDepth - 1) {
        Finish<kJoined, kWhole, false>(s, at, acc[0]);
        at.AdvanceOut(s);
      }
#pragma GCC unroll 5
      for (int d = 0; d + 1 < kDepth; ++d) acc[d] = acc[d + 1];
    }
  }
};

// Kernels of any size, stride and dilation, one output pixel at a time.
template <int kJoined, bool kWhole, bool kFloat>
struct General {
  static void Run(const Strip& strip) {
    const Strip s = strip;
    for (int row = 0; row < strip.count; row += kJoined) RunRow(s, Cursor<kJoined>(strip, row));
  }

  static OMKIT_INLINE void RunRow(const Strip& s, Cursor<kJoined> at) {
    const int kernel_h = s.params->kernel_h, kernel_w = s.params->kernel_w;
    for (int64_t pixel = 0; pixel < s.pixels; ++pixel) {
      Slots acc;
      Bias(s, &acc);
      const int8_t* weights = s.weights;
      for (int x = 0; x < kernel_w; ++x) {
        for (int g = 0; g * 4 < kernel_h; ++g, weights += 256) {
          const Slots column = LoadColumn<kJoined, kWhole>(s, at, x * s.column_step, g, kernel_h);
          for (int array = 0; array <= s.remainders; ++array) MultiplyAdd(column, LoadWeights(weights + array * s.array_bytes), &acc);
        }
      }
      Finish<kJoined, kWhole, kFloat>(s, at, acc);
      at.AdvanceIn(s.in_step);
      at.AdvanceOut(s);
    }
  }
};

template <int kJoined, bool kWhole, bool kMore>
void RunSquare(const Strip& s) {
  const bool one = s.params->stride_w == 1;
  if (s.params->kernel_h == 3) one ? Fast<3, 1, kJoined, kWhole, kMore>::Run(s) : Fast<3, 2, kJoined, kWhole, kMore>::Run(s);
  else one ? Fast<5, 1, kJoined, kWhole, kMore>::Run(s) : Fast<5, 2, kJoined, kWhole, kMore>::Run(s);
}

template <int kJoined, bool kWhole>
void RunStrip(const Strip& s) {
  const DwConvU8Params& p = *s.params;
  if (p.float_output) return General<kJoined, false, true>::Run(s);
  const bool square = p.kernel_h == p.kernel_w && (p.kernel_h == 3 || p.kernel_h == 5) && p.stride_w <= 2 && p.dilation_w == 1 && s.pixels >= 5;
  if (!square || s.remainders > 1) return General<kJoined, false, false>::Run(s);
  if (s.remainders == 1) return RunSquare<kJoined, false, true>(s);
  RunSquare<kJoined, kWhole, false>(s);
}

// At most kStripRows rows of the grid, one block of channels.
void RunBlock(const DwConvU8Params& p, const KernelArgs& args, const Grid& grid, const GridRow& origin, int64_t block, const Part& rows) {
  const DwBlockConstants& constants = *static_cast<const DwBlockConstants*>(args.state);
  const int out_bytes = p.float_output ? 4 : 1;
  const int64_t channel = block * kDwBlock, left = p.groups - channel;
  const int64_t groups = (p.kernel_h + 3) / 4;
  const int joined = JoinedRows(p.groups, channel);
  Strip s;
  s.weights = reinterpret_cast<const int8_t*>(constants.weights) + block * p.kernel_w * groups * 256;
  s.bias = constants.bias + channel;
  s.multiplier = constants.multiplier + channel;
  s.beyond = constants.remainders > 0 ? constants.beyond[block] : 0;
  s.remainders = s.beyond != 0 ? constants.remainders : 0;
  s.array_bytes = constants.array_bytes;
  s.mask = left >= 64 ? ~0ull : (1ull << left) - 1;
  s.pixels = grid.dims[2];
  s.column_step = p.in.strides[2] * p.dilation_w;
  s.row_step = p.in.strides[1] * p.dilation_h;
  s.in_step = grid.in_step[2];
  s.out_step = grid.out_step[2] * out_bytes;
  s.residual_step = grid.residual_step[2];
  s.zero_point = _mm512_set1_epi16(static_cast<int16_t>(p.out_zero));
  s.clamp_min = _mm512_set1_epi8(static_cast<char>(p.clamp_min));
  s.clamp_max = _mm512_set1_epi8(static_cast<char>(p.clamp_max));
  s.has_residual = p.has_residual != 0;
  s.params = &p;
  s.count = static_cast<int>(rows.end - rows.begin);
  for (int i = 0; i < kStripRows; ++i) {
    const GridRow row = RowOf(grid, rows.begin + (i < s.count ? i : s.count - 1), out_bytes, origin);
    s.in[i] = row.in + channel;
    s.out[i] = row.out + channel * out_bytes;
    s.residual[i] = row.residual + channel;
  }
  if (joined == 1) left >= kDwBlock ? RunStrip<1, true>(s) : RunStrip<1, false>(s);
  else if (joined == 2) RunStrip<2, false>(s);
  else RunStrip<4, false>(s);
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void DwConvU8(const KernelArgs& args) {
  DwConvU8Params p;
  LoadParams(args, &p);
  // Rows are not merged: neighbouring outputs of one row share input columns.
  const Grid grid = GridOf(p);
  const GridRow origin = OriginOf(p, args);
  const int64_t blocks = (p.groups + kDwBlock - 1) / kDwBlock;
  const bool by_row = grid.rows() >= args.threads;
  const Part rows = by_row ? SplitWork(grid.rows(), 1, args.thread, args.threads) : Part{0, grid.rows()};
  const Part part = by_row ? Part{0, blocks} : SplitWork(blocks, 1, args.thread, args.threads);
  // A few rows of all blocks before the next few, so that input rows are still cached.
  for (int64_t first = rows.begin; first < rows.end; first += kStripRows) {
    const Part few = {first, first + kStripRows < rows.end ? first + kStripRows : rows.end};
    for (int64_t block = part.begin; block < part.end; ++block) RunBlock(p, args, grid, origin, block, few);
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
