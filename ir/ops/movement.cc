// Operators that move or repeat elements without looking at them: bytes of any dtype, quantized or not. Inputs as in the newest ONNX
// versions (axes, starts, pads, repeats and sizes are integer tensors).
//
// Split: sizes are input 1, or attribute num_outputs, or equal parts. Pad: modes constant, reflect, edge and wrap; without a value,
// quantized data is padded with its zero point.
#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

using Dims = std::vector<int64_t>;

const uint8_t* Bytes(const Tensor& t) { return static_cast<const uint8_t*>(t.raw()); }
uint8_t* MutableBytes(Tensor& t) { return static_cast<uint8_t*>(t.mutable_raw()); }

absl::Status CopyAll(const EvalContext& ctx) {
  if (ctx.input(0).bytes() != ctx.output(0).bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("input of ", ctx.input(0).type().ToString(), " cannot become ", ctx.output(0).type().ToString()));
  }
  std::memcpy(ctx.output(0).mutable_raw(), ctx.input(0).raw(), ctx.input(0).bytes());
  return absl::OkStatus();
}

template <size_t kSize>
void CopyStridedOf(const uint8_t* in, absl::Span<const int64_t> dims, const Dims& strides, uint8_t* out) {
  ForEachRow<1>(dims, {strides}, [&](const auto& at, const auto& step, int64_t n) {
    const uint8_t* from = in + at[0] * static_cast<int64_t>(kSize);
    const int64_t hop = step[0] * static_cast<int64_t>(kSize);
    if (step[0] == 1) {
      std::memcpy(out, from, n * kSize);
      out += n * kSize;
      return;
    }
    for (int64_t i = 0; i < n; ++i, from += hop, out += kSize) std::memcpy(out, from, kSize);
  });
}

// Gathers a strided view of `in` (strides in elements, of any sign) into contiguous `out`.
void CopyStrided(const uint8_t* in, absl::Span<const int64_t> dims, const Dims& strides, size_t element, uint8_t* out) {
  switch (element) {
    case 1: CopyStridedOf<1>(in, dims, strides, out); break;
    case 2: CopyStridedOf<2>(in, dims, strides, out); break;
    case 4: CopyStridedOf<4>(in, dims, strides, out); break;
    default: CopyStridedOf<8>(in, dims, strides, out); break;
  }
}

absl::Status SetMoved(InferContext& ctx, Shape shape) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(shape));
}

// Output of known rank whose sizes depend on a tensor that is not a constant (yet).
absl::Status SetUnknownDims(InferContext& ctx, int64_t rank) {
  if (rank < 0 || rank > kMaxRank) return absl::UnimplementedError(absl::StrCat("an output of unknown rank (", rank, ")"));
  return SetMoved(ctx, Shape(Dims(rank, kUnknownDim)));
}

// True when input `i` is there but not a constant; its shape must be a vector of integers.
absl::StatusOr<bool> IsDynamic(const InferContext& ctx, int i) {
  if (!ctx.has_input(i)) return false;
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, i));
  return ctx.constant(i) == nullptr;
}

int64_t ProductOf(absl::Span<const int64_t> dims, int begin, int end) {
  return std::accumulate(dims.begin() + begin, dims.begin() + end, int64_t{1},
                         [](int64_t a, int64_t b) { return a == kUnknownDim || b == kUnknownDim ? kUnknownDim : a * b; });
}

