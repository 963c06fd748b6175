// Copies walk the output in memory order. Where both sides are contiguous a row is one memcpy; where the input is contiguous along
// another dimension than the output the two are walked in square blocks.
#include <cstring>

#include "backends/kernels/copy/copy.h"
#include "backends/kernels/nest.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/transpose.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kBlock = 32;

template <typename T>
void CopyRow(const T* in, T* out, int64_t in_stride, int64_t out_stride, int64_t count) {
  if (in_stride == 1 && out_stride == 1) {
    std::memcpy(out, in, static_cast<uint64_t>(count) * sizeof(T));
  } else if (in_stride == 0 && out_stride == 1) {
    const T value = *in;
    for (int64_t i = 0; i < count; ++i) out[i] = value;
  } else {
    for (int64_t i = 0; i < count; ++i) out[i * out_stride] = in[i * in_stride];
  }
}

// out[i * out_stride + j] = in[i + j * in_stride]: the input is contiguous along i, the output along j.
template <typename T>
void TransposeRows(const T* in, T* out, int64_t in_stride, int64_t out_stride, int64_t begin, int64_t end, int64_t columns) {
  constexpr int kBytes = sizeof(T) >= 4 ? kWideRow : 16;
  for (int64_t i0 = begin; i0 < end; i0 += kBlock) {
    const int64_t rows = i0 + kBlock < end ? kBlock : end - i0;
    for (int64_t j0 = 0; j0 < columns; j0 += kBlock) {
      const int64_t j1 = j0 + kBlock < columns ? j0 + kBlock : columns;
      // No prefetcher of a CPU follows this many rows.
      for (int64_t i = i0; i < i0 + rows && j1 < columns; ++i) {
        for (int64_t j = 0; j < kBlock; j += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(out + i * out_stride + j1 + j, 1);
      }
      TransposeBlock<T, kBytes>(in + i0 + j0 * in_stride, out + i0 * out_stride + j0, in_stride, out_stride, rows, j1 - j0);
    }
  }
}

template <typename T>
void CopyElements(const CopyParams& p, const KernelArgs& args) {
  const T* in = static_cast<const T*>(args.operands[0]);
  T* out = static_cast<T*>(args.operands[1]);
  const View* const views[2] = {&p.in, &p.out};
  Nest<2> nest = MakeNest<2>(views);
  const int row = nest.rank - 1;
  int other = -1;
  for (int i = 0; i < row; ++i) {
    if (nest.strides[0][i] == 1) other = i;
  }
  if (other >= 0 && nest.strides[1][row] == 1 && nest.strides[0][row] != 1) {
    SwapDims(&nest, other, row - 1);
    ForRows(nest, 2, kBlock, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
      TransposeRows(in + at[0], out + at[1], nest.strides[0][row], nest.strides[1][row - 1], begin, end, nest.dims[row]);
    });
    return;
  }
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    const int64_t in_stride = nest.strides[0][row], out_stride = nest.strides[1][row];
    CopyRow(in + at[0] + begin * in_stride, out + at[1] + begin * out_stride, in_stride, out_stride, end - begin);
  });
}

// `count` elements along the last of the first three dimensions, each with its own inner dimensions.
template <typename T>
void FillRun(const View& view, T* out, int64_t count, T value) {
  if (count <= 0) return;
  int64_t inner = 1;
  bool dense = true;
  for (int i = view.rank - 1; i >= 3; --i) {
    dense = dense && view.strides[i] == inner;
    inner *= view.dims[i];
  }
  if (inner == 0) return;
  const int64_t stride = view.rank > 2 ? view.strides[2] : 1;
  if (dense && (stride == inner || count == 1)) {
    for (int64_t i = 0; i < count * inner; ++i) out[i] = value;
    return;
  }
  int64_t n[3] = {1, 1, 1}, s[3] = {0, 0, 0};
  for (int i = 3; i < view.rank; ++i) n[i - 3] = view.dims[i], s[i - 3] = view.strides[i];
  for (int64_t at = 0; at < count; ++at) {
    for (int64_t a = 0; a < n[0]; ++a) {
      for (int64_t b = 0; b < n[1]; ++b) {
        for (int64_t c = 0; c < n[2]; ++c) out[at * stride + a * s[0] + b * s[1] + c * s[2]] = value;
      }
    }
  }
}

template <typename T>
void FillElements(const FillParams& p, const KernelArgs& args) {
  T value;
  std::memcpy(&value, &p.value, sizeof value);
  T* out = static_cast<T*>(args.operands[0]) + p.out.offset;
  int64_t n[3] = {1, 1, 1}, s[3] = {0, 0, 0};
  for (int i = 0; i < 3 && i < p.out.rank; ++i) n[i] = p.out.dims[i], s[i] = p.out.strides[i];
  if (n[2] == 0 || n[1] == 0) return;
  const Part part = SplitWork(n[0] * n[1], 1, args.thread, args.threads);
  for (int64_t row = part.begin; row < part.end; ++row) {
    const int64_t a = row / n[1], b = row % n[1];
    T* at = out + a * s[0] + b * s[1];
    const bool skips = p.skip_end[0] != 0 && a >= p.skip_begin[0] && a < p.skip_end[0] && b >= p.skip_begin[1] && b < p.skip_end[1];
    if (!skips) {
      FillRun(p.out, at, n[2], value);
      continue;
    }
    FillRun(p.out, at, p.skip_begin[2], value);
    FillRun(p.out, at + p.skip_end[2] * s[2], n[2] - p.skip_end[2], value);
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void Copy(const KernelArgs& args) {
  CopyParams p;
  LoadParams(args, &p);
  switch (p.out.element_size) {
    case 1: return CopyElements<uint8_t>(p, args);
    case 2: return CopyElements<Unaligned<uint16_t>>(p, args);
    case 4: return CopyElements<Unaligned<uint32_t>>(p, args);
    default: return CopyElements<Unaligned<uint64_t>>(p, args);
  }
}

void Fill(const KernelArgs& args) {
  FillParams p;
  LoadParams(args, &p);
  switch (p.out.element_size) {
    case 1: return FillElements<uint8_t>(p, args);
    case 2: return FillElements<Unaligned<uint16_t>>(p, args);
    case 4: return FillElements<Unaligned<uint32_t>>(p, args);
    default: return FillElements<Unaligned<uint64_t>>(p, args);
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
