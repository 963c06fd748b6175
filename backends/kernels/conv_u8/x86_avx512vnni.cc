// Convolution with VPDPBUSD on 512-bit registers: up to 7 pixels by 32 output channels (8 by 16 in a narrow last block) accumulate
// over all taps in registers. Tiles take their pixels from a list of addresses, so no row ends in a smaller tile of its own.
#include "backends/kernels/conv_u8/generic.h"
#include "backends/kernels/conv_u8/tiles.h"
#include "backends/kernels/conv_u8/x86_finish.h"
#include "backends/kernels/conv_u8/x86_table.h"
#include "backends/kernels/conv_u8/x86_tails.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/transpose.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

constexpr int kTile = 7, kHalfTile = 8, kLimitedTile = 2;

// GCC 12 copies accumulators of the intrinsic, which has another vector type, to and fro at each turn of a loop.
OMKIT_INLINE void Dot(__m512i* acc, __m512i x, __m512i w) {
#if defined(__clang__)
  *acc = _mm512_dpbusd_epi32(*acc, x, w);
#else
  asm("vpdpbusd %2, %1, %0" : "+v"(*acc) : "v"(x), "vm"(w));
#endif
}

// Accumulators are reached by constant indices only, never by a loop variable: a loop would make GCC 12 keep them in memory until
// after unrolling and then copy every one twice per step.
template <int kPixel, int kPixels, int kHalves>
OMKIT_INLINE void AccumulatePixels(const uint8_t* const (&p)[kPixels], int64_t k, const __m512i (&weight)[2], __m512i (&acc)[kPixels][kHalves]) {
  const __m512i x = _mm512_set1_epi32(LoadDword(p[kPixel] + k));
  Dot(&acc[kPixel][0], x, weight[0]);
  if constexpr (kHalves == 2) Dot(&acc[kPixel][1], x, weight[1]);
  if constexpr (kPixel + 1 < kPixels) AccumulatePixels<kPixel + 1>(p, k, weight, acc);
}

// Four input channels.
template <int kPixels, int kHalves>
OMKIT_INLINE void AccumulateStep(const uint8_t* const (&p)[kPixels], int64_t k, const int8_t* w, __m512i (&acc)[kPixels][kHalves]) {
  __m512i weight[2];
  weight[0] = _mm512_loadu_si512(w);
  if constexpr (kHalves == 2) weight[1] = _mm512_loadu_si512(w + 64);
  AccumulatePixels<0>(p, k, weight, acc);
}

template <int kPixel, int kPixels, int kHalves>
OMKIT_INLINE void SetPixels(__m512i low, __m512i high, __m512i (&acc)[kPixels][kHalves]) {
  acc[kPixel][0] = low;
  if constexpr (kHalves == 2) acc[kPixel][1] = high;
  if constexpr (kPixel + 1 < kPixels) SetPixels<kPixel + 1>(low, high, acc);
}

template <int kPixel, int kPixels>
OMKIT_INLINE void SetAddresses(const uint8_t* const* in, const uint8_t* (&p)[kPixels]) {
  p[kPixel] = in[kPixel];
  if constexpr (kPixel + 1 < kPixels) SetAddresses<kPixel + 1>(in, p);
}

// Where the gathered bytes of pixels lie, that of the list at `in` first.
template <int kPixel, int kPixels>
OMKIT_INLINE void SetTailAddresses(const Block& b, const uint8_t* const* in, const uint8_t* (&p)[kPixels]) {
  p[kPixel] = b.tails + (in - b.first_in + kPixel) * 4 * b.tail_steps;
  if constexpr (kPixel + 1 < kPixels) SetTailAddresses<kPixel + 1>(b, in, p);
}