// The target dims of a Reshape with 0 and -1 resolved as far as the input is known.
absl::StatusOr<Shape> ReshapedTo(const Attrs& attrs, const Shape& x, absl::Span<const int64_t> target) {
  const bool allow_zero = attrs.Int("allowzero", 0) != 0;
  Dims dims(target.begin(), target.end());
  int inferred = -1;
  for (int i = 0; i < static_cast<int>(dims.size()); ++i) {
    if (dims[i] == 0 && !allow_zero) {
      if (i >= x.rank()) return absl::InvalidArgumentError(absl::StrCat("target dimension ", i, " copies a dimension that ", x.ToString(), " lacks"));
      dims[i] = x.dim(i);
    } else if (dims[i] == -1) {
      if (inferred >= 0) return absl::InvalidArgumentError("the target shape has more than one -1");
      inferred = i;
    } else if (dims[i] < 0) {
      return absl::InvalidArgumentError(absl::StrCat("target dimension ", i, " is ", dims[i]));
    }
  }
  CheckedSize known = 1;
  bool all_known = true;
  for (int i = 0; i < static_cast<int>(dims.size()); ++i) {
    if (i == inferred) continue;
    if (dims[i] == kUnknownDim) all_known = false;
    else known = known * dims[i];
  }
  if (!known.ok()) return absl::InvalidArgumentError("the target shape overflows");
  if (!all_known || !x.IsStatic()) return Shape(std::move(dims));
  const int64_t total = x.elements();
  const std::string text = absl::StrCat("cannot reshape ", x.ToString(), " (", total, " elements) to ", Shape(target).ToString());
  if (inferred >= 0) {
    if (known.value() == 0 || total % known.value() != 0) return absl::InvalidArgumentError(text);
    dims[inferred] = total / known.value();
  } else if (known.value() != total) {
    return absl::InvalidArgumentError(text);
  }
  return Shape(std::move(dims));
}

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

// Pads per axis from input 1 and the optional axes of input 3; negative pads crop and are refused.
absl::StatusOr<std::pair<Dims, Dims>> PadsPerAxis(int rank, absl::Span<const int64_t> pads, Dims axes, bool has_axes) {
  if (!has_axes) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), int64_t{0});
  }
  if (pads.size() != 2 * axes.size()) {
    return absl::InvalidArgumentError(absl::StrCat(pads.size(), " pads for ", axes.size(), " axes, expected ", 2 * axes.size()));
  }
  std::pair<Dims, Dims> result{Dims(rank, 0), Dims(rank, 0)};
  std::vector<bool> seen(rank, false);
  for (size_t i = 0; i < axes.size(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(axes[i], rank));
    if (seen[axis]) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is padded twice"));
    seen[axis] = true;
    constexpr int64_t kMaxPad = int64_t{1} << 40;
    for (int64_t pad : {pads[i], pads[axes.size() + i]}) {
      if (pad < 0 || pad > kMaxPad) {
        return absl::InvalidArgumentError(absl::StrCat("pad ", pad, " along axis ", axis, " is outside [0, 2^40]; use Slice to crop"));
      }
    }
    result.first[axis] = pads[i];
    result.second[axis] = pads[axes.size() + i];
  }
  return result;
}

enum class PadMode { kConstant, kReflect, kEdge, kWrap };
absl::StatusOr<PadMode> ReadPadMode(const Attrs& attrs) {
  const std::string mode = attrs.String("mode", "constant");
  if (mode == "constant") return PadMode::kConstant;
  if (mode == "reflect") return PadMode::kReflect;
  if (mode == "edge") return PadMode::kEdge;
  if (mode == "wrap") return PadMode::kWrap;
  return absl::InvalidArgumentError(absl::StrCat("attribute mode is '", mode, "', allowed are constant, reflect, edge and wrap"));
}

// Source position of padded position `i` (counted from the image's first element), or -1 for the pad value.
int64_t PadSource(PadMode mode, int64_t i, int64_t size) {
  if (i >= 0 && i < size) return i;
  switch (mode) {
    case PadMode::kConstant: return -1;
    case PadMode::kEdge: return i < 0 ? 0 : size - 1;
    case PadMode::kWrap: return ((i % size) + size) % size;
    case PadMode::kReflect: {
      if (size == 1) return 0;
      const int64_t period = 2 * (size - 1);
      const int64_t m = ((i % period) + period) % period;
      return m < size ? m : period - m;
    }
  }
  return -1;
}

