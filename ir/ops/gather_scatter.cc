// Reading and writing elements at positions given by index tensors, as in ONNX: GatherElements, GatherND, ScatterElements, ScatterND.
// Negative indices count from the end; an index outside its axis is an error of the evaluation. Reductions none, add, mul, max, min;
// where several updates meet one element they are applied in order.
#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/axis_split.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

const uint8_t* Bytes(const Tensor& t) { return static_cast<const uint8_t*>(t.raw()); }
uint8_t* MutableBytes(Tensor& t) { return static_cast<uint8_t*>(t.mutable_raw()); }

absl::StatusOr<int64_t> ResolveIndex(int64_t index, int64_t size) {
  const int64_t resolved = index < 0 ? index + size : index;
  if (resolved >= 0 && resolved < size) return resolved;
  return absl::InvalidArgumentError(absl::StrCat("index ", index, " is outside an axis of size ", size));
}

enum class Reduction { kNone, kAdd, kMul, kMax, kMin };

absl::StatusOr<Reduction> ReadReduction(const Attrs& attrs) {
  const std::string name = attrs.String("reduction", "none");
  const char* const names[] = {"none", "add", "mul", "max", "min"};
  for (int i = 0; i < 5; ++i) {
    if (name == names[i]) return static_cast<Reduction>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat("attribute reduction is '", name, "', allowed are none, add, mul, max and min"));
}

template <typename C>
C Reduce(Reduction reduction, C a, C b) {
  // 64-bit unsigned arithmetic wraps; the cast back keeps the low bits.
  using Wide = std::conditional_t<std::is_integral_v<C>, uint64_t, C>;
  switch (reduction) {
    case Reduction::kNone: return b;
    case Reduction::kAdd: return static_cast<C>(static_cast<Wide>(a) + static_cast<Wide>(b));
    case Reduction::kMul: return static_cast<C>(static_cast<Wide>(a) * static_cast<Wide>(b));
    case Reduction::kMax: return b > a || b != b ? b : a;
    case Reduction::kMin: return b < a || b != b ? b : a;
  }
  return b;
}

// out[to + i] = reduce(out[to + i], updates[from + i]) for i < n.
void Update(Reduction reduction, const Tensor& updates, int64_t from, Tensor& out, int64_t to, int64_t n) {
  if (reduction == Reduction::kNone) {
    const size_t size = SizeOf(out.dtype());
    std::memcpy(MutableBytes(out) + to * size, Bytes(updates) + from * size, n * size);
    return;
  }
  DispatchNumeric(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* b = updates.data<T>() + from;
    T* y = out.mutable_data<T>() + to;
    for (int64_t i = 0; i < n; ++i) y[i] = Element<T>::Store(Reduce(reduction, Element<T>::Load(y[i]), Element<T>::Load(b[i])));
  });
}

absl::Status ExpectIndices(const InferContext& ctx, int i) {
  if (ctx.dtype(i) == DType::kInt64 || ctx.dtype(i) == DType::kInt32) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ", Name(ctx.dtype(i)), ", expected indices of int32 or int64"));
}

absl::Status InferScatter(const InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 2));
  OMKIT_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 2));
  OMKIT_ASSIGN_OR_RETURN(const Reduction reduction, ReadReduction(ctx.attrs()));
  if (reduction != Reduction::kNone) OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  return ExpectRank(ctx, 0, 1, kMaxRank);
}

// Indices over `data` along one axis: every other dimension of the indices lies inside the data.
absl::StatusOr<int> ElementsAxis(const InferContext& ctx) {
  const Shape& data = ctx.shape(0);
  const Shape& indices = ctx.shape(1);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", 0), data.rank()));
  bool fits = indices.rank() == data.rank();
  for (int d = 0; fits && d < data.rank(); ++d) {
    fits = d == axis || indices.dim(d) == kUnknownDim || data.dim(d) == kUnknownDim || indices.dim(d) <= data.dim(d);
  }
  if (fits) return axis;
  return absl::InvalidArgumentError(
      absl::StrCat("indices of shape ", indices.ToString(), " reach beyond data of shape ", data.ToString(), " outside axis ", axis));
}

