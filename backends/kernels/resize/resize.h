// Resize by index tables that the compiler computes, so that every coordinate and rounding mode of ONNX is the same kernel.
// Nearest moves elements of any type; linear interpolates two axes in float, from and to floats or quantized bytes. Layout-agnostic. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_RESIZE_RESIZE_H_
#define OMKIT_BACKENDS_KERNELS_RESIZE_RESIZE_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input, 1 output, then in the weights one int32[out.dims[k]] table per axis k of `axes`, in rising k: the input index of
// each output index. Other axes have equal dims. Elements of 1, 2, 4 or 8 bytes. Tables are checked at load.
struct ResizeNearestParams {
  View in, out;
  uint32_t axes;
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
};

// How the bytes of a uint8 view stand for reals; not looked at for floats.
struct ResizeQuant {
  float scale;
  int32_t zero_point;
};

// Operands: 0 input f32 or u8, 1 output f32 or u8 (by the element size of the view), 2 table of axis_y, 3 table of axis_x, both in the weights. A
// table holds, for an axis of n outputs, int32 low[n], int32 high[n], f32 weight[n]: value = in[low] + weight * (in[high] - in[low]), along x first.
// To interpolate one axis only, give the other the identity (low = high = i, weight 0). axis_y < axis_x; other axes have equal dims. Bytes are read
// as DequantizeValue and written as QuantizeValue of base/quant.h do: the bits of the three separate steps.
struct ResizeLinearParams {
  View in, out;
  int32_t axis_y, axis_x;
  ResizeQuant in_quant, out_quant;
};

// "resize_nearest.<isa>".
std::string ResizeNearestKernel(Isa isa);
// "resize_linear.<isa>".
std::string ResizeLinearKernel(Isa isa);
void RegisterResizeKernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_RESIZE_RESIZE_H_