// The element that constant padding writes, as bytes of the data's type.
std::vector<uint8_t> PadValue(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  const QuantParams& q = x.type().quant;
  const size_t size = SizeOf(x.dtype());
  std::vector<uint8_t> bytes(size, 0);
  const bool given = ctx.has_input(2) && ctx.input(2).elements() == 1;
  if (given && ctx.input(2).dtype() == x.dtype()) {
    std::memcpy(bytes.data(), ctx.input(2).raw(), size);
    return bytes;
  }
  if (!q.quantized()) return bytes;
  const QuantRange range = RangeOf(x.dtype());
  const float real = given ? static_cast<float>(RealAt(ctx.input(2), 0)) : 0.0f;
  const int32_t v = QuantizeValue(real, q.scale[0], q.zero_point[0], range.min, range.max);
  DispatchDType(x.dtype(), [&](auto zero) {
    const auto element = ConvertElement<decltype(zero)>(v);
    std::memcpy(bytes.data(), &element, size);
  });
  return bytes;
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

absl::StatusOr<std::vector<int>> Permutation(const Attrs& attrs, int rank) {
  Dims perm = attrs.Ints("perm");
  if (perm.empty()) {
    for (int d = rank - 1; d >= 0; --d) perm.push_back(d);
  }
  if (static_cast<int>(perm.size()) != rank) {
    return absl::InvalidArgumentError(absl::StrCat("attribute perm has ", perm.size(), " entries for rank ", rank));
  }
  std::vector<bool> seen(rank, false);
  std::vector<int> axes;
  for (int64_t p : perm) {
    if (p < 0 || p >= rank || seen[p]) return absl::InvalidArgumentError(absl::StrCat("attribute perm is not a permutation of ", rank, " axes"));
    seen[p] = true;
    axes.push_back(static_cast<int>(p));
  }
  return axes;
}

// Views x with `dims` and gathers its axes in the order `perm`: the core of Transpose, DepthToSpace and SpaceToDepth.
void TransposeView(const Tensor& x, const Dims& dims, const std::vector<int>& perm, Tensor& out) {
  const Dims strides = Shape(dims).Strides();
  Dims to, moved;
  for (int p : perm) {
    to.push_back(dims[p]);
    moved.push_back(strides[p]);
  }
  CopyStrided(Bytes(x), to, moved, SizeOf(x.dtype()), MutableBytes(out));
}

absl::StatusOr<int64_t> BlockSize(const Attrs& attrs) {
  const int64_t b = attrs.Int("blocksize", 0);
  constexpr int64_t kMaxBlock = 1 << 15;
  if (b < 1 || b > kMaxBlock) return absl::InvalidArgumentError(absl::StrCat("attribute blocksize is ", b, ", allowed are 1 to ", kMaxBlock));
  return b;
}

int64_t Scaled(int64_t dim, int64_t factor) { return dim == kUnknownDim ? kUnknownDim : dim * factor; }

// Axes as a set of flags over `rank` dims; repeated axes are refused.
absl::StatusOr<std::vector<bool>> AxisSet(absl::Span<const int64_t> axes, int rank) {
  std::vector<bool> set(rank, false);
  for (int64_t a : axes) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(a, rank));
    if (set[axis]) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is given twice"));
    set[axis] = true;
  }
  return set;
}

}  // namespace

absl::Status InferConcat(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  Shape out = ctx.shape(0);
  if (!ctx.attrs().Has("axis")) return absl::InvalidArgumentError("attribute axis is missing");
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", 0), out.rank()));
  for (int i = 1; i < ctx.num_inputs(); ++i) {
    if (!ctx.has_input(i)) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, i));
    OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, i, out.rank(), out.rank()));
    for (int d = 0; d < out.rank(); ++d) {
      const int64_t dim = ctx.shape(i).dim(d);
      if (d == axis) {
        const bool known = dim != kUnknownDim && out.dim(d) != kUnknownDim;
        const CheckedSize sum = known ? CheckedSize(out.dim(d)) + dim : CheckedSize(0);
        if (!sum.ok()) return absl::InvalidArgumentError("the concatenated axis overflows");
        out.set_dim(d, known ? sum.value() : kUnknownDim);
      } else if (Conflict(out.dim(d), dim)) {
        return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", ctx.shape(i).ToString(), ", which differs from ",
                                                       ctx.shape(0).ToString(), " outside axis ", axis));
      } else if (out.dim(d) == kUnknownDim) {
        out.set_dim(d, dim);
      }
    }
  }
  return SetMoved(ctx, std::move(out));
}

