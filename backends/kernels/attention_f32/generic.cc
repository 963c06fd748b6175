// Keys and values of a head are packed once per thread; then each strip of query rows goes through both products and the softmax between.
#include "backends/kernels/attention_f32/attention_f32.h"
#include "backends/kernels/attention_f32/scratch.h"
#include "backends/kernels/dot_tile.h"
#include "backends/kernels/math_f32.h"
#include "backends/kernels/pack_panels.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// out[rows][columns] = scale * in[rows][depth] times packed panels.
void Product(const float* in, int64_t in_stride, int64_t rows, int64_t depth, const float* packed, int64_t columns, float scale, float* out,
             int64_t out_stride) {
  DotArgs<float> d = {};
  d.pixel_stride = in_stride;
  d.taps_y = d.taps_x = 1;
  d.depth = depth;
  d.panel_stride = depth * kWidth;
  d.out_stride = out_stride;
  d.scale = scale;
  d.act_min = -kInfinity;
  d.act_max = kInfinity;
  constexpr int64_t kColumns = kTilePanels * kWidth;
  for (int64_t column = 0; column < columns; column += kColumns) {
    const int64_t left = columns - column < kColumns ? columns - column : kColumns;
    d.lanes = static_cast<int>(left);
    d.weights = packed + column * depth;
    for (int64_t row = 0; row < rows; row += kTilePixels) {
      d.in = in + row * in_stride;
      d.out = out + row * out_stride + column;
      RunDotTile(d, static_cast<int>(rows - row < kTilePixels ? rows - row : kTilePixels), left > kWidth ? 2 : 1);
    }
  }
}

// `mask` is the row's in bytes or floats, by `p.masking`.
OMKIT_INLINE void MaskRow(const AttentionF32Params& p, const void* mask, int64_t at, int64_t keys, float* scores) {
  const int64_t stride = p.mask.strides[3];
  if (p.masking == AttentionMask::kAdded) {
    const float* added = static_cast<const float*>(mask) + at;
    for (int64_t j = 0; j < keys; j += kWidth) {
      const int lanes = keys - j < kWidth ? static_cast<int>(keys - j) : kWidth;
      StoreSome(scores + j, LoadSome(scores + j, lanes) + LoadStrided(added + j * stride, stride, lanes), lanes);
    }
  } else if (p.masking == AttentionMask::kVisible) {
    const uint8_t* visible = static_cast<const uint8_t*>(mask) + at;
    for (int64_t j = 0; j < keys; ++j) scores[j] = visible[j * stride] != 0 ? scores[j] : -kInfinity;
  }
}

bool SeesNothing(const float* scores, int64_t keys) {
  for (int64_t j = 0; j < keys; ++j) {
    if (scores[j] != -kInfinity) return false;
  }
  return true;
}

// Softmax of `kLines` lines of `width` floats in place, in the order of softmax_f32's sums: no line waits for its own.
template <int kLines>
__attribute__((noinline)) void Softmax(float* lines, int64_t width) {
  F32 top[kLines], sum[kLines];
  for (int r = 0; r < kLines; ++r) {
    top[r] = Set(-kInfinity);
    sum[r] = Set(0.0f);
  }
  for (int64_t i = 0; i < width; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) top[r] = Max(Load(lines + r * width + i), top[r]);
  }
  for (int r = 0; r < kLines; ++r) top[r] = Set(FoldMax(top[r]));
  for (int64_t i = 0; i < width; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      float* at = lines + r * width + i;
      const F32 e = ExpNonPositive(Load(at) - top[r]);
      sum[r] = sum[r] + e;
      Store(at, e);
    }
  }
  for (int r = 0; r < kLines; ++r) sum[r] = Set(1.0f) / Set(FoldSum(sum[r]));
  for (int64_t i = 0; i < width; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) Store(lines + r * width + i, Load(lines + r * width + i) * sum[r]);
  }
}

// The scores of `rows` rows become weights, in place. Lines are filled up to `width` with what weighs nothing, so that vectors are whole.
void Weigh(float* scores, int64_t width, int64_t rows, int64_t keys, const bool* blind) {
  constexpr int kTogether = kTilePixels > 2 ? 4 : 1;  // the portable tier of x86-64 waits for the C library's fmaf anyway
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = keys; j < width; ++j) scores[r * width + j] = -kInfinity;
  }
  int64_t done = 0;
  for (; done + kTogether <= rows; done += kTogether) Softmax<kTogether>(scores + done * width, width);
  for (; done < rows; ++done) Softmax<1>(scores + done * width, width);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; blind[r] && j < keys; ++j) scores[r * width + j] = 0.0f;
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void AttentionF32(const KernelArgs& args) {
  AttentionF32Params p;
  LoadParams(args, &p);
  const AttentionScratch sizes(p);
  const int64_t heads = p.q.dims[1], rows = p.q.dims[2], keys = p.k.dims[2], size = p.q.dims[3], values = p.v.dims[3];
  const int64_t group = heads / p.k.dims[1], strips = (rows + kStripRows - 1) / kStripRows;
  float* packed_keys = static_cast<float*>(args.scratch);
  float* packed_values = packed_keys + sizes.keys;
  float* scores = packed_values + sizes.values;
  const Part part = SplitWork(p.q.dims[0] * heads * strips, 1, args.thread, args.threads);
  int64_t packed = -1;  // batch * kv heads + kv head
  for (int64_t at = part.begin; at < part.end; ++at) {
    const int64_t batch = at / strips / heads, head = at / strips % heads, first = at % strips * kStripRows;
    const int64_t count = rows - first < kStripRows ? rows - first : kStripRows;
    if (packed != batch * p.k.dims[1] + head / group) {
      packed = batch * p.k.dims[1] + head / group;
      const float* k = static_cast<const float*>(args.operands[1]) + p.k.offset + batch * p.k.strides[0] + head / group * p.k.strides[1];
      const float* v = static_cast<const float*>(args.operands[2]) + p.v.offset + batch * p.v.strides[0] + head / group * p.v.strides[1];
      PackPanels(k, p.k.strides[3], p.k.strides[2], size, keys, packed_keys);
      PackPanels(v, p.v.strides[2], p.v.strides[3], keys, values, packed_values);
    }
    const float* q =
        static_cast<const float*>(args.operands[0]) + p.q.offset + batch * p.q.strides[0] + head * p.q.strides[1] + first * p.q.strides[2];
    Product(q, p.q.strides[2], count, size, packed_keys, keys, p.scale, scores, sizes.width);
    bool blind[kStripRows] = {};
    for (int64_t r = 0; r < count && (p.causal || p.masking != AttentionMask::kNone); ++r) {
      float* row = scores + r * sizes.width;
      if (p.masking != AttentionMask::kNone) {
        const int64_t mask_at = p.mask.offset + batch * p.mask.strides[0] + head * p.mask.strides[1] + (first + r) * p.mask.strides[2];
        MaskRow(p, args.operands[4], mask_at, keys, row);
      }
      for (int64_t j = first + r + 1; p.causal && j < keys; ++j) row[j] = -kInfinity;
      blind[r] = SeesNothing(row, keys);
    }
    Weigh(scores, sizes.width, count, keys, blind);
    float* out = static_cast<float*>(args.operands[3]) + p.out.offset + batch * p.out.strides[0] + head * p.out.strides[1] + first * p.out.strides[2];
    Product(scores, sizes.width, count, keys, packed_values, values, 1.0f, out, p.out.strides[2]);
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
