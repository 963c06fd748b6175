// Checks shared by the INT8 convolution families: what any step must hold so that no kernel leaves its operands. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_VERIFY_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_VERIFY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "backends/kernels/conv_u8/conv_u8.h"
#include "runtime/program.h"

namespace omkit::kernels {

// Everything but the relation of groups and channels and the sizes of packed weights and remainders. Kernels may read the input's channels up
// to `readable_channels` at every tap of every output pixel. `may_write_planes`: see ConvU8WritesPlanes.
absl::Status VerifyConvU8Step(const runtime::Step& step, const ConvU8Params& params, int64_t readable_channels, bool may_write_planes = false);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_VERIFY_H_