absl::Status EvalConcat(const EvalContext& ctx) {
  Tensor& out = ctx.output(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", 0), out.shape().rank()));
  const int64_t outer = ProductOf(out.shape().dims(), 0, axis);
  if (out.bytes() == 0) return absl::OkStatus();
  const int64_t row = static_cast<int64_t>(out.bytes()) / outer;
  int64_t offset = 0;
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    const int64_t part = static_cast<int64_t>(ctx.input(i).bytes()) / outer;
    for (int64_t o = 0; o < outer; ++o) std::memcpy(MutableBytes(out) + o * row + offset, Bytes(ctx.input(i)) + o * part, part);
    offset += part;
  }
  return absl::OkStatus();
}

absl::Status InferDepthToSpace(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 4, 4));
  OMKIT_ASSIGN_OR_RETURN(const int64_t b, BlockSize(ctx.attrs()));
  const std::string mode = ctx.attrs().String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return absl::InvalidArgumentError(absl::StrCat("attribute mode is '", mode, "', allowed are DCR and CRD"));
  const Shape& x = ctx.shape(0);
  if (x.dim(1) != kUnknownDim && x.dim(1) % (b * b) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(x.dim(1), " channels do not divide into blocks of ", b, "x", b));
  }
  return SetMoved(ctx, {x.dim(0), x.dim(1) == kUnknownDim ? kUnknownDim : x.dim(1) / (b * b), Scaled(x.dim(2), b), Scaled(x.dim(3), b)});
}

absl::Status EvalDepthToSpace(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const int64_t b, BlockSize(ctx.attrs));
  const int64_t c = x.dim(1) / (b * b);
  if (ctx.attrs.String("mode", "DCR") == "DCR") {
    TransposeView(ctx.input(0), {x.dim(0), b, b, c, x.dim(2), x.dim(3)}, {0, 3, 4, 1, 5, 2}, ctx.output(0));
  } else {
    TransposeView(ctx.input(0), {x.dim(0), c, b, b, x.dim(2), x.dim(3)}, {0, 1, 4, 2, 5, 3}, ctx.output(0));
  }
  return absl::OkStatus();
}

absl::Status InferSpaceToDepth(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 4, 4));
  OMKIT_ASSIGN_OR_RETURN(const int64_t b, BlockSize(ctx.attrs()));
  const Shape& x = ctx.shape(0);
  Shape out = {x.dim(0), Scaled(x.dim(1), b * b), kUnknownDim, kUnknownDim};
  for (int d : {2, 3}) {
    if (x.dim(d) == kUnknownDim) continue;
    if (x.dim(d) % b != 0) return absl::InvalidArgumentError(absl::StrCat("dimension ", d, " (", x.dim(d), ") does not divide into blocks of ", b));
    out.set_dim(d, x.dim(d) / b);
  }
  return SetMoved(ctx, std::move(out));
}

absl::Status EvalSpaceToDepth(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const int64_t b, BlockSize(ctx.attrs));
  TransposeView(ctx.input(0), {x.dim(0), x.dim(1), x.dim(2) / b, b, x.dim(3) / b, b}, {0, 3, 5, 1, 2, 4}, ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferExpand(InferContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic, IsDynamic(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 1, 1));
  if (dynamic) return SetUnknownDims(ctx, std::max<int64_t>(ctx.shape(0).rank(), ctx.shape(1).dim(0)));
  OMKIT_ASSIGN_OR_RETURN(const Dims target, ctx.ConstantInts(1));
  for (int64_t d : target) {
    if (d < 0) return absl::InvalidArgumentError(absl::StrCat("target dimension ", d, " is negative"));
  }
  OMKIT_ASSIGN_OR_RETURN(Shape out, BroadcastShapes(ctx.shape(0), Shape(target)));
  return SetMoved(ctx, std::move(out));
}

