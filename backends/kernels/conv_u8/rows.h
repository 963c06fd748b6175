// The table of conv_u8's rows, those of tiers that this machine lacks included. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_ROWS_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_ROWS_H_

#include "absl/types/span.h"
#include "runtime/kernel.h"

namespace omkit::kernels {

absl::Span<const runtime::KernelDef> ConvU8Rows();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_ROWS_H_
