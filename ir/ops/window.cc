#include "ir/ops/window.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::ir {
namespace {

// Large enough for any real network, small enough that sums and products of a few of them fit in 64 bits.
constexpr int64_t kMaxWindowValue = int64_t{1} << 24;
constexpr int64_t kMaxSpatialDim = int64_t{1} << 40;

absl::Status ReadList(const Attrs& attrs, absl::string_view name, int count, int64_t fallback, int64_t min, std::vector<int64_t>* values) {
  *values = attrs.Ints(name);
  if (values->empty()) values->assign(count, fallback);
  if (static_cast<int>(values->size()) != count) {
    return absl::InvalidArgumentError(absl::StrCat("attribute ", name, " has ", values->size(), " entries, expected ", count));
  }
  for (int64_t v : *values) {
    if (v < min || v > kMaxWindowValue) {
      return absl::InvalidArgumentError(absl::StrCat("attribute ", name, " holds ", v, ", allowed are ", min, " to ", kMaxWindowValue));
    }
  }
  return absl::OkStatus();
}

struct AutoPad {
  bool same = false;
  bool upper = false;
  bool valid = false;
};

absl::StatusOr<AutoPad> ReadAutoPad(const Attrs& attrs) {
  const std::string mode = attrs.String("auto_pad", "NOTSET");
  if (mode == "NOTSET" || mode.empty()) return AutoPad{};
  if (mode == "VALID") return AutoPad{false, false, true};
  if (mode == "SAME_UPPER") return AutoPad{true, true, false};
  if (mode == "SAME_LOWER") return AutoPad{true, false, false};
  return absl::InvalidArgumentError(absl::StrCat("attribute auto_pad is '", mode, "', allowed are NOTSET, SAME_UPPER, SAME_LOWER and VALID"));
}

absl::StatusOr<Window> ReadWindow(const Attrs& attrs, absl::Span<const int64_t> kernel, absl::Span<const int64_t> in) {
  Window w;
  w.rank = static_cast<int>(kernel.size());
  if (w.rank < 1 || w.rank > kMaxSpatialRank || in.size() != kernel.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel of ", kernel.size(), " and image of ", in.size(), " spatial dimensions; supported are 1 to 3, both equal"));
  }
  std::vector<int64_t> stride, dilation, pads;
  OMKIT_RETURN_IF_ERROR(ReadList(attrs, "strides", w.rank, 1, 1, &stride));
  OMKIT_RETURN_IF_ERROR(ReadList(attrs, "dilations", w.rank, 1, 1, &dilation));
  OMKIT_RETURN_IF_ERROR(ReadList(attrs, "pads", 2 * w.rank, 0, 0, &pads));
  CheckedSize taps = 1;
  for (int i = 0; i < w.rank; ++i) {
    const int d = w.first() + i;
    if (kernel[i] < 1 || kernel[i] > kMaxWindowValue) {
      return absl::InvalidArgumentError(absl::StrCat("kernel dimension ", i, " is ", kernel[i], ", allowed are 1 to ", kMaxWindowValue));
    }
    if (in[i] != kUnknownDim && (in[i] < 0 || in[i] > kMaxSpatialDim)) {
      return absl::InvalidArgumentError(absl::StrCat("spatial dimension ", i, " is ", in[i]));
    }
    w.kernel[d] = kernel[i];
    w.stride[d] = stride[i];
    w.dilation[d] = dilation[i];
    w.pad_begin[d] = pads[i];
    w.pad_end[d] = pads[w.rank + i];
    w.in[d] = in[i];
    taps = taps * kernel[i];
  }
  if (!taps.FitsIn(kMaxSpatialDim)) return absl::InvalidArgumentError("the kernel has more than 2^40 taps");
  return w;
}

}  // namespace

TapRange ValidOutputs(const Window& w, int d, int64_t k) {
  const int64_t shift = w.pad_begin[d] - k * w.dilation[d];  // in = out * stride - shift
  const int64_t lo = shift <= 0 ? 0 : CeilDiv(shift, w.stride[d]);
  const int64_t last = w.in[d] - 1 + shift;
  const int64_t hi = last < 0 ? 0 : last / w.stride[d] + 1;
  return {std::min(lo, w.out[d]), std::max(std::min(hi, w.out[d]), std::min(lo, w.out[d]))};
}

