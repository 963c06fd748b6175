// All kernels of the INT8 path. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_U8_H_
#define OMKIT_BACKENDS_KERNELS_U8_H_

namespace omkit::kernels {

// Registers every row of conv_u8, dwconv_u8, pool_u8, binary_u8, lut_u8, quantize, copy and fill. May be called again.
void RegisterU8Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_U8_H_
