// The checks that conv_f32 and dwconv_f32 share. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_F32_VERIFY_H_
#define OMKIT_BACKENDS_KERNELS_CONV_F32_VERIFY_H_

#include "absl/status/status.h"
#include "runtime/program.h"

namespace omkit::kernels {

// KernelDef::verify of a step with ConvF32Params. `depthwise`: groups, input channels and output channels must be equal and the
// weights are [kernel_h][kernel_w][channels], otherwise they are the panels of PackConvF32Weights.
absl::Status VerifyConvF32(const runtime::Step& step, bool depthwise);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_F32_VERIFY_H_