template <int kPixels, int kHalves>
OMKIT_INLINE void Accumulate(const Block& b, const uint8_t* const* in, __m512i (&acc)[kPixels][kHalves]) {
  const uint8_t* p[kPixels];
  SetAddresses<0>(in, p);
  SetPixels<0>(_mm512_loadu_si512(b.bias), kHalves == 2 ? _mm512_loadu_si512(b.bias + 16) : _mm512_setzero_si512(), acc);
  const int8_t* w = b.weights;
  if constexpr (kPixels * kHalves <= 4) {
    // Few pixels leave the multiplier waiting for its own result: odd steps go to accumulators of their own.
    __m512i odd[kPixels][kHalves];
    SetPixels<0>(_mm512_setzero_si512(), _mm512_setzero_si512(), odd);
    for (int64_t i = 0; i < b.runs; ++i) {
      for (int64_t j = 0; j < b.inner_runs; ++j) {
        int64_t k = b.in_offset + i * b.run_step + j * b.inner_run_step;
        const int64_t end = k + b.run_bytes;
        for (; k + 8 <= end; k += 8, w += 128 * kHalves) {
          AccumulateStep<kPixels, kHalves>(p, k, w, acc);
          AccumulateStep<kPixels, kHalves>(p, k + 4, w + 64 * kHalves, odd);
        }
        if (k < end) {
          AccumulateStep<kPixels, kHalves>(p, k, w, acc);
          w += 64 * kHalves;
        }
      }
    }
    if (b.tail_steps > 0) SetTailAddresses<0>(b, in, p);
    for (int64_t i = 0; i < b.tail_steps; ++i, w += 64 * kHalves) AccumulateStep<kPixels, kHalves>(p, 4 * i, w, acc);
    for (int i = 0; i < b.remainder_count; ++i)
      AccumulateStep<kPixels, kHalves>(p, b.in_offset + b.remainders[i].begin, b.remainders[i].weights, acc);
    for (int r = 0; r < kPixels; ++r) {
      for (int h = 0; h < kHalves; ++h) acc[r][h] = _mm512_add_epi32(acc[r][h], odd[r][h]);
    }
    return;
  }
  // The next block's weights (behind the last block: the next layer's) come from memory while these are used. Addresses behind the end of
  // the file are no fault for a prefetch.
  const int8_t* next = w + b.steps * 64 * kHalves;
  // Remainders are runs of one step behind all others; a layer has either them or a run of gathered bytes.
  int64_t k = b.in_offset, start = k, row = k, end = k + b.run_bytes, column = b.inner_runs;
  int64_t left = b.runs * b.inner_runs + b.remainder_count + (b.tail_steps > 0);
  for (;;) {
    do {
      _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
      if constexpr (kHalves == 2) _mm_prefetch(reinterpret_cast<const char*>(next + 64), _MM_HINT_T1);
      next += 64 * kHalves;
      AccumulateStep<kPixels, kHalves>(p, k, w, acc);
      w += 64 * kHalves;
      k += 4;
    } while (k != end);
    if (--left == 0) return;
    int64_t bytes = b.run_bytes;
    if (left <= b.remainder_count) {
      const RemainderStep& step = b.remainders[b.remainder_count - left];
      start = b.in_offset + step.begin;
      w = step.weights;
      bytes = 4;
    } else if (left == 1 && b.tail_steps > 0) {
      SetTailAddresses<0>(b, in, p);
      start = 0;
      bytes = 4 * b.tail_steps;
    } else if (--column == 0) {
      column = b.inner_runs;
      row += b.run_step;
      start = row;
    } else {
      start += b.inner_run_step;
    }
    k = start;
    end = start + bytes;
  }
}

template <int kPixels, int kHalves, Mode kMode, bool kWhole>
__attribute__((noinline)) void Tile(const Block& b, const Finish& f, const uint8_t* const* in, uint8_t* const* out, const uint8_t* const* residual) {
  if constexpr (kMode == Mode::kResidual) {
#pragma GCC unroll 8
    for (int r = 0; r < kPixels; ++r) _mm_prefetch(reinterpret_cast<const char*>(residual[r] + b.oc), _MM_HINT_T0);
  }
  __m512i acc[kPixels][kHalves];
  Accumulate<kPixels, kHalves>(b, in, acc);
  __m512 multiplier[kHalves];
  multiplier[0] = _mm512_loadu_ps(b.multiplier);
  if constexpr (kHalves == 2) multiplier[1] = _mm512_loadu_ps(b.multiplier + 16);
  __m512i packed[kPixels];
  FinishPixels<0, kMode>(b, f, acc, multiplier, out, residual, packed);
  if constexpr (kMode == Mode::kFloat) return;
  if constexpr (kHalves == 2) StoreWide<kPixels, kWhole>(b, f, packed, out);
  else StoreHalf<kPixels, kWhole>(b, f, packed, out);
}

typedef void (*TileFunction)(const Block&, const Finish&, const uint8_t* const*, uint8_t* const*, const uint8_t* const*);

