// The x86 intrinsics, for tier sources. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_X86_H_
#define OMKIT_BACKENDS_KERNELS_X86_H_

// GCC 12 reports the deliberately undefined operands of its own intrinsics (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif  // OMKIT_BACKENDS_KERNELS_X86_H_
