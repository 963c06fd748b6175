// The x86 intrinsics, and what they lack, for tier sources. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_X86_H_
#define OMKIT_BACKENDS_KERNELS_X86_H_

#include "backends/kernels/tier.h"

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

namespace omkit::kernels {
namespace {

// Nearest integers, ties to even, for saturating packs to follow: floats of 2^31 and more, which the conversion alone would turn into the
// smallest integer, stay large.
#if defined(__AVX512F__)
OMKIT_INLINE __m512i RoundBelow(__m512 v) { return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(65536.0f), v)); }
#endif
#if defined(__AVX2__)
OMKIT_INLINE __m256i RoundBelow(__m256 v) { return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_set1_ps(65536.0f), v)); }
#endif

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_X86_H_
