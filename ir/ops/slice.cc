// Parts of a tensor: Slice and Split. Split: sizes are input 1, or attribute num_outputs, or equal parts.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/movement.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

// One sliced axis: `count` elements from `start`, `step` apart.
struct AxisSlice {
  int64_t start = 0, step = 1, count = 0;
};

AxisSlice SliceAxis(int64_t size, int64_t start, int64_t end, int64_t step) {
  auto clamp = [](int64_t v, int64_t lo, int64_t hi) { return std::min(std::max(v, lo), hi); };
  if (start < 0) start = start < -size ? -1 : start + size;
  if (end < 0) end = end < -size ? -1 : end + size;
  AxisSlice s;
  s.step = step;
  if (step > 0) {
    s.start = clamp(start, 0, size);
    end = clamp(end, 0, size);
    // Without forming step - 1 + ..., which a huge step would overflow.
    s.count = end > s.start ? (end - s.start - 1) / step + 1 : 0;
  } else {
    s.start = clamp(start, -1, size - 1);
    end = clamp(end, -1, size - 1);
    const uint64_t stride = uint64_t{0} - static_cast<uint64_t>(step);
    s.count = s.start > end ? static_cast<int64_t>(static_cast<uint64_t>(s.start - end - 1) / stride) + 1 : 0;
  }
  return s;
}

struct SliceSpec {
  Dims starts, ends, axes, steps;
};

