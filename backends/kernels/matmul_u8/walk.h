// The walk that every tier shares: over all batches and blocks of columns (product.h). Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_MATMUL_U8_WALK_H_
#define OMKIT_BACKENDS_KERNELS_MATMUL_U8_WALK_H_

#include "backends/kernels/matmul_u8/product.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {

void WalkMatMulU8(const KernelArgs& args, const ProductOfTier& tier);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_MATMUL_U8_WALK_H_
