// Transposition of matrices of plain elements in registers, whole squares at a time. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_TRANSPOSE_H_
#define OMKIT_BACKENDS_KERNELS_TRANSPOSE_H_

#include <cstdint>
#include <cstring>
#include <utility>

#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// An element at any address: buffers of callers need not be aligned.
template <typename T>
struct __attribute__((packed)) Unaligned {
  T value;
};

// The widest register whose rows are transposed, for elements of four bytes and more; bytes and words make squares of 16 bytes.
#if defined(__AVX512F__)
constexpr int kWideRow = 64;
#elif defined(__AVX2__)
constexpr int kWideRow = 32;
#else
constexpr int kWideRow = 16;
#endif

// A square of kSide rows of kBytes bytes.
template <int kSize, int kBytes>
struct Square;
#define OMKIT_SQUARE(type)                                 \
  template <int kBytes>                                    \
  struct Square<sizeof(type), kBytes> {                    \
    typedef type Row __attribute__((vector_size(kBytes))); \
    static constexpr int kSide = kBytes / sizeof(type);    \
  };
OMKIT_SQUARE(uint8_t)
OMKIT_SQUARE(uint16_t)
OMKIT_SQUARE(uint32_t)
OMKIT_SQUARE(uint64_t)
#undef OMKIT_SQUARE

template <typename Row, int kSide, int kShift, int... kAt>
OMKIT_INLINE Row Interleave(Row a, Row b, std::integer_sequence<int, kAt...>) {
  return __builtin_shufflevector(a, b, ((kAt + kShift) / 2 + (kAt % 2) * kSide)...);
}

// One in-register transposition: as many perfect shuffles of the rows as kSide has binary digits.
template <typename T, int kBytes>
OMKIT_INLINE void TransposeSquare(const T* in, T* out, int64_t in_stride, int64_t out_stride) {
  using Row = typename Square<sizeof(T), kBytes>::Row;
  constexpr int kSide = Square<sizeof(T), kBytes>::kSide;
  constexpr auto kSequence = std::make_integer_sequence<int, kSide>();
  Row rows[kSide], next[kSide];
#pragma GCC unroll 16
  for (int i = 0; i < kSide; ++i) std::memcpy(&rows[i], in + i * in_stride, kBytes);
#pragma GCC unroll 4
  for (int digits = kSide; digits > 1; digits /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < kSide / 2; ++i) {
      next[2 * i] = Interleave<Row, kSide, 0>(rows[i], rows[i + kSide / 2], kSequence);
      next[2 * i + 1] = Interleave<Row, kSide, kSide>(rows[i], rows[i + kSide / 2], kSequence);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kSide; ++i) rows[i] = next[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < kSide; ++i) std::memcpy(out + i * out_stride, &rows[i], kBytes);
}

// out[i * out_stride + j] = in[i + j * in_stride] for i below `rows` and j below `columns`.
template <typename T, int kBytes>
void TransposeBlock(const T* in, T* out, int64_t in_stride, int64_t out_stride, int64_t rows, int64_t columns) {
  constexpr int kSide = Square<sizeof(T), kBytes>::kSide;
  const int64_t i_whole = rows - rows % kSide, j_whole = columns - columns % kSide;
  for (int64_t i = 0; i < i_whole; i += kSide) {
    for (int64_t j = 0; j < j_whole; j += kSide) TransposeSquare<T, kBytes>(in + i + j * in_stride, out + i * out_stride + j, in_stride, out_stride);
  }
  const auto rest = [&](int64_t i0, int64_t i1, int64_t j0) {
    if constexpr (kBytes > 16) {
      if (i0 < i1 && j0 < columns)
        TransposeBlock<T, 16>(in + i0 + j0 * in_stride, out + i0 * out_stride + j0, in_stride, out_stride, i1 - i0, columns - j0);
    } else {
      for (int64_t i = i0; i < i1; ++i) {
        for (int64_t j = j0; j < columns; ++j) out[i * out_stride + j] = in[i + j * in_stride];
      }
    }
  };
  rest(0, i_whole, j_whole);
  rest(i_whole, rows, 0);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_TRANSPOSE_H_