absl::Status EvalExpand(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Shape& out = ctx.output(0).shape();
  CopyStrided(Bytes(x), out.dims(), BroadcastStrides(x.shape(), out), SizeOf(x.dtype()), MutableBytes(ctx.output(0)));
  return absl::OkStatus();
}

absl::Status InferFlatten(InferContext& ctx) {
  const Shape& x = ctx.shape(0);
  int64_t axis = ctx.attrs().Int("axis", 1);
  if (axis < -x.rank() || axis > x.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is outside [", -x.rank(), ", ", x.rank(), "]"));
  }
  if (axis < 0) axis += x.rank();
  OMKIT_RETURN_IF_ERROR(SetMoved(ctx, x));  // checks that the products below cannot overflow
  const int a = static_cast<int>(axis);
  return SetMoved(ctx, {ProductOf(x.dims(), 0, a), ProductOf(x.dims(), a, x.rank())});
}
absl::Status EvalFlatten(const EvalContext& ctx) { return CopyAll(ctx); }

absl::Status InferGather(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
  const Shape& x = ctx.shape(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", 0), x.rank()));
  Dims dims(x.dims().begin(), x.dims().begin() + axis);
  dims.insert(dims.end(), ctx.shape(1).dims().begin(), ctx.shape(1).dims().end());
  dims.insert(dims.end(), x.dims().begin() + axis + 1, x.dims().end());
  return SetMoved(ctx, Shape(std::move(dims)));
}

absl::Status EvalGather(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& indices = ctx.input(1);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", 0), x.shape().rank()));
  const absl::Span<const int64_t> dims = x.shape().dims();
  const int64_t outer = ProductOf(dims, 0, axis);
  const int64_t size = dims[axis];
  const int64_t block = ProductOf(dims, axis + 1, x.shape().rank()) * static_cast<int64_t>(SizeOf(x.dtype()));
  uint8_t* out = MutableBytes(ctx.output(0));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < indices.elements(); ++i, out += block) {
      int64_t at = IntegerAt(indices, i);
      if (at < -size || at >= size) {
        return absl::OutOfRangeError(absl::StrCat("index ", at, " (element ", i, " of the indices) is outside [", -size, ", ", size, ")"));
      }
      if (at < 0) at += size;
      std::memcpy(out, Bytes(x) + (o * size + at) * block, block);
    }
  }
  return absl::OkStatus();
}

absl::Status InferIdentity(InferContext& ctx) { return SetMoved(ctx, ctx.shape(0)); }
absl::Status EvalIdentity(const EvalContext& ctx) { return CopyAll(ctx); }

absl::Status InferPad(InferContext& ctx) {
  const Shape& x = ctx.shape(0);
  OMKIT_ASSIGN_OR_RETURN(const PadMode mode, ReadPadMode(ctx.attrs()));
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic_pads, IsDynamic(ctx, 1));
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic_axes, IsDynamic(ctx, 3));
  OMKIT_RETURN_IF_ERROR(ExpectPerTensorIfQuantized(ctx, 0));
  if (ctx.has_input(2)) {
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 2));
    if (ctx.shape(2).rank() > 0 && ctx.shape(2) != Shape{0}) OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, 2));
  }
  if (dynamic_pads || dynamic_axes) return SetUnknownDims(ctx, x.rank());
  OMKIT_ASSIGN_OR_RETURN(const Dims pads, ctx.ConstantInts(1));
  Dims axes;
  if (ctx.has_input(3)) {
    OMKIT_ASSIGN_OR_RETURN(axes, ctx.ConstantInts(3));
  }
  OMKIT_ASSIGN_OR_RETURN(const auto per_axis, PadsPerAxis(x.rank(), pads, axes, ctx.has_input(3)));
  OMKIT_RETURN_IF_ERROR(SetMoved(ctx, x));
  Shape out = x;
  for (int d = 0; d < x.rank(); ++d) {
    const int64_t added = per_axis.first[d] + per_axis.second[d];
    if (x.dim(d) == kUnknownDim) continue;
    if (x.dim(d) == 0 && added > 0 && mode != PadMode::kConstant) {
      return absl::InvalidArgumentError(absl::StrCat("axis ", d, " is empty: there is nothing to repeat into ", added, " pads"));
    }
    if (mode == PadMode::kReflect && std::max(per_axis.first[d], per_axis.second[d]) >= std::max<int64_t>(x.dim(d), 1) && added > 0) {
      return absl::InvalidArgumentError(absl::StrCat("reflect pads along axis ", d, " must be below its size ", x.dim(d)));
    }
    out.set_dim(d, x.dim(d) + added);
  }
  return SetMoved(ctx, std::move(out));
}

