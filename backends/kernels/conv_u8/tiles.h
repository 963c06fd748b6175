// The walk of the convolution kernels with blocks: output pixels are listed by address, chunk by chunk, and every block of output channels
// passes over the chunk in tiles of a few pixels. Floor 4. Internal linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_TILES_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_TILES_H_

#include "backends/kernels/conv_u8/blocks.h"
#include "backends/kernels/conv_u8/grid.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

constexpr int kChunk = kMostChunkPixels;

// Addresses of up to kChunk pixels: first tap, output, residual. The last pixel is repeated up to kListPadding times, for tiles that
// always take whole multiples.
constexpr int kListPadding = 3;
struct Pixels {
  const uint8_t* in[kChunk + kListPadding];
  uint8_t* out[kChunk + kListPadding];
  const uint8_t* residual[kChunk + kListPadding];
};

// Everything about a block of output channels that does not depend on the pixel.
struct Block {
  const int8_t* weights;
  const int32_t* bias;
  const float* multiplier;
  int64_t runs, inner_runs;          // contiguous runs of input bytes: [runs][inner_runs]
  int64_t run_step, inner_run_step;  // bytes between them
  int64_t run_bytes;                 // multiple of 4
  int64_t steps;                     // runs * inner_runs * run_bytes / 4 + tail_steps
  int64_t tail_steps;                // behind all runs, from bytes that are gathered: ConvU8Params::gathers_tails
  const uint8_t* tails;              // 4 * tail_steps bytes of every pixel of the list that begins at first_in
  const uint8_t* const* first_in;
  int64_t in_offset;                 // first input channel of the group
  int64_t oc;                        // first output channel of the block
  int count;                         // output channels that exist
  int width;                         // slots
  int remainder_count;               // steps to add once more
  const RemainderStep* remainders;
};

// Fills the list with pixels [begin, end) of the grid.
[[maybe_unused]] static void ListPixels(const Grid& g, const GridRow& origin, int out_bytes, int64_t begin, int64_t end, Pixels* pixels) {
  int64_t row = begin / g.dims[2], x = begin % g.dims[2];
  const int64_t in_step = g.in_step[2], out_step = g.out_step[2] * out_bytes, residual_step = g.residual_step[2];
  for (int64_t i = 0; i < end - begin; x = 0, ++row) {
    const GridRow at = RowOf(g, row, out_bytes, origin);
    const int64_t left = end - begin - i, count = g.dims[2] - x < left ? g.dims[2] - x : left;
    for (int64_t j = 0; j < count; ++j) pixels->in[i + j] = at.in + (x + j) * in_step;
    for (int64_t j = 0; j < count; ++j) pixels->out[i + j] = at.out + (x + j) * out_step;
    for (int64_t j = 0; j < count; ++j) pixels->residual[i + j] = at.residual + (x + j) * residual_step;
    i += count;
  }
  for (int64_t i = end - begin; i < end - begin + kListPadding; ++i) {
    pixels->in[i] = pixels->in[i - 1];
    pixels->out[i] = pixels->out[i - 1];
    pixels->residual[i] = pixels->residual[i - 1];
  }
}

struct Split {
  Part pixels;
  Part blocks;
};
// By pixels or by blocks, whichever leaves the busiest thread less to do. Threads that write channels of the same pixels write the same cache
// lines, and the next layer finds half of what it reads in another core's cache: pixels may leave up to a twentieth more to do.
[[maybe_unused]] static Split SplitTiles(int64_t pixels, int64_t blocks, int tile, int thread, int threads) {
  const int64_t tiles = (pixels + tile - 1) / tile;
  const int64_t by_pixel = (tiles + threads - 1) / threads * blocks, by_block = (blocks + threads - 1) / threads * tiles;
  if (20 * by_pixel <= 21 * by_block) return {SplitWork(pixels, tile, thread, threads), {0, blocks}};
  return {{0, pixels}, SplitWork(blocks, 1, thread, threads)};
}

// Pixels per chunk, a multiple of every tile: input and output of a chunk stay in the second-level cache while all blocks pass over it.
[[maybe_unused]] static int64_t ChunkPixels(const ConvU8Params& p) {
  if (p.chunk_pixels > 0) return p.chunk_pixels;
  const int64_t in_bytes = p.in.dims[3] * p.stride_h * p.stride_w, out_bytes = p.out.dims[3] * (p.float_output ? 4 : 1);
  const int64_t by_in = 98304 / in_bytes, by_out = 65536 / out_bytes;
  const int64_t pixels = (by_in < by_out ? by_in : by_out) / 56 * 56;
  return pixels < 56 ? 56 : pixels > kChunk ? kChunk : pixels;
}

