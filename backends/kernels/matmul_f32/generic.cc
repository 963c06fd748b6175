// Columns of B are packed into panels of the thread's scratch, then every row of A meets them in the tile of the convolutions.
#include "backends/kernels/dot_tile.h"
#include "backends/kernels/matmul_f32/matmul_f32.h"
#include "backends/kernels/pack_panels.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace OMKIT_TIER_NAMESPACE {

void MatMulF32(const KernelArgs& args) {
  MatMulF32Params p;
  LoadParams(args, &p);
  const int rank = p.out.rank;
  const int64_t m = p.out.dims[rank - 2], n = p.out.dims[rank - 1], k = p.a.dims[rank - 1];
  int64_t batches = 1;
  for (int i = 0; i < rank - 2; ++i) batches *= p.out.dims[i];
  if (batches == 0 || m == 0 || n == 0) return;
  constexpr int64_t kColumns = kTilePanels * kWidth;
  const int64_t blocks = (n + kColumns - 1) / kColumns;
  const bool by_block = batches * blocks >= args.threads;
  const Part part = by_block ? SplitWork(batches * blocks, 1, args.thread, args.threads) : Part{0, batches * blocks};
  const Part rows = by_block ? Part{0, m} : SplitWork(m, 1, args.thread, args.threads);
  if (rows.begin >= rows.end) return;
  const int64_t tiles = (rows.end - rows.begin + kTilePixels - 1) / kTilePixels;
  float* packed = static_cast<float*>(args.scratch);
  DotArgs<float> d = {};
  d.pixel_stride = p.a.strides[rank - 2];
  d.taps_y = d.taps_x = 1;
  d.depth = k;
  d.weights = packed;
  d.panel_stride = k * kWidth;
  d.out_stride = p.out.strides[rank - 2];
  d.scale = p.alpha;
  d.act_min = p.act_min;
  d.act_max = p.act_max;
  for (int64_t at = part.begin; at < part.end; ++at) {
    const float* a = static_cast<const float*>(args.operands[0]) + p.a.offset;
    const float* b = static_cast<const float*>(args.operands[1]) + p.b.offset;
    float* out = static_cast<float*>(args.operands[2]) + p.out.offset;
    int64_t rest = at / blocks;
    for (int i = rank - 3; i >= 0; --i) {
      const int64_t index = rest % p.out.dims[i];
      rest /= p.out.dims[i];
      a += index * p.a.strides[i];
      b += index * p.b.strides[i];
      out += index * p.out.strides[i];
    }
    const int64_t column = at % blocks * kColumns;
    const int64_t columns = n - column < kColumns ? n - column : kColumns;
    d.lanes = static_cast<int>(columns);
    PackPanels(b + column * p.b.strides[rank - 1], p.b.strides[rank - 2], p.b.strides[rank - 1], k, columns, packed);
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t begin = rows.begin + (rows.end - rows.begin) * t / tiles, end = rows.begin + (rows.end - rows.begin) * (t + 1) / tiles;
      d.in = a + begin * d.pixel_stride;
      d.out = out + begin * d.out_stride + column;
      RunDotTile(d, static_cast<int>(end - begin), columns > kWidth ? 2 : 1);
    }
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
