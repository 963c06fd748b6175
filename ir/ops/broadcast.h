// Walking several tensors of different shapes in step: numpy broadcasting, transposes, slices and reductions are all strides,
// zero where a dimension repeats. Floor 2.
#ifndef OMKIT_IR_OPS_BROADCAST_H_
#define OMKIT_IR_OPS_BROADCAST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/shape.h"

namespace omkit::ir {

// Element strides of `shape` seen as `out`: 0 along dimensions that repeat. `shape` must broadcast to `out`.
std::vector<int64_t> BroadcastStrides(const Shape& shape, const Shape& out);

// True when `shape` broadcasts to exactly `target` (unidirectional broadcasting); unknown dims pass.
bool BroadcastsTo(const Shape& shape, const Shape& target);

// Visits the elements of `dims` in row-major order, one innermost row at a time:
//   row(offsets, steps, count): element k of the row lies at offsets[t] + k * steps[t] in tensor t.
// A rank-0 shape is one row of one element.
template <size_t kTensors, typename Row>
void ForEachRow(absl::Span<const int64_t> dims, const std::array<std::vector<int64_t>, kTensors>& strides, Row&& row) {
  const int rank = static_cast<int>(dims.size());
  std::array<int64_t, kTensors> offsets{};
  std::array<int64_t, kTensors> steps{};
  for (int64_t d : dims) {
    if (d == 0) return;
  }
  if (rank == 0) {
    row(offsets, steps, int64_t{1});
    return;
  }
  for (size_t t = 0; t < kTensors; ++t) steps[t] = strides[t][rank - 1];
  std::vector<int64_t> index(rank, 0);
  while (true) {
    row(offsets, steps, dims[rank - 1]);
    int d = rank - 2;
    for (; d >= 0; --d) {
      for (size_t t = 0; t < kTensors; ++t) offsets[t] += strides[t][d];
      if (++index[d] < dims[d]) break;
      for (size_t t = 0; t < kTensors; ++t) offsets[t] -= strides[t][d] * dims[d];
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_BROADCAST_H_
