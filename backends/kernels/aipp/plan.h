// What the rows functions of the AIPP kernel need for one image, prepared outside of them (plan.cc). Floor 4, private to the family.
// Plain structs only: tier sources include it.
#ifndef OMKIT_BACKENDS_KERNELS_AIPP_PLAN_H_
#define OMKIT_BACKENDS_KERNELS_AIPP_PLAN_H_

#include <cstdint>

#include "base/aipp_spec.h"

namespace omkit::kernels {

// Resized columns are worked on in blocks of this many; tables have whole blocks, the last column repeated.
constexpr int64_t kAippBlock = 32;

// Columns read by a shuffle of a window of source bytes instead of one by one: for every `per` columns one window.
//   index  for the x-th of them: 16 columns: two lanes of 16 bytes, left taps and right taps, each column's at x % 16, 0x80 elsewhere;
//          32 columns: 64 bytes, left taps and right taps
struct AippWindows {
  int32_t usable = 0;
  int32_t far = 0;                       // some column is in the second half of its window
  const int32_t* luma_base = nullptr;    // byte of the row where the window begins
  const int32_t* chroma_base = nullptr;  // even
  const uint8_t* luma_index = nullptr;
  const uint8_t* chroma_index = nullptr;  // of U; V is one behind
};

struct AippPlan {
  aipp::Spec spec;
  int64_t image_bytes = 0;
  int32_t components = 3;  // fetched and converted: 1 for grey
  int32_t channels = 3;    // of the output
  int32_t yuv = 0;
  int32_t crop_x = 0, crop_y = 0;
  int32_t inner_w = 0, inner_h = 0, pad_left = 0, pad_top = 0, width = 0, height = 0;

  int32_t matrix[9] = {};  // out_i = (sum of matrix_ik * c_k + offset_i) >> 8
  int32_t offset[3] = {};

  // Resize; absolute columns and rows of the source.
  const aipp::Tap* rows = nullptr;
  const int32_t* first = nullptr;  // by column
  const int32_t* next = nullptr;
  const int16_t* weight = nullptr;    // times 16: the second factor of a rounding high multiply
  AippWindows windows16, windows256;  // of 16 bytes for 4 columns, and of 256 bytes for 32

  // Output.
  uint8_t bytes[3][256] = {};
  uint32_t shifted[3][256] = {};  // bytes[c] << 8 * c
  float floats[3][256] = {};
  int32_t as_float = 0;
  int32_t identity = 0;  // the tables of bytes map every value to itself
  uint8_t pad_byte = 0;
  float pad_float = 0;
};

// Where one image lies, and the rows of its output to make.
struct AippRowsArgs {
  const uint8_t* image;
  void* out;  // element of row 0, column 0, channel 0
  int64_t row_stride, pixel_stride, channel_stride;
  int32_t spare_byte;
  int64_t row_begin, row_end;
  uint8_t* scratch;  // AippRowScratch(plan), 64-byte aligned
};

// Elements of a row buffer.
constexpr int64_t AippPitch(int64_t columns) { return (columns + 127) / 64 * 64; }
// Bytes of row buffers for `columns` columns: three components of two taps each, three result rows, three channels of two rows of sums.
constexpr int64_t AippRowScratch(int64_t columns) { return AippPitch(columns) * (3 * 2 + 3 + 3 * 2 * 2); }

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_AIPP_PLAN_H_