struct NothingMore {
  void operator()(const Pixels&, int, int64_t, int64_t) const {}
};

struct NothingBefore {
  void operator()(const Pixels&, int) const {}
};

// Calls begin(pixels, count) for each chunk of this thread's part of the convolution, run(block, pixels, count) for all its blocks, and
// done(pixels, count, first channel, last channel) when all its channels [first, last) of these pixels are written.
template <typename RunBlock, typename Done = NothingMore, typename Begin = NothingBefore>
static void ForBlocks(const ConvU8Params& p, const KernelArgs& args, const BlockLayout& layout, int tile, const RunBlock& run,
                      const Done& done = Done(), const Begin& begin = Begin()) {
  const Grid grid = MakeGrid(p);
  const GridRow origin = OriginOf(p, args);
  const int out_bytes = p.float_output ? 4 : 1;
  const int64_t in_channels = p.in.dims[3] / p.groups, out_channels = p.out.dims[3] / p.groups;
  const Blocks blocks = BlocksOf(out_channels, layout);
  const int64_t taps = static_cast<int64_t>(p.kernel_h) * p.kernel_w, tail_steps = p.gathers_tails ? (p.kernel_h + 3) / 4 : 0;
  const int64_t tap_bytes = (in_channels + (p.gathers_tails ? 0 : 3)) / 4 * 4, steps = taps * tap_bytes / 4 + tail_steps;
  const int64_t slot_bytes = p.gathers_tails ? steps * layout.step_bytes : blocks.SlotBytes(taps, in_channels);
  const BlockConstants& constants = *static_cast<const BlockConstants*>(args.state);
  const int64_t tap_step = p.in.strides[2] * p.dilation_w;
  // The taps of one kernel row are one contiguous run, and so are their weights.
  const bool joined = tap_step == tap_bytes && tap_bytes % layout.step_channels == 0;
  const Split split = SplitTiles(grid.rows() * grid.dims[2], p.groups * blocks.count, tile, args.thread, args.threads);
  const int64_t chunk = ChunkPixels(p);
  Pixels list;
  for (int64_t first = split.pixels.begin; first < split.pixels.end; first += chunk) {
    const int64_t last = first + chunk < split.pixels.end ? first + chunk : split.pixels.end;
    ListPixels(grid, origin, out_bytes, first, last, &list);
    begin(list, static_cast<int>(last - first));
    int64_t end_channel = 0;
    for (int64_t i = split.blocks.begin; i < split.blocks.end; ++i) {
      const int64_t group = i / blocks.count, block = i % blocks.count;
      const int64_t slot = group * blocks.slots() + block * layout.slots, left = out_channels - block * layout.slots;
      Block b;
      b.bias = constants.bias + slot;
      b.multiplier = constants.multiplier + slot;
      b.runs = p.kernel_h;
      b.inner_runs = joined ? 1 : p.kernel_w;
      b.run_step = p.in.strides[1] * p.dilation_h;
      b.inner_run_step = tap_step;
      b.run_bytes = tap_bytes * (joined ? p.kernel_w : 1);
      b.steps = steps;
      b.tail_steps = tail_steps;
      b.in_offset = group * in_channels;
      b.oc = group * out_channels + block * layout.slots;
      b.width = blocks.width(block);
      b.weights = static_cast<const int8_t*>(args.operands[1]) + slot * slot_bytes + b.width * layout.term_bytes;
      b.count = static_cast<int>(left < b.width ? left : b.width);
      const int32_t* first_remainder = constants.first_remainder;
      b.remainder_count = first_remainder ? first_remainder[i + 1] - first_remainder[i] : 0;
      b.remainders = first_remainder ? constants.remainders + first_remainder[i] : nullptr;
      run(b, list, static_cast<int>(last - first));
      end_channel = b.oc + b.count;
    }
    const int64_t first_channel = split.blocks.begin / blocks.count * out_channels + split.blocks.begin % blocks.count * layout.slots;
    if (end_channel > 0) done(list, static_cast<int>(last - first), first_channel, end_channel);
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_TILES_H_
