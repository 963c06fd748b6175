#include "backends/kernels/conv_bf16/plan.h"

#include <algorithm>
#include <cmath>

namespace omkit::kernels {
namespace {

struct Chunk {
  double rows, columns;
};

// A chunk, the pixels more that a tile may read, and the vectors that packing writes behind the last unit.
double Values(const ConvF32Params& p, const Unit& unit, const Chunk& c) {
  const double rows = p.kernel_h == 1 || c.rows == 1 ? c.rows * p.kernel_h : (c.rows - 1) * p.stride_h + (p.kernel_h - 1.0) * p.dilation_h + 1;
  const double columns = unit.joined ? c.columns : (c.columns - 1) * p.stride_w + (p.kernel_w - 1.0) * p.dilation_w + 1;
  return (rows * columns + kSpareTilePixels * (unit.joined ? 1.0 : p.stride_w)) * 2 * static_cast<double>(unit.pairs) + 64;
}

}  // namespace

Unit UnitOf(int64_t channels, int64_t kernel_w) {
  constexpr int64_t kLongest = 64;  // UnitSource
  const bool joined = kernel_w == 1 || (channels % 2 == 1 && channels <= kLongest && channels * kernel_w <= kLongest);
  return {joined, ((joined ? channels * kernel_w : channels) + 1) / 2};
}

ConvBf16Plan PlanConvBf16(const ConvF32Params& p) {
  constexpr double kMost = 128 << 10;         // values
  constexpr double kNarrow = 28, kTile = 14;  // columns
  ConvBf16Plan plan;
  plan.unit = UnitOf(p.in.dims[3] / p.groups, p.kernel_w);
  plan.pixels = p.kernel_h == 1 && p.kernel_w == 1 ? MergedPixels(p) : OutputPixels(p);
  const double height = static_cast<double>(plan.pixels.dims[1]);
  const auto values = [&](const Chunk& c) { return Values(p, plan.unit, c); };
  Chunk chunk = {p.kernel_h == 1 ? 1.0 : std::min(height, 2.0 * p.kernel_h), static_cast<double>(plan.pixels.dims[2])};
  while (chunk.columns > kNarrow && values(chunk) > kMost) chunk.columns = std::ceil(chunk.columns / 2 / kTile) * kTile;
  if (values(chunk) > kMost) chunk.rows = 1;
  if (values(chunk) > kMost) chunk.columns = std::min(chunk.columns, kTile);
  const double row = values({chunk.rows + 1, chunk.columns}) - values(chunk);
  chunk.rows += std::clamp(std::floor((kMost - values(chunk)) / std::max(row, 1.0)), 0.0, height - chunk.rows);
  plan.chunk_rows = static_cast<int64_t>(chunk.rows);
  plan.chunk_columns = static_cast<int64_t>(chunk.columns);
  plan.values = values(chunk);
  return plan;
}

}  // namespace omkit::kernels
