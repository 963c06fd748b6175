// The checks that conv_f32, dwconv_f32 and conv_bf16 share. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_F32_VERIFY_H_
#define OMKIT_BACKENDS_KERNELS_CONV_F32_VERIFY_H_

#include "absl/status/status.h"
#include "runtime/program.h"

namespace omkit::kernels {

// What ConvF32Params may stand for: kFloat has the panels of PackConvF32Weights, kInt8Weights those of PackConvF32W8Weights and a table of
// scales, kDepthwise weights [kernel_h][kernel_w][channels], with as many groups as input and output channels, kBFloat16 panels whose size
// conv_bf16 checks itself.
enum class ConvF32Form { kFloat, kInt8Weights, kDepthwise, kBFloat16 };

// KernelDef::verify of a step with ConvF32Params.
absl::Status VerifyConvF32(const runtime::Step& step, ConvF32Form form);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_F32_VERIFY_H_