absl::Status EvalPad(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  Tensor& out = ctx.output(0);
  const int rank = x.shape().rank();
  OMKIT_ASSIGN_OR_RETURN(const PadMode mode, ReadPadMode(ctx.attrs));
  OMKIT_ASSIGN_OR_RETURN(const Dims pads, IntegerValues(ctx.input(1)));
  Dims axes;
  if (ctx.has_input(3)) {
    OMKIT_ASSIGN_OR_RETURN(axes, IntegerValues(ctx.input(3)));
  }
  OMKIT_ASSIGN_OR_RETURN(const auto per_axis, PadsPerAxis(rank, pads, axes, ctx.has_input(3)));
  const std::vector<uint8_t> value = PadValue(ctx);
  const size_t element = value.size();
  const Dims strides = x.shape().Strides();
  // Byte offset of every position of every axis, -1 where the pad value goes.
  std::vector<Dims> sources(rank);
  for (int d = 0; d < rank; ++d) {
    if (out.shape().dim(d) != x.shape().dim(d) + per_axis.first[d] + per_axis.second[d]) {
      return absl::InvalidArgumentError("the pads differ from those the shape was inferred with");
    }
    for (int64_t i = 0; i < out.shape().dim(d); ++i) {
      const int64_t source = PadSource(mode, i - per_axis.first[d], x.shape().dim(d));
      sources[d].push_back(source < 0 ? -1 : source * strides[d] * static_cast<int64_t>(element));
    }
  }
  uint8_t* to = MutableBytes(out);
  if (rank == 0) return CopyAll(ctx);
  Dims index(rank, 0);
  const int64_t rows = out.elements() == 0 ? 0 : out.elements() / out.shape().dim(rank - 1);
  for (int64_t r = 0; r < rows; ++r) {
    int64_t base = 0;
    bool inside = true;
    for (int d = 0; d + 1 < rank; ++d) {
      inside = inside && sources[d][index[d]] >= 0;
      base += sources[d][index[d]];
    }
    for (int64_t offset : sources[rank - 1]) {
      std::memcpy(to, inside && offset >= 0 ? Bytes(x) + base + offset : value.data(), element);
      to += element;
    }
    for (int d = rank - 2; d >= 0 && ++index[d] == out.shape().dim(d); --d) index[d] = 0;
  }
  return absl::OkStatus();
}

absl::Status InferReshape(InferContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic, IsDynamic(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 1, 1));
  if (dynamic) return SetUnknownDims(ctx, ctx.shape(1).dim(0));
  OMKIT_ASSIGN_OR_RETURN(const Dims target, ctx.ConstantInts(1));
  OMKIT_RETURN_IF_ERROR(SetMoved(ctx, ctx.shape(0)));
  OMKIT_ASSIGN_OR_RETURN(Shape out, ReshapedTo(ctx.attrs(), ctx.shape(0), target));
  return SetMoved(ctx, std::move(out));
}
absl::Status EvalReshape(const EvalContext& ctx) { return CopyAll(ctx); }

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

