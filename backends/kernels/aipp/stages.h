// The stages of one output row, and their order. Floor 4, for tier sources; internal linkage only.
//
// A row is worked on component by component in buffers that stay in the first-level cache. A tier that has a better way of doing a stage
// derives from PortableStages and hides it.
#ifndef OMKIT_BACKENDS_KERNELS_AIPP_STAGES_H_
#define OMKIT_BACKENDS_KERNELS_AIPP_STAGES_H_

#include "backends/kernels/aipp/plan.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

using aipp::Format;

struct AippRow {
  const uint8_t* first;   // the row's bytes; the plane of Y for planar formats
  const uint8_t* second;  // the row of U,V pairs of planar formats
};

OMKIT_INLINE AippRow SourceRow(const AippPlan& p, const uint8_t* image, int64_t y) {
  const int64_t w = p.spec.src_w;
  const uint8_t* chroma = image + w * p.spec.src_h;
  switch (p.spec.format) {
    case Format::kYuv420sp: return {image + y * w, chroma + y / 2 * w};
    case Format::kYuv422sp: return {image + y * w, chroma + y * w};
    case Format::kYuv400: return {image + y * w, nullptr};
    case Format::kYuyv: return {image + 2 * y * w, nullptr};
    case Format::kRgb888: return {image + 3 * y * w, nullptr};
    default: return {image + 4 * y * w, nullptr};
  }
}

struct PortableStages {
  // to[c][i] = component c of the pixel in column(i), for i in [0, count).
  template <typename Column>
  OMKIT_INLINE static void Gather(const AippPlan& p, const AippRow& row, int64_t count, const Column& column, uint8_t* const (&to)[3]) {
    // The components that change places change their buffers instead.
    const bool swap = p.spec.rbuv_swap != 0;
    uint8_t* const a = p.yuv || !swap ? to[0] : to[2];
    uint8_t* const b = p.yuv && swap ? to[2] : to[1];
    uint8_t* const c = !swap ? to[2] : p.yuv ? to[1] : to[0];
    switch (p.spec.format) {
      case Format::kYuv420sp:
      case Format::kYuv422sp:
        for (int64_t i = 0; i < count; ++i) {
          const int64_t x = column(i);
          const uint8_t* pair = row.second + (x & ~int64_t{1});
          a[i] = row.first[x];
          b[i] = pair[0];
          c[i] = pair[1];
        }
        return;
      case Format::kYuv400:
        for (int64_t i = 0; i < count; ++i) to[0][i] = row.first[column(i)];
        return;
      case Format::kYuyv:
        for (int64_t i = 0; i < count; ++i) {
          const int64_t x = column(i);
          const uint8_t* two = row.first + 2 * (x & ~int64_t{1});
          a[i] = two[2 * (x & 1)];
          b[i] = two[1];
          c[i] = two[3];
        }
        return;
      default: {
        const int64_t bytes = p.spec.format == Format::kRgb888 ? 3 : 4;
        const uint8_t* from = row.first + (bytes == 4 && p.spec.ax_swap != 0 ? 1 : 0);
        for (int64_t i = 0; i < count; ++i) {
          const uint8_t* pixel = from + bytes * column(i);
          a[i] = pixel[0];
          b[i] = pixel[1];
          c[i] = pixel[2];
        }
      }
    }
  }

  // The columns of a row that is not resized.
  OMKIT_INLINE static void FetchRow(const AippPlan& p, const AippRow& row, uint8_t* const (&to)[3]) {
    const int64_t begin = p.crop_x;
    Gather(
        p, row, p.inner_w, [begin](int64_t i) { return begin + i; }, to);
  }

  // Blocks of 32 left and 32 right neighbours.
  OMKIT_INLINE static void FetchTaps(const AippPlan& p, const AippRow& row, uint8_t* const (&to)[3]) {
    for (int64_t x = 0; x < p.inner_w; x += kAippBlock) {
      uint8_t* const left[3] = {to[0] + 2 * x, to[1] + 2 * x, to[2] + 2 * x};
      uint8_t* const right[3] = {left[0] + kAippBlock, left[1] + kAippBlock, left[2] + kAippBlock};
      const int32_t* first = p.first + x;
      const int32_t* next = p.next + x;
      Gather(
          p, row, kAippBlock, [first](int64_t i) { return int64_t{first[i]}; }, left);
      Gather(
          p, row, kAippBlock, [next](int64_t i) { return int64_t{next[i]}; }, right);
    }
  }

