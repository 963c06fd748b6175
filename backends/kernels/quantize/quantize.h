// The border between float and INT8: f32 -> u8 (QuantizeValue) and u8 -> f32 (DequantizeValue) between views of any layout, so
// that a layout change costs no extra pass. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_QUANTIZE_QUANTIZE_H_
#define OMKIT_BACKENDS_KERNELS_QUANTIZE_QUANTIZE_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/cpu.h"

namespace omkit::kernels {

// Operands: 0 input, 1 output. Same dims; views may differ in strides (NCHW float in, NHWC u8 out is the common case and fast).
struct QuantizeParams {
  View in, out;
  float scale;
  int32_t zero_point;
};

// "quantize_u8.<isa>": f32 in, u8 out.
std::string QuantizeKernel(Isa isa);
// "dequantize_u8.<isa>": u8 in, f32 out.
std::string DequantizeKernel(Isa isa);
void RegisterQuantizeKernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_QUANTIZE_QUANTIZE_H_
