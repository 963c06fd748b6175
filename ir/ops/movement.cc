// Operators that move or repeat elements without looking at them: bytes of any dtype, quantized or not. Inputs as in the newest
// versions (axes, starts, pads, repeats and sizes are integer tensors). Forms that keep the bytes as they are: reshape.cc; parts of a tensor:
// slice.cc; borders: pad.cc.
#include "ir/ops/movement.h"

#include <algorithm>
#include <cstring>
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

}  // namespace

absl::Status CopyAll(const EvalContext& ctx) {
  if (ctx.input(0).bytes() != ctx.output(0).bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("input of ", ctx.input(0).type().ToString(), " cannot become ", ctx.output(0).type().ToString()));
  }
  std::memcpy(ctx.output(0).mutable_raw(), ctx.input(0).raw(), ctx.input(0).bytes());
  return absl::OkStatus();
}

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

absl::Status SetUnknownDims(InferContext& ctx, int64_t rank) {
  if (rank < 0 || rank > kMaxRank) return absl::UnimplementedError(absl::StrCat("an output of unknown rank (", rank, ")"));
  return SetMoved(ctx, Shape(Dims(rank, kUnknownDim)));
}

absl::StatusOr<bool> IsDynamic(const InferContext& ctx, int i) {
  if (!ctx.has_input(i)) return false;
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, i));
  return ctx.constant(i) == nullptr;
}

int64_t ProductOf(absl::Span<const int64_t> dims, int begin, int end) {
  return std::accumulate(dims.begin() + begin, dims.begin() + end, int64_t{1},
                         [](int64_t a, int64_t b) { return a == kUnknownDim || b == kUnknownDim ? kUnknownDim : a * b; });
}

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