  // Whole groups of 64 samples, in place.
  OMKIT_INLINE static void Convert(const AippPlan& p, int64_t count, uint8_t* const (&in)[3]) {
    uint8_t* const __restrict a = in[0];
    uint8_t* const __restrict b = in[1];
    uint8_t* const __restrict c = in[2];
    // Copies: for all the compiler knows, bytes that are stored could be the plan's.
    int32_t m[9];
    for (int i = 0; i < 9; ++i) m[i] = p.matrix[i];
    const int32_t k0 = p.offset[0], k1 = p.offset[1], k2 = p.offset[2];
    const auto clamp = [](int32_t v) { return static_cast<uint8_t>(v < 0 ? 0 : v > 255 ? 255 : v); };
    for (int64_t i = 0; i < count; ++i) {
      const int32_t x = a[i], y = b[i], z = c[i];
      a[i] = clamp((m[0] * x + m[1] * y + m[2] * z + k0) >> 8);
      b[i] = clamp((m[3] * x + m[4] * y + m[5] * z + k1) >> 8);
      c[i] = clamp((m[6] * x + m[7] * y + m[8] * z + k2) >> 8);
    }
  }

  // Blocks of taps to values with 7 fractional bits.
  OMKIT_INLINE static void Along(const AippPlan& p, const uint8_t* __restrict taps, int16_t* __restrict sums) {
    const int16_t* __restrict weight = p.weight;
    const int64_t columns = p.inner_w;
    for (int64_t x = 0; x < columns; x += kAippBlock) {
      for (int64_t i = 0; i < kAippBlock; ++i) {
        const int32_t a = taps[2 * x + i] << 7, b = taps[2 * x + kAippBlock + i] << 7;
        sums[x + i] = static_cast<int16_t>(a + (((b - a) * weight[x + i] + (1 << 14)) >> 15));
      }
    }
  }

  // Whole groups of 32.
  OMKIT_INLINE static void Between(const int16_t* __restrict upper, const int16_t* __restrict lower, int32_t weight, int64_t count,
                                   uint8_t* __restrict to) {
    for (int64_t i = 0; i < count; ++i) {
      const int32_t a = upper[i], b = lower[i];
      to[i] = static_cast<uint8_t>((a + (((b - a) * weight + (1 << 14)) >> 15) + 64) >> 7);
    }
  }

  // Three channels of `count` pixels through the tables of bytes, channels contiguous.
  OMKIT_INLINE static void StoreBytes(const AippPlan& p, const uint8_t* const (&from)[3], int64_t count, int64_t stride, bool spare, uint8_t* to) {
    int64_t x = 0;
    // A group of four reaches into the next pixel, which is written after it, or into the spare byte.
    const int64_t groups = stride == 4 && spare ? count : stride == 3 ? count - 1 : 0;
    for (; x < groups; ++x) {
      const uint32_t pixel = p.shifted[0][from[0][x]] | p.shifted[1][from[1][x]] | p.shifted[2][from[2][x]];
      __builtin_memcpy(to + x * stride, &pixel, 4);
    }
    for (; x < count; ++x) {
      for (int c = 0; c < 3; ++c) to[x * stride + c] = p.bytes[c][from[c][x]];
    }
  }
};

template <typename T>
OMKIT_INLINE void FillPixels(const AippRowsArgs& args, T value, int64_t channels, int64_t begin, int64_t end, T* row) {
  for (int64_t x = begin; x < end; ++x) {
    for (int64_t c = 0; c < channels; ++c) row[x * args.pixel_stride + c * args.channel_stride] = value;
  }
}

template <typename T>
OMKIT_INLINE void MapPixels(const AippRowsArgs& args, const T (&table)[3][256], const uint8_t* const (&from)[3], int64_t channels, int64_t count,
                            T* to) {
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t x = 0; x < count; ++x) to[x * args.pixel_stride + c * args.channel_stride] = table[c][from[c][x]];
  }
}