absl::Status InferSqueeze(InferContext& ctx) {
  const Shape& x = ctx.shape(0);
  std::vector<bool> drop(x.rank(), false);
  if (ctx.has_input(1)) {
    OMKIT_ASSIGN_OR_RETURN(const Dims axes, ctx.ConstantInts(1));
    OMKIT_ASSIGN_OR_RETURN(drop, AxisSet(axes, x.rank()));
  } else {
    if (!x.IsStatic()) return absl::UnimplementedError(absl::StrCat("Squeeze without axes of the unknown shape ", x.ToString()));
    for (int d = 0; d < x.rank(); ++d) drop[d] = x.dim(d) == 1;
  }
  Dims dims;
  for (int d = 0; d < x.rank(); ++d) {
    if (!drop[d]) dims.push_back(x.dim(d));
    else if (Conflict(x.dim(d), 1)) return absl::InvalidArgumentError(absl::StrCat("axis ", d, " of ", x.ToString(), " is not 1"));
  }
  return SetMoved(ctx, Shape(std::move(dims)));
}
absl::Status EvalSqueeze(const EvalContext& ctx) { return CopyAll(ctx); }

absl::Status InferUnsqueeze(InferContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const Dims axes, ctx.ConstantInts(1));
  const int rank = ctx.shape(0).rank() + static_cast<int>(axes.size());
  if (rank > kMaxRank) return absl::InvalidArgumentError(absl::StrCat("rank ", rank, " is above the limit of ", kMaxRank));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<bool> added, AxisSet(axes, rank));
  Dims dims;
  int next = 0;
  for (int d = 0; d < rank; ++d) dims.push_back(added[d] ? 1 : ctx.shape(0).dim(next++));
  return SetMoved(ctx, Shape(std::move(dims)));
}
absl::Status EvalUnsqueeze(const EvalContext& ctx) { return CopyAll(ctx); }

absl::Status InferTile(InferContext& ctx) {
  const Shape& x = ctx.shape(0);
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic, IsDynamic(ctx, 1));
  if (dynamic) return SetUnknownDims(ctx, x.rank());
  OMKIT_ASSIGN_OR_RETURN(const Dims repeats, ctx.ConstantInts(1));
  if (static_cast<int>(repeats.size()) != x.rank()) {
    return absl::InvalidArgumentError(absl::StrCat(repeats.size(), " repeats for rank ", x.rank()));
  }
  Shape out = x;
  for (int d = 0; d < x.rank(); ++d) {
    if (repeats[d] < 0) return absl::InvalidArgumentError(absl::StrCat("repeat ", repeats[d], " along axis ", d, " is negative"));
    if (x.dim(d) == kUnknownDim) continue;
    const CheckedSize size = CheckedSize(x.dim(d)) * repeats[d];
    if (!size.ok()) return absl::InvalidArgumentError(absl::StrCat("axis ", d, " overflows"));
    out.set_dim(d, size.value());
  }
  return SetMoved(ctx, std::move(out));
}

absl::Status EvalTile(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Shape& out = ctx.output(0).shape();
  const Dims own = x.shape().Strides();
  // Every axis becomes two: the repeats, which do not move in x, and the axis itself.
  Dims dims, strides;
  if (ctx.output(0).elements() == 0) return absl::OkStatus();
  for (int d = 0; d < out.rank(); ++d) {
    dims.push_back(out.dim(d) / x.shape().dim(d));
    strides.push_back(0);
    dims.push_back(x.shape().dim(d));
    strides.push_back(own[d]);
  }
  CopyStrided(Bytes(x), dims, strides, SizeOf(x.dtype()), MutableBytes(ctx.output(0)));
  return absl::OkStatus();
}

absl::Status InferTranspose(InferContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int> perm, Permutation(ctx.attrs(), ctx.shape(0).rank()));
  Dims dims;
  for (int p : perm) dims.push_back(ctx.shape(0).dim(p));
  return SetMoved(ctx, Shape(std::move(dims)));
}

absl::Status EvalTranspose(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int> perm, Permutation(ctx.attrs, ctx.input(0).shape().rank()));
  TransposeView(ctx.input(0), ctx.input(0).shape().vec(), perm, ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