template <int kHalves, Mode kMode, bool kWhole>
TileFunction PickTile(int pixels) {
  static constexpr TileFunction kTiles[] = {Tile<1, kHalves, kMode, kWhole>,
                                            Tile<2, kHalves, kMode, kWhole>,
                                            Tile<3, kHalves, kMode, kWhole>,
                                            Tile<4, kHalves, kMode, kWhole>,
                                            Tile<5, kHalves, kMode, kWhole>,
                                            Tile<6, kHalves, kMode, kWhole>,
                                            Tile<7, kHalves, kMode, kWhole>,
                                            Tile < kHalves == 1 ? 8 : 7,
                                            kHalves,
                                            kMode,
                                            kWhole > };
  return kTiles[pixels - 1];
}
template <int kHalves, Mode kMode>
TileFunction PickTile(int pixels, bool whole) {
  return whole ? PickTile<kHalves, kMode, true>(pixels) : PickTile<kHalves, kMode, false>(pixels);
}
template <int kHalves>
TileFunction PickTile(Mode mode, int pixels, bool whole) {
  if (mode == Mode::kFloat) return PickTile<kHalves, Mode::kFloat, false>(pixels);
  if (mode == Mode::kLimited) return pixels == 1 ? Tile<1, kHalves, Mode::kLimited, false> : Tile<kLimitedTile, kHalves, Mode::kLimited, false>;
  return mode == Mode::kResidual ? PickTile<kHalves, Mode::kResidual>(pixels, whole) : PickTile<kHalves, Mode::kPlain>(pixels, whole);
}

// Few steps leave the epilogue most of the work: all pixels of the list pass through one function in tiles of four with the steps
// unrolled, so the products of a tile overlap the epilogue of the tile before. The list is padded to a multiple of four.
constexpr int kShortTile = 4;

template <int kRuns, int kRunSteps, int kTailSteps, int kHalves, bool kWhole, Mode kMode>
__attribute__((noinline)) void ShortTiles(const Block& block, const Finish& finish, const Pixels& pixels, int count) {
  constexpr int kRunsEnd = kRuns * kRunSteps, kSteps = kRunsEnd + kTailSteps;
  const Block b = block;  // local copies cannot be changed by the stores of bytes
  const Finish f = finish;
  __m512 multiplier[kHalves];
  __m512i bias[2] = {_mm512_loadu_si512(b.bias), _mm512_setzero_si512()};
  multiplier[0] = _mm512_loadu_ps(b.multiplier);
  if constexpr (kHalves == 2) {
    multiplier[1] = _mm512_loadu_ps(b.multiplier + 16);
    bias[1] = _mm512_loadu_si512(b.bias + 16);
  }
  __m512i weight[kSteps][kHalves];
#pragma GCC unroll 32
  for (int s = 0; s < kSteps; ++s) {
    weight[s][0] = _mm512_loadu_si512(b.weights + s * 64 * kHalves);
    if constexpr (kHalves == 2) weight[s][1] = _mm512_loadu_si512(b.weights + s * 64 * kHalves + 64);
  }
  for (int i = 0; i < count; i += kShortTile) {
    const uint8_t* p[kShortTile];
    __m512i acc[kShortTile][kHalves];
    SetAddresses<0>(pixels.in + i, p);
#pragma GCC unroll 4
    for (int r = 0; r < kShortTile; ++r) p[r] += b.in_offset;
    [[maybe_unused]] const uint8_t* tail = kTailSteps > 0 ? b.tails + i * kTailSteps * 4 : nullptr;
    SetPixels<0>(bias[0], bias[1], acc);
#pragma GCC unroll 32
    for (int s = 0; s < kSteps; ++s) {
#pragma GCC unroll 4
      for (int r = 0; r < kShortTile; ++r) {
        const uint8_t* at = s < kRunsEnd ? p[r] + s / kRunSteps * b.run_step + s % kRunSteps * 4 : tail + (r * kTailSteps + s - kRunsEnd) * 4;
        const __m512i x = _mm512_set1_epi32(LoadDword(at));
        Dot(&acc[r][0], x, weight[s][0]);
        if constexpr (kHalves == 2) Dot(&acc[r][1], x, weight[s][1]);
      }
    }
    for (int j = 0; j < b.remainder_count; ++j) {
      const int8_t* w = b.remainders[j].weights;
#pragma GCC unroll 4
      for (int r = 0; r < kShortTile; ++r) {
        const __m512i x = _mm512_set1_epi32(LoadDword(p[r] + b.remainders[j].begin));
        Dot(&acc[r][0], x, _mm512_loadu_si512(w));
        if constexpr (kHalves == 2) Dot(&acc[r][1], x, _mm512_loadu_si512(w + 64));
      }
    }
    __m512i packed[kShortTile];
    FinishPixels<0, kMode>(b, f, acc, multiplier, pixels.out + i, pixels.residual + i, packed);
    if constexpr (kHalves == 2) StoreWide<kShortTile, kWhole>(b, f, packed, pixels.out + i);
    else StoreHalf<kShortTile, kWhole>(b, f, packed, pixels.out + i);
  }
}