// Calls visit(element of the indices, element of the data) for every index.
template <typename Visit>
absl::Status ForEachElement(const EvalContext& ctx, Visit&& visit) {
  const Shape& data = ctx.input(0).shape();
  const Tensor& indices = ctx.input(1);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", 0), data.rank()));
  std::vector<int64_t> strides = data.Strides();
  const int64_t along = strides[axis];
  strides[axis] = 0;
  int64_t e = 0;
  absl::Status status;
  ForEachRow<1>(indices.shape().dims(), {strides}, [&](const auto& at, const auto& step, int64_t n) {
    for (int64_t i = 0; i < n && status.ok(); ++i, ++e) {
      const absl::StatusOr<int64_t> index = ResolveIndex(IntegerAt(indices, e), data.dim(axis));
      if (index.ok()) visit(e, at[0] + i * step[0] + *index * along);
      else status = index.status();
    }
  });
  return status;
}

// One slice of data per tuple of `depth` indices.
struct TupleLoop {
  int64_t batches = 1, tuples = 1, depth = 1, slice = 1;
  int64_t batch_stride = 1;             // elements of data per batch
  std::vector<int64_t> sizes, strides;  // of the indexed axes
};

TupleLoop LoopOver(const Shape& data, const Shape& indices, int batch_dims) {
  TupleLoop loop;
  const int last = indices.rank() - 1;
  loop.depth = indices.dim(last);
  loop.batches = ProductOfDims(data, 0, batch_dims);
  loop.tuples = ProductOfDims(indices, batch_dims, last);
  loop.slice = ProductOfDims(data, batch_dims + static_cast<int>(loop.depth), data.rank());
  loop.batch_stride = ProductOfDims(data, batch_dims, data.rank());
  const std::vector<int64_t> strides = data.Strides();
  for (int d = batch_dims; d < batch_dims + loop.depth; ++d) {
    loop.sizes.push_back(data.dim(d));
    loop.strides.push_back(strides[d]);
  }
  return loop;
}

// Calls visit(slice number, first element of data) for every tuple.
template <typename Visit>
absl::Status ForEachTuple(const TupleLoop& loop, const Tensor& indices, Visit&& visit) {
  int64_t e = 0;
  for (int64_t t = 0; t < loop.batches * loop.tuples; ++t) {
    int64_t at = t / loop.tuples * loop.batch_stride;
    for (int64_t k = 0; k < loop.depth; ++k) {
      OMKIT_ASSIGN_OR_RETURN(const int64_t index, ResolveIndex(IntegerAt(indices, e++), loop.sizes[k]));
      at += index * loop.strides[k];
    }
    visit(t, at);
  }
  return absl::OkStatus();
}

// indices.shape[:-1] + data.shape[batch_dims + indices.shape[-1]:]; checks the last dimension of the indices.
absl::StatusOr<Shape> TupleShape(const InferContext& ctx, int batch_dims) {
  OMKIT_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 1, kMaxRank));
  const Shape& data = ctx.shape(0);
  const Shape& indices = ctx.shape(1);
  const int64_t depth = indices.dim(indices.rank() - 1);
  if (depth == kUnknownDim) return absl::UnimplementedError("the last dimension of the indices is not known");
  if (depth < 0 || depth > data.rank() - batch_dims) {
    return absl::InvalidArgumentError(absl::StrCat("indices of shape ", indices.ToString(), " hold tuples of ", depth, " for data of shape ",
                                                   data.ToString(), " with ", batch_dims, " batch dimensions"));
  }
  std::vector<int64_t> dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), data.dims().begin() + batch_dims + depth, data.dims().end());
  if (static_cast<int>(dims.size()) > kMaxRank) return absl::InvalidArgumentError(absl::StrCat("the result would have rank ", dims.size()));
  return Shape(std::move(dims));
}

}  // namespace

