// The table of dwconv_u8's rows, those of tiers that this machine lacks included. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_DWCONV_U8_ROWS_H_
#define OMKIT_BACKENDS_KERNELS_DWCONV_U8_ROWS_H_

#include "absl/types/span.h"
#include "runtime/kernel.h"

namespace omkit::kernels {

absl::Span<const runtime::KernelDef> DwConvU8Rows();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_DWCONV_U8_ROWS_H_
