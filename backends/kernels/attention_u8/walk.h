// The walk that every tier shares: keys and values of a head are packed once per thread, then its strips of query rows follow. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_ATTENTION_U8_WALK_H_
#define OMKIT_BACKENDS_KERNELS_ATTENTION_U8_WALK_H_

#include "backends/kernels/attention_u8/strip.h"
#include "backends/kernels/matmul_u8/product.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {

void WalkAttentionU8(const KernelArgs& args, const ProductOfTier& product, const SoftmaxOfTier& softmax);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_ATTENTION_U8_WALK_H_