// The same with any number of steps, in a loop, for layers of few more steps or with a residual: the epilogue of a larger tile would leave no
// room in the core's window for products of the next one.
template <Mode kMode>
__attribute__((noinline)) void LoopTiles(const Block& block, const Finish& finish, const Pixels& pixels, int count) {
  const Block b = block;
  const Finish f = finish;
  const __m512 multiplier[2] = {_mm512_loadu_ps(b.multiplier), _mm512_loadu_ps(b.multiplier + 16)};
  const int64_t ahead = b.steps * 128;
  for (int i = 0; i < count; i += kShortTile) {
    if constexpr (kMode == Mode::kResidual) {
#pragma GCC unroll 4
      for (int r = 0; r < kShortTile; ++r) _mm_prefetch(reinterpret_cast<const char*>(pixels.residual[i + r] + b.oc), _MM_HINT_T0);
    }
    const uint8_t* p[kShortTile];
    __m512i acc[kShortTile][2];
    SetAddresses<0>(pixels.in + i, p);
    SetPixels<0>(_mm512_loadu_si512(b.bias), _mm512_loadu_si512(b.bias + 16), acc);
    const int8_t* w = b.weights;
    int64_t k = b.in_offset;
    const int64_t end = k + b.run_bytes;
    do {
#pragma GCC unroll 4
      for (int s = 0; s < 4; ++s) {
        _mm_prefetch(reinterpret_cast<const char*>(w + ahead + s * 128), _MM_HINT_T1);
        _mm_prefetch(reinterpret_cast<const char*>(w + ahead + s * 128 + 64), _MM_HINT_T1);
        AccumulateStep<kShortTile, 2>(p, k + s * 4, w + s * 128, acc);
      }
      k += 16;
      w += 512;
    } while (k != end);
    __m512i packed[kShortTile];
    FinishPixels<0, kMode>(b, f, acc, multiplier, pixels.out + i, pixels.residual + i, packed);
    StoreWide<kShortTile, true>(b, f, packed, pixels.out + i);
  }
}

typedef void (*ShortFunction)(const Block&, const Finish&, const Pixels&, int);

template <int kRuns, int kRunSteps, Mode kMode = Mode::kPlain, int kTailSteps = 0>
ShortFunction PickShort(bool half, bool whole) {
  if (half) return whole ? ShortTiles<kRuns, kRunSteps, kTailSteps, 1, true, kMode> : ShortTiles<kRuns, kRunSteps, kTailSteps, 1, false, kMode>;
  return whole ? ShortTiles<kRuns, kRunSteps, kTailSteps, 2, true, kMode> : ShortTiles<kRuns, kRunSteps, kTailSteps, 2, false, kMode>;
}

// The function for this block's number of steps, or null.
ShortFunction PickShort(const Block& b, Mode mode, bool half, bool whole, int count) {
  if (b.inner_runs != 1) return nullptr;
  // Three channels under a kernel of 3 x 3.
  if (b.tail_steps == 1 && mode == Mode::kPlain && b.runs == 3 && b.run_bytes == 8) return PickShort<3, 2, Mode::kPlain, 1>(half, whole);
  if (b.tail_steps > 0) return nullptr;
  // The last layer of a bottleneck block adds its residual to the product of 64 channels.
  if (mode == Mode::kResidual && b.runs == 1 && b.run_bytes == 64) return PickShort<1, 16, Mode::kResidual>(half, whole);
  // Of more channels the products outweigh the epilogue, and the larger tile loads less.
  const bool loops = b.runs == 1 && b.remainder_count == 0 && b.run_bytes % 16 == 0 && (count % kShortTile == 0 || count > 64) && !half && whole;
  if (mode == Mode::kResidual && loops && b.run_bytes <= 512) return LoopTiles<Mode::kResidual>;
  if (mode == Mode::kPlain && loops && b.run_bytes >= 64 && b.run_bytes <= 128) return LoopTiles<Mode::kPlain>;
  if (mode != Mode::kPlain) return nullptr;
  if (b.runs == 3 && b.run_bytes == 12) return PickShort<3, 3>(half, whole);
  if (b.runs != 1) return nullptr;
  switch (b.run_bytes) {
    case 16: return PickShort<1, 4>(half, whole);
    case 24: return PickShort<1, 6>(half, whole);
    case 32: return PickShort<1, 8>(half, whole);
    case 48: return PickShort<1, 12>(half, whole);
    case 64: return PickShort<1, 16>(half, whole);
    case 96: return PickShort<1, 24>(half, whole);
    default: return nullptr;
  }
}