absl::Status InferGatherElements(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ElementsAxis(ctx).status());
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(1));
}

absl::Status EvalGatherElements(const EvalContext& ctx) {
  const size_t size = SizeOf(ctx.input(0).dtype());
  const uint8_t* x = Bytes(ctx.input(0));
  uint8_t* y = MutableBytes(ctx.output(0));
  return ForEachElement(ctx, [&](int64_t e, int64_t at) { std::memcpy(y + e * size, x + at * size, size); });
}

absl::Status InferScatterElements(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(InferScatter(ctx));
  OMKIT_RETURN_IF_ERROR(ElementsAxis(ctx).status());
  bool same = ctx.shape(2).rank() == ctx.shape(1).rank();
  for (int d = 0; same && d < ctx.shape(1).rank(); ++d) same = !Conflict(ctx.shape(1).dim(d), ctx.shape(2).dim(d));
  if (!same) {
    return absl::InvalidArgumentError(absl::StrCat("indices have shape ", ctx.shape(1).ToString(), ", updates ", ctx.shape(2).ToString()));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

absl::Status EvalScatterElements(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const Reduction reduction, ReadReduction(ctx.attrs));
  Tensor& out = ctx.output(0);
  std::memcpy(out.mutable_raw(), ctx.input(0).raw(), out.bytes());
  return ForEachElement(ctx, [&](int64_t e, int64_t at) { Update(reduction, ctx.input(2), e, out, at, 1); });
}

absl::Status InferGatherND(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  const int64_t batch_dims = ctx.attrs().Int("batch_dims", 0);
  if (batch_dims < 0 || batch_dims >= std::min(ctx.shape(0).rank(), ctx.shape(1).rank())) {
    return absl::InvalidArgumentError(absl::StrCat("attribute batch_dims is ", batch_dims, " for data of shape ", ctx.shape(0).ToString(),
                                                   " and indices of shape ", ctx.shape(1).ToString()));
  }
  for (int d = 0; d < batch_dims; ++d) {
    if (!Conflict(ctx.shape(0).dim(d), ctx.shape(1).dim(d))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("batch dimension ", d, " of data and indices differs: ", ctx.shape(0).ToString(), " and ", ctx.shape(1).ToString()));
  }
  OMKIT_ASSIGN_OR_RETURN(Shape out, TupleShape(ctx, static_cast<int>(batch_dims)));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out));
}

absl::Status EvalGatherND(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  const TupleLoop loop = LoopOver(x.shape(), ctx.input(1).shape(), static_cast<int>(ctx.attrs.Int("batch_dims", 0)));
  const size_t bytes = loop.slice * SizeOf(x.dtype());
  return ForEachTuple(loop, ctx.input(1),
                      [&](int64_t t, int64_t at) { std::memcpy(MutableBytes(ctx.output(0)) + t * bytes, Bytes(x) + at * SizeOf(x.dtype()), bytes); });
}

absl::Status InferScatterND(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(InferScatter(ctx));
  OMKIT_ASSIGN_OR_RETURN(const Shape expected, TupleShape(ctx, 0));
  bool same = expected.rank() == ctx.shape(2).rank();
  for (int d = 0; same && d < expected.rank(); ++d) same = !Conflict(expected.dim(d), ctx.shape(2).dim(d));
  if (!same) {
    return absl::InvalidArgumentError(absl::StrCat("updates have shape ", ctx.shape(2).ToString(), ", expected ", expected.ToString()));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

absl::Status EvalScatterND(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const Reduction reduction, ReadReduction(ctx.attrs));
  Tensor& out = ctx.output(0);
  std::memcpy(out.mutable_raw(), ctx.input(0).raw(), out.bytes());
  const TupleLoop loop = LoopOver(out.shape(), ctx.input(1).shape(), 0);
  return ForEachTuple(loop, ctx.input(1), [&](int64_t t, int64_t at) { Update(reduction, ctx.input(2), t * loop.slice, out, at, loop.slice); });
}

}  // namespace omkit::ir
