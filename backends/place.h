// Where a value lies in memory: a block and a view of it in ONNX dimension order. Floor 4, the vocabulary of program_builder and lowering.
#ifndef OMKIT_BACKENDS_PLACE_H_
#define OMKIT_BACKENDS_PLACE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "backends/kernels/view.h"
#include "base/shape.h"
#include "ir/graph.h"

namespace omkit {

using BlockId = int32_t;

// Elements around an image that convolutions may read: filled with the zero point (0.0 for float).
struct Halo {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  bool empty() const { return top == 0 && left == 0 && bottom == 0 && right == 0; }
  bool Covers(const Halo& need) const { return top >= need.top && left >= need.left && bottom >= need.bottom && right >= need.right; }
};
Halo Union(const Halo& a, const Halo& b);

struct Place {
  BlockId block = -1;
  kernels::View view;  // dims of the value, in ONNX order
  Halo halo;           // valid only for images (NewImage)
};

// True when the view visits its elements in dense row-major order.
bool IsDense(const kernels::View& view);
// A value in row-major order. More dimensions than a view has become one: kernels take such values whole or not at all.
kernels::View PlainView(const TensorType& type);
// Elements between neighbouring pixels of an image: kernels read channels in groups of four bytes. Float convolutions read a dozen pixels in
// turns: a cache line keeps pixels apart that would otherwise all meet in one or two sets of a first-level cache whose ways are 4 KiB.
int64_t PixelStride(const TensorType& type);
// An image place as the kernels want it: N, H, W, C.
kernels::View Nhwc(const Place& place);
// Rewrites views of equal dims alike: dimensions of size 1 go, the rest is ordered by the last view's strides, and neighbours that are
// contiguous in every view merge. OK is false when more than kMaxViewRank dimensions remain.
bool CollapseViews(absl::Span<kernels::View* const> views);
// The same elements in row-major order of `view` under other dimensions, without a copy; false when strides do not allow it. No zero dims.
bool ReshapeView(const kernels::View& view, const Shape& dims, kernels::View* reshaped);
// The dimensions from the largest stride to the smallest: kernels run along the last dimension they are given, so lowering hands them
// views in this order.
std::vector<int> PhysicalOrder(const kernels::View& view);
// The view with its dimensions in the given order.
kernels::View Permuted(const kernels::View& view, const std::vector<int>& order);
// A view of `dims` with zero strides along the dimensions in which `place` is broadcast (numpy rules).
kernels::View BroadcastView(const Place& place, const Shape& dims);
// True for an 8-bit Conv over so few channels that the taps of one kernel row, which lie behind one another when pixels do, fill fewer
// groups of four bytes as one run than as separate pixels (one channel and a kernel of 3: one group instead of three), or as many with a last
// one that kernels may gather (kernels::ConvU8GathersTails), for an image that nothing else reads.
bool ReadsRowRuns(const ir::Graph& graph, const ir::Node& node);
// The halo that a Conv node reads around its input.
Halo HaloOf(const ir::Graph& graph, const ir::Node& conv);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_PLACE_H_