absl::Status CompleteSlice(SliceSpec& s, int rank) {
  const size_t n = s.starts.size();
  if (s.axes.empty()) {
    s.axes.resize(n);
    std::iota(s.axes.begin(), s.axes.end(), int64_t{0});
  }
  if (s.steps.empty()) s.steps.assign(n, 1);
  if (s.ends.size() != n || s.axes.size() != n || s.steps.size() != n) {
    return absl::InvalidArgumentError(
        absl::StrCat(n, " starts, ", s.ends.size(), " ends, ", s.axes.size(), " axes and ", s.steps.size(), " steps: the counts must agree"));
  }
  std::vector<bool> seen(rank, false);
  for (size_t i = 0; i < n; ++i) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(s.axes[i], rank));
    if (seen[axis]) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is sliced twice"));
    seen[axis] = true;
    s.axes[i] = axis;
    if (s.steps[i] == 0) return absl::InvalidArgumentError(absl::StrCat("the step along axis ", axis, " is 0"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Dims> SplitSizes(const Attrs& attrs, int64_t size, int outputs, const Dims& given) {
  if (!given.empty()) {
    if (static_cast<int>(given.size()) != outputs) {
      return absl::InvalidArgumentError(absl::StrCat(given.size(), " split sizes for ", outputs, " outputs"));
    }
    CheckedSize total = 0;
    for (int64_t s : given) total = total + s;
    if (!total.ok() || Conflict(total.value(), size)) {
      return absl::InvalidArgumentError(absl::StrCat("the split sizes do not add up to ", size));
    }
    return given;
  }
  const int64_t parts = attrs.Int("num_outputs", outputs);
  if (parts != outputs) return absl::InvalidArgumentError(absl::StrCat("num_outputs is ", parts, " but the node has ", outputs, " outputs"));
  if (size == kUnknownDim) return Dims(outputs, kUnknownDim);
  // The last part takes what is left, as in ONNX 18.
  const int64_t part = CeilDiv(size, parts);
  Dims sizes(outputs, part);
  sizes.back() = size - part * (parts - 1);
  if (sizes.back() < 0) return absl::InvalidArgumentError(absl::StrCat("cannot split ", size, " elements into ", parts, " parts"));
  return sizes;
}

}  // namespace

absl::Status InferSlice(InferContext& ctx) {
  const Shape& x = ctx.shape(0);
  for (int i = 1; i < ctx.num_inputs(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const bool dynamic, IsDynamic(ctx, i));
    if (dynamic) return SetUnknownDims(ctx, x.rank());
  }
  SliceSpec s;
  OMKIT_ASSIGN_OR_RETURN(s.starts, ctx.ConstantInts(1));
  OMKIT_ASSIGN_OR_RETURN(s.ends, ctx.ConstantInts(2));
  if (ctx.has_input(3)) {
    OMKIT_ASSIGN_OR_RETURN(s.axes, ctx.ConstantInts(3));
  }
  if (ctx.has_input(4)) {
    OMKIT_ASSIGN_OR_RETURN(s.steps, ctx.ConstantInts(4));
  }
  OMKIT_RETURN_IF_ERROR(CompleteSlice(s, x.rank()));
  Shape out = x;
  for (size_t i = 0; i < s.axes.size(); ++i) {
    const int d = static_cast<int>(s.axes[i]);
    if (x.dim(d) != kUnknownDim) out.set_dim(d, SliceAxis(x.dim(d), s.starts[i], s.ends[i], s.steps[i]).count);
  }
  return SetMoved(ctx, std::move(out));
}

absl::Status EvalSlice(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  Tensor& out = ctx.output(0);
  SliceSpec s;
  OMKIT_ASSIGN_OR_RETURN(s.starts, IntegerValues(ctx.input(1)));
  OMKIT_ASSIGN_OR_RETURN(s.ends, IntegerValues(ctx.input(2)));
  if (ctx.has_input(3)) {
    OMKIT_ASSIGN_OR_RETURN(s.axes, IntegerValues(ctx.input(3)));
  }
  if (ctx.has_input(4)) {
    OMKIT_ASSIGN_OR_RETURN(s.steps, IntegerValues(ctx.input(4)));
  }
  OMKIT_RETURN_IF_ERROR(CompleteSlice(s, x.shape().rank()));
  Dims strides = x.shape().Strides();
  Shape expected = x.shape();
  int64_t start = 0;
  for (size_t i = 0; i < s.axes.size(); ++i) {
    const int d = static_cast<int>(s.axes[i]);
    const AxisSlice a = SliceAxis(x.shape().dim(d), s.starts[i], s.ends[i], s.steps[i]);
    expected.set_dim(d, a.count);
    start += a.start * strides[d];
    // A step that leaves the axis at once is never taken; it may be too large to multiply.
    strides[d] = a.count > 1 ? strides[d] * a.step : 0;
  }
  if (expected != out.shape()) return absl::InvalidArgumentError("the slice differs from the one the shape was inferred with");
  if (out.elements() == 0) return absl::OkStatus();
  CopyStrided(Bytes(x) + start * static_cast<int64_t>(SizeOf(x.dtype())), out.shape().dims(), strides, SizeOf(x.dtype()), MutableBytes(out));
  return absl::OkStatus();
}

absl::Status InferSplit(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  const Shape& x = ctx.shape(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", 0), x.rank()));
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic, IsDynamic(ctx, 1));
  Dims sizes(ctx.num_outputs(), kUnknownDim);
  if (!dynamic) {
    Dims given;
    if (ctx.has_input(1)) {
      OMKIT_ASSIGN_OR_RETURN(given, ctx.ConstantInts(1));
    }
    OMKIT_ASSIGN_OR_RETURN(sizes, SplitSizes(ctx.attrs(), x.dim(axis), ctx.num_outputs(), given));
  }
  for (int i = 0; i < ctx.num_outputs(); ++i) {
    Shape out = x;
    out.set_dim(axis, sizes[i]);
    OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, i, ValueDType(ctx, 0), std::move(out)));
  }
  return absl::OkStatus();
}

absl::Status EvalSplit(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", 0), x.shape().rank()));
  const int64_t outer = ProductOf(x.shape().dims(), 0, axis);
  if (x.bytes() == 0) return absl::OkStatus();
  const int64_t row = static_cast<int64_t>(x.bytes()) / outer;
  int64_t offset = 0;
  for (int i = 0; i < ctx.num_outputs(); ++i) {
    const int64_t part = static_cast<int64_t>(ctx.output(i).bytes()) / outer;
    if (offset + part > row) return absl::InvalidArgumentError("the split sizes exceed the axis");
    for (int64_t o = 0; o < outer; ++o) std::memcpy(MutableBytes(ctx.output(i)) + o * part, Bytes(x) + o * row + offset, part);
    offset += part;
  }
  return absl::OkStatus();
}

}  // namespace omkit::ir