void RunBlock(const Block& b, const Finish& f, Mode mode, const Pixels& pixels, int count) {
  const bool half = b.width == kZmmLayout.slots / 2, whole = b.count == b.width;
  if (const ShortFunction run = count >= kShortTile ? PickShort(b, mode, half, whole, count) : nullptr) {
    return run(b, f, pixels, count);
  }
  const int tile = mode == Mode::kLimited ? kLimitedTile : half ? kHalfTile : kTile;
  const auto pick = [&](int n) { return half ? PickTile<1>(mode, n, whole) : PickTile<2>(mode, n, whole); };
  const TileFunction full = pick(tile);
  int i = 0;
  for (; i + tile <= count; i += tile) full(b, f, pixels.in + i, pixels.out + i, pixels.residual + i);
  if (i < count) pick(count - i)(b, f, pixels.in + i, pixels.out + i, pixels.residual + i);
}

// Float results in planes: of a few pixels at a time, rows of channels stay in the first-level cache until they are transposed into the result.
class Planes {
 public:
  explicit Planes(int64_t channel_stride) : channel_stride_(channel_stride) {
    for (int i = 0; i < kFew; ++i) few_.out[i] = reinterpret_cast<uint8_t*>(rows_ + i * kRow);
  }
  void RunBlock(const Block& block, const Finish& f, const Pixels& pixels, int count) {
    Block b = block;
    b.oc = 0;
    b.first_in = few_.in;
    for (int first = 0; first < count; first += kFew) {
      const int n = count - first < kFew ? count - first : kFew;
      b.tails = block.tails + first * 4 * block.tail_steps;
      for (int i = 0; i < n; ++i) few_.in[i] = few_.residual[i] = pixels.in[first + i];
      Word* const to = reinterpret_cast<Word*>(pixels.out[first]) + block.oc * channel_stride_;
      // No prefetcher of a CPU follows this many rows.
      for (int c = 0; c < b.count; ++c) {
        for (int i = 0; i < n; i += 16) __builtin_prefetch(to + c * channel_stride_ + i, 1);
      }
      kernels::RunBlock(b, f, Mode::kFloat, few_, n);
      for (int i = 0; i < n;) {
        int run = 1;
        while (i + run < n && pixels.out[first + i + run] == pixels.out[first + i] + run * sizeof(Word)) ++run;
        TransposeBlock<Word, kWideRow>(reinterpret_cast<const Word*>(rows_ + i * kRow),
                                       reinterpret_cast<Word*>(pixels.out[first + i]) + block.oc * channel_stride_, kRow, channel_stride_, b.count,
                                       run);
        i += run;
      }
    }
  }

 private:
  using Word = Unaligned<uint32_t>;
  static constexpr int kFew = 112, kRow = 32;  // whole tiles, and whole squares

  Pixels few_;
  alignas(64) float rows_[kFew * kRow];
  const int64_t channel_stride_;
};

void Run(const ConvU8Params& p, const KernelArgs& args) {
  const Finish f = {_mm512_set1_epi16(static_cast<int16_t>(p.out_zero)),
                    _mm512_set1_epi8(static_cast<char>(p.clamp_min)),
                    _mm512_set1_epi8(static_cast<char>(p.clamp_max)),
                    p.residual_zero,
                    p.has_residual != 0,
                    p.residual_multiplier,
                    p.act_min,
                    p.act_max};
  const bool limited = static_cast<const BlockConstants*>(args.state)->may_leave_int32 != 0;
  const Mode mode = p.float_output ? Mode::kFloat : limited ? Mode::kLimited : p.has_residual ? Mode::kResidual : Mode::kPlain;
  Tails tails(p);
  const auto gather = [&](const Pixels& pixels, int count) { tails.Gather(pixels, count); };
  if (p.out.strides[3] != 1) {
    Planes planes(p.out.strides[3]);
    const auto run = [&](const Block& b, const Pixels& pixels, int count) { planes.RunBlock(tails.Behind(b, pixels), f, pixels, count); };
    return ForBlocks(p, args, kZmmLayout, kTile, run, NothingMore(), gather);
  }
  const auto run = [&](const Block& b, const Pixels& pixels, int count) { RunBlock(tails.Behind(b, pixels), f, mode, pixels, count); };
  if (!p.has_table) return ForBlocks(p, args, kZmmLayout, kTile, run, NothingMore(), gather);
  LookUpBehind behind(static_cast<const uint8_t*>(args.operands[5 + p.has_residual]));
  ForBlocks(
      p, args, kZmmLayout, kTile, run, [&](const Pixels& pixels, int count, int64_t begin, int64_t end) { behind.Next(pixels, count, begin, end); },
      gather);
  behind.Finish();
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
