// AIPP in one pass over the image: crop, colour conversion, bilinear resize, normalisation, padding, and quantization straight into the
// layout that the first layer reads. Floor 4. No picture exists in between, only a few rows of bytes in the scratch memory.
//
// The meaning is that of the operator Aipp (ir/ops/aipp.cc), every tier bit for bit: the picture is integers up to its 256 values per
// channel, and normalisation and quantization of those are tables made at load time.
#ifndef OMKIT_BACKENDS_KERNELS_AIPP_AIPP_H_
#define OMKIT_BACKENDS_KERNELS_AIPP_AIPP_H_

#include <cstdint>
#include <string>

#include "backends/kernels/view.h"
#include "base/aipp_spec.h"
#include "base/cpu.h"

namespace omkit::kernels {

enum class AippOutput : int32_t {
  kFloat = 0,   // float32, normalised
  kU8 = 1,      // uint8, normalised and quantized (QuantizeValue)
  kPixels = 2,  // uint8, as they are
};

// Operands: 0 the images, 1 the parameters when `dynamic` (base/aipp.h), last the output.
struct AippParams {
  View out;  // N, H, W, C
  aipp::Spec spec;
  int32_t reserved = 0;  // no padding, whose bytes would differ from file to file
  int64_t max_src_image_size;
  int32_t dynamic;
  AippOutput output;
  float scale;         // kU8
  int32_t zero_point;  // kU8
  // 1: the byte behind the three channels of each pixel belongs to nobody, so that whole groups of four may be stored.
  int32_t spare_byte;
  int32_t reserved_end = 0;
};

// "aipp.<isa>", or "aipp_dynamic.<isa>" with the operand 1.
std::string AippKernel(Isa isa, bool dynamic);
void RegisterAippKernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_AIPP_AIPP_H_
