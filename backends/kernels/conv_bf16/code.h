// What conv_bf16 has for each tier: packing and the inner product, between plain structs. walk.cc drives them. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_BF16_CODE_H_
#define OMKIT_BACKENDS_KERNELS_CONV_BF16_CODE_H_

#include <cstdint>

namespace omkit::kernels {

// Packed values lie in cells of four bytes. Where the CPU has VDPBF16PS a cell holds two bfloat16, the first in the high half; elsewhere one as a
// float, whose low half is 0.
using Cell = uint32_t;

// Units at `stride` with `taps` pieces of `channels` floats each. Pieces that do not follow each other have at most 64 floats together.
struct UnitSource {
  const float* from;
  int64_t stride, taps, tap_stride, channels;
};

constexpr int kSpareTilePixels = 3;

// Strides and steps in cells. Weights are panels [taps_y][taps_x][pairs][16] of two bfloat16.
struct TileArgs {
  const Cell* in;
  int64_t pixel_stride;
  int64_t taps_y, step_y, taps_x, step_x, pairs;
  const uint32_t* weights;
  int64_t panel_stride;
  const float* bias;      // of the first lane
  const float* residual;  // nullptr: none
  int64_t residual_stride;
  float* out;
  int64_t out_stride;
  int pixels;  // at most tile_pixels; of the input kSpareTilePixels more may be read
  int lanes;   // output channels, at most 16 * tile_panels
  float act_min, act_max;
};

struct ConvBf16Code {
  int cells_of_pair;
  int tile_pixels;  // even
  int tile_panels;
  bool uses_mxcsr;  // counts on flushed denormals and round to nearest there
  // Packs `units` units of `pairs` pairs each. Writes up to 16 cells more.
  void (*pack)(const UnitSource& source, int64_t units, int64_t pairs, Cell* to);
  void (*tile)(const TileArgs& args);
};

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_BF16_CODE_H_