absl::StatusOr<Window> ResolveWindow(const Attrs& attrs, absl::Span<const int64_t> kernel, absl::Span<const int64_t> in, bool use_ceil_mode) {
  OMKIT_ASSIGN_OR_RETURN(Window w, ReadWindow(attrs, kernel, in));
  OMKIT_ASSIGN_OR_RETURN(const AutoPad auto_pad, ReadAutoPad(attrs));
  // With VALID, ONNX's formula for ceil_mode gives the same sizes as without.
  const bool ceil_mode = use_ceil_mode && !auto_pad.valid && attrs.Int("ceil_mode", 0) != 0;
  for (int d = w.first(); d < kMaxSpatialRank; ++d) {
    if (auto_pad.valid || auto_pad.same) w.pad_begin[d] = w.pad_end[d] = 0;
    if (w.in[d] == kUnknownDim) {
      w.out[d] = kUnknownDim;
      continue;
    }
    if (auto_pad.same) {
      w.out[d] = CeilDiv(w.in[d], w.stride[d]);
      const int64_t total = std::max<int64_t>(0, (w.out[d] - 1) * w.stride[d] + w.extent(d) - w.in[d]);
      w.pad_begin[d] = auto_pad.upper ? total / 2 : total - total / 2;
      w.pad_end[d] = total - w.pad_begin[d];
      continue;
    }
    const int64_t room = w.in[d] + w.pad_begin[d] + w.pad_end[d] - w.extent(d);
    if (room < 0) {
      return absl::InvalidArgumentError(absl::StrCat("the window spans ", w.extent(d), " pixels but the padded image has only ", room + w.extent(d),
                                                     " along spatial dimension ", d - w.first()));
    }
    w.out[d] = (ceil_mode ? CeilDiv(room, w.stride[d]) : room / w.stride[d]) + 1;
    // A window that starts in the padding behind the image does not count.
    if (ceil_mode && (w.out[d] - 1) * w.stride[d] >= w.in[d] + w.pad_begin[d]) --w.out[d];
  }
  return w;
}

absl::StatusOr<Window> WindowOf(const Graph& graph, const Node& node) {
  const Shape& x = graph.value(node.inputs[0]).type.shape;
  if (x.rank() < 3) return absl::InvalidArgumentError(absl::StrCat(Describe(node), ": input of shape ", x.ToString(), " has no spatial dimension"));
  std::vector<int64_t> kernel = node.attrs.Ints("kernel_shape");
  if (node.op == OpKind::kConv) {
    const absl::Span<const int64_t> w = graph.value(node.inputs[1]).type.shape.dims();
    if (w.size() < 3) return absl::InvalidArgumentError(absl::StrCat(Describe(node), ": the weight has no kernel dimension"));
    kernel.assign(w.begin() + 2, w.end());
  }
  auto window = ResolveWindow(node.attrs, kernel, x.dims().subspan(2), node.op != OpKind::kConv);
  if (!window.ok()) return Annotate(window.status(), Describe(node));
  return window;
}

absl::StatusOr<Window> ResolveTransposedWindow(const Attrs& attrs, absl::Span<const int64_t> kernel, absl::Span<const int64_t> in) {
  OMKIT_ASSIGN_OR_RETURN(Window w, ReadWindow(attrs, kernel, in));
  OMKIT_ASSIGN_OR_RETURN(const AutoPad auto_pad, ReadAutoPad(attrs));
  std::vector<int64_t> extra, target = attrs.Ints("output_shape");
  OMKIT_RETURN_IF_ERROR(ReadList(attrs, "output_padding", w.rank, 0, 0, &extra));
  if (!target.empty()) {
    // Some exporters list batch and channels too; the spatial dims are the last ones.
    if (static_cast<int>(target.size()) == w.rank + 2) target.erase(target.begin(), target.begin() + 2);
    if (static_cast<int>(target.size()) != w.rank) {
      return absl::InvalidArgumentError(absl::StrCat("attribute output_shape has ", target.size(), " entries, expected ", w.rank));
    }
  }
  for (int d = w.first(); d < kMaxSpatialRank; ++d) {
    const int i = d - w.first();
    if (auto_pad.valid || auto_pad.same) w.pad_begin[d] = w.pad_end[d] = 0;
    if (w.in[d] == kUnknownDim) {
      w.out[d] = kUnknownDim;
      continue;
    }
    if (w.in[d] < 1) return absl::InvalidArgumentError(absl::StrCat("spatial dimension ", i, " is empty"));
    CheckedSize full_size = CheckedSize(w.stride[d]) * (w.in[d] - 1) + extra[i] + w.extent(d);
    if (!full_size.FitsIn(kMaxSpatialDim)) return absl::InvalidArgumentError(absl::StrCat("output dimension ", i, " exceeds 2^40"));
    const int64_t full = full_size.value();
    if (target.empty() && !auto_pad.same) {
      w.out[d] = full - w.pad_begin[d] - w.pad_end[d];
      if (w.out[d] < 0) return absl::InvalidArgumentError(absl::StrCat("pads along spatial dimension ", i, " exceed the output of ", full));
      continue;
    }
    w.out[d] = target.empty() ? w.in[d] * w.stride[d] : target[i];
    if (w.out[d] < 1 || w.out[d] > kMaxSpatialDim) {
      return absl::InvalidArgumentError(absl::StrCat("attribute output_shape holds ", w.out[d]));
    }
    const int64_t total = std::max<int64_t>(0, full - w.out[d]);
    w.pad_begin[d] = auto_pad.upper ? total / 2 : total - total / 2;
    w.pad_end[d] = total - w.pad_begin[d];
  }
  return w;
}

}  // namespace omkit::ir
