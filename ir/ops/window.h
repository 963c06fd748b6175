// Sliding windows: kernel, stride, dilation, padding and auto_pad of Conv and pools, resolved to numbers. Floor 2; passes and
// lowering ask here for the explicit pads of a node.
#ifndef OMKIT_IR_OPS_WINDOW_H_
#define OMKIT_IR_OPS_WINDOW_H_

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/graph.h"

namespace omkit::ir {

constexpr int kMaxSpatialRank = 3;

// Every array is aligned to the right: a 2-D window uses entries 1 (height) and 2 (width); unused entries are a kernel of 1.
struct Window {
  using Dims = std::array<int64_t, kMaxSpatialRank>;
  int rank = 0;
  Dims in = {1, 1, 1}, out = {1, 1, 1};  // spatial sizes; kUnknownDim until shapes are bound
  Dims kernel = {1, 1, 1}, stride = {1, 1, 1}, dilation = {1, 1, 1};
  Dims pad_begin = {0, 0, 0}, pad_end = {0, 0, 0};

  int first() const { return kMaxSpatialRank - rank; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
  // Size of the kernel with its dilation.
  int64_t extent(int d) const { return (kernel[d] - 1) * dilation[d] + 1; }
};

// Range [lo, hi) of output positions along `d` for which tap `k` reads inside the image.
struct TapRange {
  int64_t lo, hi;
};
TapRange ValidOutputs(const Window& window, int d, int64_t k);

// Reads strides, dilations, pads, auto_pad and, when `use_ceil_mode`, ceil_mode. `kernel` and `in` hold 1 to 3 spatial dims.
// Errors on kernels, strides or dilations below 1, on negative pads, on lists of another length, and on windows larger than the
// padded image.
absl::StatusOr<Window> ResolveWindow(const Attrs& attrs, absl::Span<const int64_t> kernel, absl::Span<const int64_t> in, bool use_ceil_mode);

// The window of a Conv, AveragePool or MaxPool node whose input types are known.
absl::StatusOr<Window> WindowOf(const Graph& graph, const Node& node);

// ConvTranspose: `in` and `out` are sizes of its input and output; the pads crop the full result (out.size ==
// stride * (in - 1) + output_padding + extent - pads). Reads output_padding and output_shape too.
absl::StatusOr<Window> ResolveTransposedWindow(const Attrs& attrs, absl::Span<const int64_t> kernel, absl::Span<const int64_t> in);

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_WINDOW_H_
