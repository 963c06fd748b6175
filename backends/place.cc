#include "backends/place.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/checked.h"
#include "ir/ops/window.h"

namespace omkit {

using kernels::View;

Halo Union(const Halo& a, const Halo& b) {
  return {std::max(a.top, b.top), std::max(a.left, b.left), std::max(a.bottom, b.bottom), std::max(a.right, b.right)};
}

bool IsDense(const View& view) {
  int64_t step = 1;
  for (int i = view.rank - 1; i >= 0; --i) {
    if (view.dims[i] == 1) continue;
    if (view.strides[i] != step) return false;
    step *= view.dims[i];
  }
  return true;
}

View PlainView(const TensorType& type) {
  std::vector<int64_t> dims = type.shape.vec();
  if (dims.size() > static_cast<size_t>(kernels::kMaxViewRank)) dims = {type.shape.elements()};
  return kernels::DenseView(dims.data(), static_cast<int>(dims.size()), static_cast<int>(SizeOf(type.dtype)));
}

int64_t PixelStride(const TensorType& type) {
  const int64_t channels = type.shape.dim(1), size = static_cast<int64_t>(SizeOf(type.dtype));
  if (size == 1) return RoundUp(channels, 4);
  constexpr int64_t kHalfWay = 2048, kLine = 64;
  const bool meet = channels * size % kHalfWay == 0 && type.shape.dim(2) * type.shape.dim(3) > 1;
  return channels + (meet ? kLine / size : 0);
}

View Nhwc(const Place& place) {
  View nhwc = place.view;
  constexpr int kOrder[] = {0, 2, 3, 1};
  for (int i = 0; i < 4; ++i) {
    nhwc.dims[i] = place.view.dims[kOrder[i]];
    nhwc.strides[i] = place.view.strides[kOrder[i]];
  }
  if (nhwc.dims[3] == 1) nhwc.strides[3] = 1;
  return nhwc;
}

bool CollapseViews(absl::Span<View* const> views) {
  const int rank = views[0]->rank;
  std::vector<int> order;
  for (int i = 0; i < rank; ++i) {
    if (views[0]->dims[i] != 1) order.push_back(i);
  }
  const View& key = *views[views.size() - 1];
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return std::abs(key.strides[a]) > std::abs(key.strides[b]); });
  // groups[i]: original dims merged into collapsed dim i, outermost first.
  std::vector<std::vector<int>> groups;
  for (int dim : order) {
    const bool merges = !groups.empty() && std::all_of(views.begin(), views.end(), [&](const View* v) {
      return v->strides[groups.back().back()] == v->strides[dim] * v->dims[dim];
    });
    if (merges) groups.back().push_back(dim);
    else groups.push_back({dim});
  }
  if (groups.size() > kernels::kMaxViewRank) return false;
  for (View* v : views) {
    View collapsed;
    collapsed.element_size = v->element_size;
    collapsed.offset = v->offset;
    collapsed.rank = static_cast<int>(groups.size());
    for (size_t i = 0; i < groups.size(); ++i) {
      collapsed.dims[i] = 1;
      for (int dim : groups[i]) collapsed.dims[i] *= v->dims[dim];
      collapsed.strides[i] = v->strides[groups[i].back()];
    }
    if (collapsed.rank == 0) {
      collapsed.rank = 1;
      collapsed.dims[0] = 1;
      collapsed.strides[0] = 1;
    }
    *v = collapsed;
  }
  return true;
}

bool ReshapeView(const View& view, const Shape& dims, View* reshaped) {
  if (dims.rank() > kernels::kMaxViewRank) return false;
  View old = view;
  old.rank = 0;
  for (int i = 0; i < view.rank; ++i) {
    if (view.dims[i] == 1) continue;
    old.dims[old.rank] = view.dims[i];
    old.strides[old.rank++] = view.strides[i];
  }
  View out;
  out.element_size = view.element_size;
  out.offset = view.offset;
  out.rank = dims.rank();
  int from = 0, to = 0;
  while (to < out.rank) {
    // Old dimensions [from, from_end) and new ones [to, to_end) with equal products.
    int from_end = from, to_end = to + 1;
    int64_t old_product = 1, new_product = dims.dim(to);
    while (old_product != new_product) {
      if (old_product < new_product) {
        if (from_end == old.rank) return false;
        old_product *= old.dims[from_end++];
      } else {
        if (to_end == out.rank) return false;
        new_product *= dims.dim(to_end++);
      }
    }
    for (int i = from; i + 1 < from_end; ++i) {
      if (old.strides[i] != old.strides[i + 1] * old.dims[i + 1]) return false;
    }
    int64_t stride = from_end > from ? old.strides[from_end - 1] : 1;
    for (int i = to_end - 1; i >= to; --i) {
      out.dims[i] = dims.dim(i);
      out.strides[i] = stride;
      stride *= dims.dim(i);
    }
    from = from_end;
    to = to_end;
  }
  if (from != old.rank) return false;
  *reshaped = out;
  return true;
}

std::vector<int> PhysicalOrder(const View& view) {
  std::vector<int> order;
  for (int i = 0; i < view.rank; ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return std::abs(view.strides[a]) > std::abs(view.strides[b]); });
  return order;
}

View Permuted(const View& view, const std::vector<int>& order) {
  View permuted = view;
  for (int i = 0; i < view.rank; ++i) {
    permuted.dims[i] = view.dims[order[i]];
    permuted.strides[i] = view.strides[order[i]];
  }
  return permuted;
}

View BroadcastView(const Place& place, const Shape& dims) {
  View view;
  view.element_size = place.view.element_size;
  view.offset = place.view.offset;
  view.rank = dims.rank();
  const int shift = dims.rank() - place.view.rank;
  for (int i = 0; i < dims.rank(); ++i) {
    view.dims[i] = dims.dim(i);
    const bool repeated = i < shift || place.view.dims[i - shift] == 1;
    view.strides[i] = repeated ? 0 : place.view.strides[i - shift];
  }
  return view;
}

bool ReadsRowRuns(const ir::Graph& graph, const ir::Node& node) {
  if (node.op != ir::OpKind::kConv || node.attrs.Int("group", 1) != 1) return false;
  const TensorType& x = graph.value(node.inputs[0]).type;
  const auto window = ir::WindowOf(graph, node);
  if (SizeOf(x.dtype) != 1 || x.shape.rank() != 4 || !window.ok() || window->dilation[2] != 1) return false;
  const int64_t channels = x.shape.dim(1), run = window->kernel[2] * channels, apart = window->kernel[2] * RoundUp(channels, 4);
  if (RoundUp(run, 4) < apart) return true;
  // Not worth a copy beside the image that another reader wants.
  return RoundUp(run, 4) == apart && run % 4 == 1 && window->kernel[1] > 1 && graph.OnlyUser(node.inputs[0]) != nullptr;
}

Halo HaloOf(const ir::Graph& graph, const ir::Node& conv) {
  const auto window = ir::WindowOf(graph, conv);
  if (!window.ok() || window->rank != 2) return {};
  Halo halo;
  // Rows below and to the right are needed only as far as taps reach.
  const auto behind = [&](int d) {
    const int64_t last = (window->out[d] - 1) * window->stride[d] + window->extent(d) - 1 - window->pad_begin[d];
    return std::max<int64_t>(0, last - (window->in[d] - 1));
  };
  halo.top = window->pad_begin[1];
  halo.left = window->pad_begin[2];
  halo.bottom = behind(1);
  halo.right = behind(2);
  return halo;
}

}  // namespace omkit