// One row of the output.
template <typename Stages, typename T>
OMKIT_INLINE void StoreRow(const AippPlan& p, const AippRowsArgs& args, int64_t y, const uint8_t* const (&from)[3], T padding,
                           const T (&table)[3][256]) {
  T* row = static_cast<T*>(args.out) + y * args.row_stride;
  if (y < p.pad_top || y >= p.pad_top + p.inner_h) return FillPixels(args, padding, p.channels, 0, p.width, row);
  T* inner = row + p.pad_left * args.pixel_stride;
  FillPixels(args, padding, p.channels, 0, p.pad_left, row);
  if constexpr (sizeof(T) == 1) {
    if (p.channels == 3 && args.channel_stride == 1 && args.pixel_stride >= 3) {
      Stages::StoreBytes(p, from, p.inner_w, args.pixel_stride, args.spare_byte != 0, inner);
    } else {
      MapPixels(args, table, from, p.channels, p.inner_w, inner);
    }
  } else {
    MapPixels(args, table, from, p.channels, p.inner_w, inner);
  }
  FillPixels(args, padding, p.channels, p.pad_left + p.inner_w, p.width, row);
}

// The sums of a source row; two rows are kept.
struct Sums {
  int16_t* values[2][3];
  int64_t row[2];
  int oldest;
};

template <typename Stages>
OMKIT_INLINE int SumsOf(const AippPlan& p, const AippRowsArgs& args, int64_t y, uint8_t* const (&taps)[3], Sums* sums) {
  for (int i = 0; i < 2; ++i) {
    if (sums->row[i] == y) {
      sums->oldest = 1 - i;
      return i;
    }
  }
  const int i = sums->oldest;
  sums->oldest = 1 - i;
  sums->row[i] = y;
  Stages::FetchTaps(p, SourceRow(p, args.image, y), taps);
  if (p.spec.csc != 0) Stages::Convert(p, (p.inner_w + kAippBlock - 1) / kAippBlock * kAippBlock * 2, taps);
  for (int c = 0; c < p.components; ++c) Stages::Along(p, taps[c], sums->values[i][c]);
  return i;
}

template <typename Stages>
OMKIT_INLINE void Rows(const AippPlan& p, const AippRowsArgs& args) {
  const int64_t pitch = AippPitch(p.inner_w);
  uint8_t* const taps[3] = {args.scratch, args.scratch + 2 * pitch, args.scratch + 4 * pitch};
  uint8_t* const made[3] = {args.scratch + 6 * pitch, args.scratch + 7 * pitch, args.scratch + 8 * pitch};
  int16_t* words = reinterpret_cast<int16_t*>(args.scratch + 9 * pitch);
  Sums sums = {{{words, words + pitch, words + 2 * pitch}, {words + 3 * pitch, words + 4 * pitch, words + 5 * pitch}}, {-1, -1}, 0};
  for (int64_t y = args.row_begin; y < args.row_end; ++y) {
    const int64_t inner = y - p.pad_top;
    if (inner >= 0 && inner < p.inner_h && p.spec.resize == 0) {
      Stages::FetchRow(p, SourceRow(p, args.image, p.crop_y + inner), made);
      if (p.spec.csc != 0) Stages::Convert(p, (p.inner_w + 63) / 64 * 64, made);
    } else if (inner >= 0 && inner < p.inner_h) {
      const aipp::Tap& tap = p.rows[inner];
      const int upper = SumsOf<Stages>(p, args, tap.first, taps, &sums);
      const int lower = SumsOf<Stages>(p, args, tap.next, taps, &sums);
      for (int c = 0; c < p.components; ++c) {
        Stages::Between(sums.values[upper][c], sums.values[lower][c], tap.weight * 16, (p.inner_w + 31) / 32 * 32, made[c]);
      }
    }
    const uint8_t* const from[3] = {made[0], made[1], made[2]};
    if (p.as_float != 0) StoreRow<Stages>(p, args, y, from, p.pad_float, p.floats);
    else StoreRow<Stages>(p, args, y, from, p.pad_byte, p.bytes);
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_AIPP_STAGES_H_
