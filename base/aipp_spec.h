// AIPP, the image preprocessing in front of a network: its parameters for one image as plain data. Floor 1; kernels compiled for an
// instruction set may include this and not base/aipp.h. Names and numbers are those of CANN's insert_op.proto.
//
// What is done to an image, in this order, each step at most once:
//   swap (rbuv, ax) -> crop -> colour conversion -> resize -> (x - mean - min) * var_reci -> padding -> network
#ifndef OMKIT_BASE_AIPP_SPEC_H_
#define OMKIT_BASE_AIPP_SPEC_H_

#include <cstdint>

namespace omkit::aipp {

enum class Format : int32_t {
  kUndefined = 0,
  kYuv420sp = 1,  // a plane of Y, then rows of U,V pairs, one for each 2x2 pixels (NV12; NV21 with rbuv_swap)
  kXrgb8888 = 2,  // four bytes a pixel: R G B X, or X R G B with ax_swap
  kRgb888 = 3,    // R G B
  kYuv400 = 4,    // Y
  kArgb8888 = 7,  // as kXrgb8888
  kYuyv = 8,      // Y0 U Y1 V for two pixels
  kYuv422sp = 9,  // a plane of Y, then rows of U,V pairs, one for each 2x1 pixels
  kAyuv444 = 10,  // four bytes a pixel: Y U V A, or A Y U V with ax_swap
};

// Sizes in pixels. Switches that are off make the fields behind them meaningless.
struct Spec {
  Format format = Format::kUndefined;
  int32_t src_w = 0, src_h = 0;
  int32_t rbuv_swap = 0;  // R <-> B or U <-> V
  int32_t ax_swap = 0;    // drop the first byte of four instead of the last
  int32_t crop = 0, crop_x = 0, crop_y = 0, crop_w = 0, crop_h = 0;
  int32_t csc = 0;
  int32_t matrix[9] = {};    // rows r0, r1, r2; 8 fractional bits
  int32_t in_bias[3] = {};   // YUV in: subtracted before
  int32_t out_bias[3] = {};  // RGB in: added behind
  int32_t resize = 0, resize_w = 0, resize_h = 0;
  float mean[4] = {}, min[4] = {}, var_reci[4] = {1, 1, 1, 1};  // by channel behind swap and colour conversion
  int32_t padding = 0, pad_left = 0, pad_right = 0, pad_top = 0, pad_bottom = 0;
  float padding_value = 0;  // of the network's input, not normalised
};

// Weights of the resize have 11 fractional bits, its intermediate values 7.
constexpr int32_t kResizeOne = 2048;

// Where one output position of a resized axis reads: `weight` of `next` and kResizeOne - weight of `first`.
struct Tap {
  int32_t first, next;
  int32_t weight;  // below kResizeOne
};

}  // namespace omkit::aipp

#endif  // OMKIT_BASE_AIPP_SPEC_H_
