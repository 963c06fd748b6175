// Several views of equal dims walked together: dimensions sorted by the last view's stride and merged where all views allow,
// then rows handed out to threads. Used by the elementwise kernels. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_NEST_H_
#define OMKIT_BACKENDS_KERNELS_NEST_H_

#include <cstdint>

#include "backends/kernels/tier.h"
#include "backends/kernels/view.h"

namespace omkit::kernels {
namespace {

template <int kViews>
struct Nest {
  int rank = 0;  // at least 1; dimension rank - 1 is the row
  int64_t dims[kMaxViewRank] = {};
  int64_t strides[kViews][kMaxViewRank] = {};
  int64_t offsets[kViews] = {};
};

OMKIT_INLINE int64_t Magnitude(int64_t v) { return v < 0 ? -v : v; }

template <int kViews>
OMKIT_INLINE void SwapDims(Nest<kViews>* nest, int a, int b) {
  const int64_t n = nest->dims[a];
  nest->dims[a] = nest->dims[b];
  nest->dims[b] = n;
  for (int v = 0; v < kViews; ++v) {
    const int64_t s = nest->strides[v][a];
    nest->strides[v][a] = nest->strides[v][b];
    nest->strides[v][b] = s;
  }
}

// The last view is the output.
template <int kViews>
static Nest<kViews> MakeNest(const View* const (&views)[kViews]) {
  Nest<kViews> nest;
  for (int v = 0; v < kViews; ++v) nest.offsets[v] = views[v]->offset;
  for (int i = 0; i < views[0]->rank; ++i) {
    if (views[0]->dims[i] == 1) continue;
    nest.dims[nest.rank] = views[0]->dims[i];
    for (int v = 0; v < kViews; ++v) nest.strides[v][nest.rank] = views[v]->strides[i];
    ++nest.rank;
  }
  for (int i = 1; i < nest.rank; ++i) {
    for (int j = i; j > 0 && Magnitude(nest.strides[kViews - 1][j]) > Magnitude(nest.strides[kViews - 1][j - 1]); --j) SwapDims(&nest, j, j - 1);
  }
  for (int i = nest.rank - 1; i > 0; --i) {
    bool merges = true;
    for (int v = 0; v < kViews; ++v) merges = merges && nest.strides[v][i - 1] == nest.strides[v][i] * nest.dims[i];
    if (!merges) continue;
    nest.dims[i - 1] *= nest.dims[i];
    for (int v = 0; v < kViews; ++v) nest.strides[v][i - 1] = nest.strides[v][i];
    for (int j = i; j + 1 < nest.rank; ++j) {
      nest.dims[j] = nest.dims[j + 1];
      for (int v = 0; v < kViews; ++v) nest.strides[v][j] = nest.strides[v][j + 1];
    }
    --nest.rank;
  }
  if (nest.rank == 0) {
    nest.rank = 1;
    nest.dims[0] = 1;
    for (int v = 0; v < kViews; ++v) nest.strides[v][0] = 1;
  }
  return nest;
}

// Calls row(offsets, begin, end) for this thread's part: offsets are element offsets of each view at the row's start, and
// [begin, end) the elements of the row to do. Rows are the innermost `inner` dimensions (1 or 2); with 2 the range runs over the
// outer of the two.
template <int kViews, typename Row>
static void ForRows(const Nest<kViews>& nest, int inner, int64_t unit, int thread, int threads, const Row& row) {
  const int outer = nest.rank - inner;
  int64_t rows = 1;
  for (int i = 0; i < nest.rank; ++i) {
    if (nest.dims[i] == 0) return;
  }
  for (int i = 0; i < outer; ++i) rows *= nest.dims[i];
  const bool by_row = rows >= threads;
  const Part part = by_row ? SplitWork(rows, 1, thread, threads) : Part{0, rows};
  const Part range = by_row ? Part{0, nest.dims[outer]} : SplitWork(nest.dims[outer], unit, thread, threads);
  if (part.begin >= part.end || range.begin >= range.end) return;
  int64_t index[kMaxViewRank] = {};
  int64_t offsets[kViews];
  for (int v = 0; v < kViews; ++v) offsets[v] = nest.offsets[v];
  int64_t rest = part.begin;
  for (int i = outer - 1; i >= 0; --i) {
    index[i] = rest % nest.dims[i];
    rest /= nest.dims[i];
    for (int v = 0; v < kViews; ++v) offsets[v] += index[i] * nest.strides[v][i];
  }
  for (int64_t r = part.begin; r < part.end; ++r) {
    row(offsets, range.begin, range.end);
    for (int i = outer - 1; i >= 0; --i) {
      for (int v = 0; v < kViews; ++v) offsets[v] += nest.strides[v][i];
      if (++index[i] < nest.dims[i]) break;
      for (int v = 0; v < kViews; ++v) offsets[v] -= nest.dims[i] * nest.strides[v][i];
      index[i] = 0;
    }
  }
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_NEST_H_
